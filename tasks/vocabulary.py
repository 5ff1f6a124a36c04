"""The vocabulary of the process: chosen once, seen by every task.

Every task's features are `ChosenFeature`s: the vocabulary is looked up when it is asked for, so
the same task names serve mT5's, umT5's, ByT5's and the sample world's vocabularies, and whoever
reads a task (T5X, too) gets a plain SeqIO vocabulary.

    model   pieces    sentinels                        rows of its embedding
    mt5     250,100   250,099 down to 250,000          250,112
    umt5    256,000   256,299 down to 256,000, added   256,384
    byt5    259       258 down to 159: bytes, reused   384

Everywhere padding is id 0 and EOS id 1. ByT5's bytes follow three special ids, so that byte b is
id b + 3; its sentinels are the ids of its last bytes (Xue et al. 2022, section 3.1), of which 0xFF
down to 0xF5 are in no UTF-8 text, while the later ones also stand for themselves.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import seqio
import tensorflow as tf

from tasks import data_dir, network
from tasks.errors import DataError, nearest


@dataclasses.dataclass(frozen=True)
class PublicModel:
    """A published SentencePiece model.

    Attributes:
      path: where it is published.
      pieces: how many pieces the file holds.
      extra_ids: sentinels that its networks were trained with and the file lacks.
    """

    path: str
    pieces: int
    extra_ids: int


PUBLIC = {
    "mt5": PublicModel("gs://t5-data/vocabs/mc4.250000.100extra/sentencepiece.model", 250_100, 0),
    # The 300 are of T5X's umt5/vocab.gin; Hugging Face's tokenizer places them alike.
    "umt5": PublicModel("gs://t5-data/vocabs/umt5.256000/sentencepiece.model", 256_000, 300),
}
# Where the sample world puts its model, below the TFDS data directory.
SAMPLE_MODEL = "sample_vocabulary/sentencepiece.model"
# What a model without sentinels is given, as many as mT5's; what T5 calls them.
EXTRA_IDS = 100
_SENTINEL = "<extra_id_{}>"

Spec: TypeAlias = str | os.PathLike | seqio.Vocabulary

_spec: Spec = "mt5"
_loaded: dict[tuple[str, int | None], seqio.Vocabulary] = {}


def choose(spec: Spec) -> None:
    """Chooses the vocabulary of every task in this process; read when first used.

    Args:
      spec: 'mt5' or 'umt5' (the public models), 'mt5:PATH' or 'umt5:PATH' (your copy of one),
        'byt5' (UTF-8 bytes), 'sample' (the sample world's model under the TFDS data directory),
        the path of any other SentencePiece .model file, or a `seqio.Vocabulary`. A file without
        sentinels is given a hundred.

    Raises:
      DataError: a string that is none of these.
    """
    global _spec
    if isinstance(spec, str):
        names = [*PUBLIC, "byt5", "sample"]
        known = spec in names or spec.partition(":")[0] in PUBLIC
        if not known and not spec.endswith(".model") and not Path(spec).is_file():
            raise DataError(
                f"expected a vocabulary {', '.join(map(repr, names))} or the path of a "
                f"SentencePiece .model file, got '{spec}'{nearest(spec, names)}"
            )
    _spec = spec


def chosen() -> seqio.Vocabulary:
    """Returns the chosen vocabulary.

    Raises:
      DataError: its file is absent and cannot be downloaded, or is not a SentencePiece model, or
        not the one that was named.
    """
    if isinstance(_spec, seqio.Vocabulary):
        return _spec
    spec = os.fspath(_spec)
    if spec == "byt5":
        return seqio.ByteVocabulary()
    if spec == "sample":
        return _sentencepiece(
            f"{data_dir.resolve()}/{SAMPLE_MODEL}",
            hint="run `mt5x sample-data --out DIR` and set TFDS_DATA_DIR=DIR",
        )
    name, _, path = spec.partition(":")
    if name in PUBLIC:
        return _public(name, path)
    return _sentencepiece(spec)


def of_process(spec: Spec) -> seqio.Vocabulary:
    """Chooses the vocabulary and returns it, so that a config names it once for model and tasks."""
    choose(spec)
    return chosen()


def sentinels(vocabulary: seqio.Vocabulary) -> tuple[int, ...]:
    """Returns the ids that stand for hidden spans, in the order in which spans take them.

    They are the pieces `<extra_id_0>`, `<extra_id_1>` and on, wherever the model has them, or the
    last hundred ids counting down where it has none, as in ByT5.
    """
    if isinstance(vocabulary, seqio.SentencePieceVocabulary):
        found = _pieces_of_sentinels(vocabulary.tokenizer)
        if found:
            return found
    # An id that is padding, EOS or unknown stands for nothing else.
    last, lowest = vocabulary.vocab_size - 1, 3
    return tuple(range(last, max(last - EXTRA_IDS, lowest - 1), -1))


def sentinel(vocabulary: seqio.Vocabulary, number: int) -> int:
    """Returns the id of the sentinel of a number, from 0.

    Raises:
      DataError: the vocabulary has no such sentinel.
    """
    ids = sentinels(vocabulary)
    if not 0 <= number < len(ids):
        raise DataError(f"there is no sentinel {number}; the vocabulary has {len(ids)}, from 0")
    return ids[number]


def _pieces_of_sentinels(tokenizer: Any) -> tuple[int, ...]:
    """Returns the ids of the sentinels that are pieces of a SentencePiece model."""
    ids: list[int] = []
    while True:
        name = _SENTINEL.format(len(ids))
        # SeqIO, and mT5's model, write them as the beginning of a word.
        named = [tokenizer.piece_to_id(piece) for piece in (f"▁{name}", name)]
        known = [one for one in named if one != tokenizer.unk_id()]
        if not known:
            return tuple(ids)
        ids.append(known[0])


def _public(name: str, path: str) -> seqio.Vocabulary:
    """Returns a public model, from a copy where its path is given."""
    model = PUBLIC[name]
    vocabulary = _sentencepiece(
        path or model.path,
        model.extra_ids,
        hint=f"choose '{name}:PATH' with the path of your copy of its spiece.model, or the "
        f"vocabulary 'byt5' or 'sample'",
    )
    pieces = vocabulary.vocab_size - model.extra_ids
    if pieces != model.pieces:
        raise DataError(
            f"expected the vocabulary '{name}' to have {model.pieces:,} pieces, but {path} has "
            f"{pieces:,}; for another model's file, give its path alone"
        )
    return vocabulary


def _sentencepiece(
    path: str,
    extra_ids: int | None = None,
    hint: str = "give the path of a SentencePiece .model file",
) -> seqio.Vocabulary:
    """Loads a model once; where `extra_ids` is None, sentinels are added if the file has none."""
    key = (path, extra_ids)
    if key in _loaded:
        return _loaded[key]
    if path.startswith("gs://") and not network.reachable():
        raise DataError(f"the vocabulary {path} cannot be downloaded (no network); {hint}")
    if "://" not in path and not Path(path).is_file():
        raise DataError(f"there is no vocabulary at {path}; {hint}")
    try:
        if extra_ids is None:
            with tf.io.gfile.GFile(path, "rb") as file:
                # SentencePiece stores the pieces as plain UTF-8.
                extra_ids = 0 if _SENTINEL.format(0).encode() in file.read() else EXTRA_IDS
        vocabulary = SharedSentencePiece(path, extra_ids=extra_ids)
        vocabulary.load_model()
    except Exception as error:
        raise DataError(f"{path} is not a SentencePiece model: {error}") from error
    if (vocabulary.tokenizer.pad_id(), vocabulary.eos_id) != (0, 1):
        raise DataError(
            f"the vocabulary {path} must have padding as id 0 and </s> as id 1, as mT5's, but has "
            f"{vocabulary.tokenizer.pad_id()} and {vocabulary.eos_id}; train SentencePiece with "
            f"pad_id=0, eos_id=1, unk_id=2, bos_id=-1"
        )
    _loaded[key] = vocabulary
    return vocabulary


class SharedSentencePiece(seqio.SentencePieceVocabulary):
    """SeqIO's vocabulary with one TensorFlow tokenizer for all data sets of the process.

    SeqIO makes one for every feature of every data set, and copies the model each time: for
    mT5's that is seconds for each language evaluated.
    """

    @property
    def tf_tokenizer(self) -> Any:
        """The tokenizer, made outside of any graph so that all graphs can refer to it."""
        import tensorflow as tf
        import tensorflow_text as tf_text

        context = self._model_context()
        if not hasattr(context, "shared_tokenizer"):
            with tf.init_scope():
                context.shared_tokenizer = tf_text.SentencepieceTokenizer(model=context.sp_model)
        return context.shared_tokenizer


class ChosenFeature(seqio.Feature):
    """A feature in the vocabulary chosen for the process, or in one of its own where given."""

    def __init__(
        self,
        vocabulary: seqio.Vocabulary | None = None,
        add_eos: bool = True,
        required: bool = True,
        dtype: object = None,
        rank: int = 1,
    ):
        # The parent is a frozen dataclass whose `vocabulary` is a property here.
        fields = {"_own": vocabulary, "add_eos": add_eos, "required": required, "rank": rank}
        if dtype is not None:
            fields["dtype"] = dtype
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def vocabulary(self) -> seqio.Vocabulary:
        """The vocabulary, as chosen at this moment."""
        return self._own or chosen()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, seqio.Feature) and self._key() == ChosenFeature._key(other)

    def __hash__(self) -> int:
        return hash((self.add_eos, self.required, self.rank))

    def __repr__(self) -> str:
        # Without the vocabulary: describing a task must not download one.
        return f"ChosenFeature(add_eos={self.add_eos}, required={self.required})"

    def _key(self) -> tuple:
        return (self.vocabulary, self.add_eos, self.required, self.dtype, self.rank)


def features() -> dict[str, seqio.Feature]:
    """Returns the output features of a text-to-text task: inputs and targets, both with EOS.

    The inputs may be absent, as in mT5's tasks, so that a language-model task can do without.
    """
    return {"inputs": ChosenFeature(required=False), "targets": ChosenFeature()}


def ready(dataset: Any, output_features: Mapping[str, seqio.Feature]) -> Any:
    """A preprocessor that changes nothing but loads the vocabulary, or fails, before the next.

    TensorFlow rewrites the message of an error that is raised while it traces a function.
    """
    for feature in output_features.values():
        feature.vocabulary.vocab_size  # noqa: B018
    return dataset
