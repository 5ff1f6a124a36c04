"""From decoded texts to what the metrics compare. SeqIO calls these for gold and predictions."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

# What mT5's SentencePiece model reads as a space beyond NFKC: zero-width spaces, joiners and marks,
# the byte-order mark, its own mark of a space, and the replacement character.
_READ_AS_SPACE = re.compile("[\u200b-\u200f\u2581\ufeff\ufffd]")
# Control characters that it does not see.
_NOT_READ = re.compile("[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]")


class Answers(list[str]):
    """All gold answers of a question: a plain list of them, which also knows their context.

    Attributes:
      context: the text in which the answer is to be found, or None.
    """

    def __init__(self, answers: Iterable[str] = (), context: str | None = None) -> None:
        super().__init__(answers)
        self.context = context


class Sentence(NamedTuple):
    """The gold of one sentence of a retrieval task.

    Attributes:
      side: 'source' (not English) or 'target' (English).
      id: its name, the only one of its side.
      partner: the id of its translation on the other side; '' where there is none.
    """

    side: str
    id: str
    partner: str


def stripped(text: str, **unused: Any) -> str:
    """The text without white space at its ends, which a tokenizer may add."""
    return text.strip()


def comparable(text: str, **unused: Any) -> str:
    """The text as mT5's vocabulary can say it, whichever vocabulary was chosen.

    mT5's SentencePiece model reads text in NFKC and zero-width joiners as spaces, so a model with
    that vocabulary can never write 'km²' or a joiner. Compared as they stand, its own gold targets
    would score 89.7 span F1 on PANX's Swahili dev set and 95.7 on the Bengali one, and the byte
    vocabulary's 100. So gold and prediction are both compared in this form.
    """
    seen = _NOT_READ.sub("", unicodedata.normalize("NFKC", text))
    return " ".join(_READ_AS_SPACE.sub(" ", seen).split())


def answers(
    text: str, example: Mapping[str, Any] | None = None, is_target: bool = False, **unused: Any
) -> str | Answers:
    """The predicted answer; for the gold side all gold answers of the example. Comparable.

    The gold answers carry the context of the example, where it has one, as comparable text.
    """
    if not is_target or example is None:
        return comparable(text)
    context = example.get("context")
    return Answers(
        (comparable(_decoded(gold)) for gold in example["answers"]),
        None if context is None else comparable(_decoded(context)),
    )


def sentence(
    text: str | np.ndarray,
    example: Mapping[str, Any] | None = None,
    is_target: bool = False,
    **unused: Any,
) -> str | np.ndarray | Sentence:
    """For the gold side the sentence's place in the task; a predicted vector as it is."""
    if not is_target or example is None:
        return text
    return Sentence(_decoded(example["side"]), _decoded(example["id"]), str(text).strip())


def _decoded(text: bytes | str) -> str:
    return text.decode("utf-8") if isinstance(text, bytes) else text
