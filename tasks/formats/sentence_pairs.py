"""Two sentences and what holds between them: inference and paraphrase.

    XNLI              inputs   xnli: premise: {premise} hypothesis: {hypothesis}
    MNLI, SNLI, ANLI  inputs   nli: premise: {premise} hypothesis: {hypothesis}
                      targets  0 (entailment), 1 (neutral), 2 (contradiction)
    PAWS-X            inputs   paws sentence1: {sentence1} sentence2: {sentence2}
                      targets  different_meaning, paraphrase
    QQP               inputs   qqp question1: {question1} question2: {question2}
                      targets  not_duplicate, duplicate

XNLI's training rows are MNLI's, so as a source of zero-shot transfer MNLI reads `xnli:`; as an
intermediate task, all three read `nli:`, so that a target task stays a task of its own.
"""

import tensorflow as tf

from tasks.formats.rows import each, fields, labelled, name_of
from tasks.tfds_schemas import PAWSX_LABELS, QQP_LABELS


def nli(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows of one language with premise, hypothesis and label, as in MNLI, for XNLI."""
    return _inference(dataset, "xnli:", "premise")


def intermediate_nli(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with premise, hypothesis and label, as in MNLI and SNLI.

    Rows on whose label SNLI's annotators did not agree are left out.
    """
    return _inference(labelled(dataset), "nli:", "premise")


def anli(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with context, hypothesis and label, as in ANLI; its labels e, n, c are NLI's."""
    return _inference(dataset, "nli:", "context")


def _inference(dataset: tf.data.Dataset, begin: str, premise: str) -> tf.data.Dataset:
    def convert(row: dict) -> dict:
        return {
            "inputs": fields(begin, ("premise", row[premise]), ("hypothesis", row["hypothesis"])),
            "targets": tf.strings.as_string(row["label"]),
        }

    return each(dataset, convert)


def one_language(dataset: tf.data.Dataset, language: str) -> tf.data.Dataset:
    """Rows in all languages, as in XNLI, to rows of one with premise, hypothesis and label.

    A row that lacks the language is left out; one with several hypotheses gives several.
    """

    def convert(row: dict) -> dict:
        hypotheses = tf.boolean_mask(
            row["hypothesis"]["translation"], row["hypothesis"]["language"] == language
        )
        shape = tf.shape(hypotheses)
        return {
            "premise": tf.fill(shape, row["premise"][language]),
            "hypothesis": hypotheses,
            "label": tf.fill(shape, row["label"]),
        }

    return each(dataset, convert).unbatch()


def paraphrase(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with sentence1, sentence2 and label, as in PAWS-X."""

    def convert(row: dict) -> dict:
        return {
            "inputs": fields(
                "paws", ("sentence1", row["sentence1"]), ("sentence2", row["sentence2"])
            ),
            "targets": name_of(row["label"], PAWSX_LABELS),
        }

    return each(dataset, convert)


def qqp(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with question1, question2 and label, as in GLUE's QQP; its test set has no labels."""

    def convert(row: dict) -> dict:
        return {
            "inputs": fields(
                "qqp", ("question1", row["question1"]), ("question2", row["question2"])
            ),
            "targets": name_of(row["label"], QQP_LABELS),
        }

    return each(labelled(dataset), convert)
