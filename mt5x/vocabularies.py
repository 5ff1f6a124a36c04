"""Vocabularies for prediction: texts to ids and back as SeqIO does it, without TensorFlow.

A SentencePiece model is read with the sentencepiece package alone; ByT5's bytes follow three
special ids, so that byte b is id b + 3 (arXiv 2105.13626). Padding is id 0 and EOS id 1.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import sentencepiece

from mt5x.checkpoints import storage
from mt5x.errors import UserError

BYTES = "byt5"
_SPECIAL_IDS = 3


class Vocabulary(Protocol):
    """What prediction needs of a vocabulary; SeqIO's have it too."""

    @property
    def eos_id(self) -> int:
        """The end token."""

    @property
    def vocab_size(self) -> int:
        """How many ids there are."""

    def encode(self, text: str) -> Sequence[int]:
        """The ids of a text, without EOS."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids without padding and EOS."""


class SentencePieceVocabulary:
    """A SentencePiece model.

    Args:
      model: the serialised model.
      name: where it is from, for messages.

    Raises:
      UserError: it is no SentencePiece model, or its special ids are not mT5's.
    """

    eos_id = 1

    def __init__(self, model: bytes, name: str):
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(model)
        except RuntimeError as error:
            raise UserError(f"{name} is not a SentencePiece model: {error}") from error
        if (self._processor.pad_id(), self._processor.eos_id()) != (0, 1):
            raise UserError(
                f"the vocabulary {name} must have padding as id 0 and </s> as id 1, as mT5's, but "
                f"has {self._processor.pad_id()} and {self._processor.eos_id()}"
            )

    @property
    def vocab_size(self) -> int:
        """Its pieces."""
        return int(self._processor.vocab_size())

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without EOS."""
        return list(self._processor.EncodeAsIds(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; rows of the network beyond the pieces are unknown ones."""
        known = [int(one) if one < self.vocab_size else self._processor.unk_id() for one in ids]
        return str(self._processor.DecodeIds(known))


class ByteVocabulary:
    """UTF-8 bytes, as ByT5's; a sequence that is no UTF-8 loses the offending bytes."""

    eos_id = 1
    vocab_size = _SPECIAL_IDS + 256

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without EOS."""
        return [byte + _SPECIAL_IDS for byte in text.encode("utf-8")]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; special ids, and rows beyond the bytes, stand for nothing."""
        last = self.vocab_size
        return bytes(i - _SPECIAL_IDS for i in ids if _SPECIAL_IDS <= i < last).decode(
            "utf-8", errors="ignore"
        )


def load(spec: str | Path) -> Vocabulary:
    """Returns the vocabulary 'byt5' or that of a SentencePiece .model file, local or gs://.

    Raises:
      UserError: there is no such file, or it is no SentencePiece model.
    """
    if str(spec) == BYTES:
        return ByteVocabulary()
    folder, _, name = str(spec).rpartition("/")
    model = storage.read_bytes(folder or ("/" if str(spec).startswith("/") else "."), name)
    if model is None:
        raise UserError(
            f"there is no vocabulary at {spec}; give '{BYTES}' or the path of a SentencePiece "
            ".model file"
        )
    return SentencePieceVocabulary(model, str(spec))
