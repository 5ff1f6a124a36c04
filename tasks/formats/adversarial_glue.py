"""AdvGLUE: sentences of GLUE, changed so that models err (Wang et al. 2021).

sst2   inputs   sst2 sentence: {text1}
       targets  negative, positive
qnli   inputs   qnli question: {text1} sentence: {text2}
rte    inputs   rte sentence1: {text1} sentence2: {text2}
       targets  entailment, not_entailment
qqp    as QQP;   mnli, mnli_mismatched   as MNLI, the intermediate task
"""

import functools

import tensorflow as tf

from tasks.formats.rows import Preprocessor, each, fields, name_of
from tasks.formats.sentence_pairs import intermediate_nli, qqp

SST2_LABELS = ("negative", "positive")
ENTAILMENT_LABELS = ("entailment", "not_entailment")


def advglue(dataset: tf.data.Dataset, task: str) -> tf.data.Dataset:
    """Rows with text1, text2 and label, as in advglue/{task}."""
    return _FORMATS[task](dataset)


def _named(
    dataset: tf.data.Dataset, begin: str, names: tuple[str, ...], labels: tuple[str, ...]
) -> tf.data.Dataset:
    """`{begin} {name}: {text1}`, and with two names ` {name}: {text2}`."""

    def convert(row: dict) -> dict:
        texts = (row["text1"], row["text2"])
        return {
            "inputs": fields(begin, *zip(names, texts, strict=False)),
            "targets": name_of(row["label"], labels),
        }

    return each(dataset, convert)


def _as_in(
    dataset: tf.data.Dataset, names: tuple[str, str], preprocessor: Preprocessor
) -> tf.data.Dataset:
    """The rows with the names that another data set gives its two texts, in that one's format."""

    def rename(row: dict) -> dict:
        first, second = names
        return {first: row["text1"], second: row["text2"], "label": row["label"]}

    return preprocessor(each(dataset, rename))


_NLI = functools.partial(_as_in, names=("premise", "hypothesis"), preprocessor=intermediate_nli)
_FORMATS: dict[str, Preprocessor] = {
    "sst2": functools.partial(_named, begin="sst2", names=("sentence",), labels=SST2_LABELS),
    "qqp": functools.partial(_as_in, names=("question1", "question2"), preprocessor=qqp),
    "mnli": _NLI,
    "mnli_mismatched": _NLI,
    "qnli": functools.partial(
        _named, begin="qnli", names=("question", "sentence"), labels=ENTAILMENT_LABELS
    ),
    "rte": functools.partial(
        _named, begin="rte", names=("sentence1", "sentence2"), labels=ENTAILMENT_LABELS
    ),
}
