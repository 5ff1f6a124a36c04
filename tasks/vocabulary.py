"""The vocabulary of the process: chosen once, seen by every task.

Every task's features are `ChosenFeature`s: the vocabulary is looked up when it is asked for, so
the same task names serve mT5's, ByT5's and the sample world's vocabularies, and whoever reads a
task (T5X, too) gets a plain SeqIO vocabulary.

Sentinels of span corruption count down from the last id: sentinel i is `vocab_size - 1 - i`. In
mT5's model those ids are the pieces `<extra_id_i>`; ByT5 reuses its last byte ids (Xue et al.
2022, section 3.1).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import seqio

from tasks import data_dir, network
from tasks.errors import DataError

# mT5's public SentencePiece model of 250,100 pieces, the hundred sentinels among them.
MT5_MODEL = "gs://t5-data/vocabs/mc4.250000.100extra/sentencepiece.model"
# Where the sample world puts its model, below the TFDS data directory; sentinels are added to it.
SAMPLE_MODEL = "sample_vocabulary/sentencepiece.model"
SAMPLE_EXTRA_IDS = 100

Spec: TypeAlias = str | os.PathLike | seqio.Vocabulary

_spec: Spec = "mt5"
_loaded: dict[tuple[str, int], seqio.Vocabulary] = {}


def choose(spec: Spec) -> None:
    """Chooses the vocabulary of every task in this process; read when first used.

    Args:
      spec: 'mt5' (the public model), 'byt5' (UTF-8 bytes), 'sample' (the sample world's model
        under the TFDS data directory), the path of a SentencePiece .model file that holds its
        own sentinels as mT5's does, or a `seqio.Vocabulary`.

    Raises:
      DataError: a string that is none of these.
    """
    global _spec
    known = not isinstance(spec, str) or spec in ("mt5", "byt5", "sample")
    if not known and not str(spec).endswith(".model") and not Path(str(spec)).is_file():
        raise DataError(
            f"expected a vocabulary 'mt5', 'byt5', 'sample' or the path of a SentencePiece "
            f".model file, got '{spec}'"
        )
    _spec = spec


def chosen() -> seqio.Vocabulary:
    """Returns the chosen vocabulary.

    Raises:
      DataError: its file is absent and cannot be downloaded, or is not a SentencePiece model.
    """
    if isinstance(_spec, seqio.Vocabulary):
        return _spec
    if _spec == "byt5":
        return seqio.ByteVocabulary()
    if _spec == "sample":
        return _sentencepiece(f"{data_dir.resolve()}/{SAMPLE_MODEL}", SAMPLE_EXTRA_IDS)
    return _sentencepiece(MT5_MODEL if _spec == "mt5" else os.fspath(_spec), 0)


def of_process(spec: Spec) -> seqio.Vocabulary:
    """Chooses the vocabulary and returns it, so that a config names it once for model and tasks."""
    choose(spec)
    return chosen()


def _sentencepiece(path: str, extra_ids: int) -> seqio.Vocabulary:
    key = (path, extra_ids)
    if key in _loaded:
        return _loaded[key]
    if path.startswith("gs://"):
        if not network.reachable():
            raise DataError(
                f"mT5's vocabulary {path} cannot be downloaded (no network); give the path of "
                f"your copy of spiece.model, or choose the vocabulary 'byt5' or 'sample'"
            )
    elif "://" not in path and not Path(path).is_file():
        hint = "run `mt5x sample-data --out DIR` and set TFDS_DATA_DIR=DIR"
        raise DataError(
            f"there is no vocabulary at {path}; "
            + (hint if extra_ids else "give the path of a SentencePiece .model file")
        )
    vocabulary = SharedSentencePiece(path, extra_ids=extra_ids)
    try:
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
