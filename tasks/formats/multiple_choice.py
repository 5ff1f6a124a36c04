"""Questions with numbered choices, of which one is right.

    XCOPA          inputs   copa choice1: {…} choice2: {…} premise: {…} question: {cause, effect}
                   targets  choice1, choice2
    HellaSwag      inputs   hellaswag: context: {activity}: {context} choice1: {…} … choice4: {…}
    Cosmos QA      inputs   cosmosqa: context: {…} question: {…} choice1: {…} … choice4: {…}
    CommonsenseQA  inputs   csqa: question: {…} choice1: {…} … choice5: {…}
                   targets  the number of the right choice, from 1

Rows of test sets without labels are left out.
"""

import tensorflow as tf

from tasks.formats.rows import each, fields, labelled, name_of
from tasks.tfds_schemas import XCOPA_LABELS


def copa(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with premise, choice1, choice2, question and label, as in XCOPA."""

    def convert(row: dict) -> dict:
        names = ("choice1", "choice2", "premise", "question")
        return {
            "inputs": fields("copa", *((name, row[name]) for name in names)),
            "targets": name_of(row["label"], XCOPA_LABELS),
        }

    return each(dataset, convert)


def hellaswag(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with activity_label, context, endings and label, as in HellaSwag."""

    def convert(row: dict) -> dict:
        context = tf.strings.join([row["activity_label"], ": ", row["context"]])
        return {
            "inputs": _with_choices(fields("hellaswag:", ("context", context)), row["endings"]),
            "targets": tf.strings.as_string(row["label"] + 1),
        }

    return each(labelled(dataset), convert)


def cosmosqa(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with context, question, answer0 to answer3 and label, as in Cosmos QA."""

    def convert(row: dict) -> dict:
        question = fields("cosmosqa:", ("context", row["context"]), ("question", row["question"]))
        return {
            "inputs": _with_choices(question, tf.stack([row[f"answer{n}"] for n in range(4)])),
            "targets": tf.strings.as_string(row["label"] + 1),
        }

    return each(labelled(dataset), convert)


def csqa(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with question, choices and answerKey, as in CommonsenseQA.

    The choices are numbered as they come; the answer is the one that bears the key.
    """

    def convert(row: dict) -> dict:
        choices = row["choices"]
        right = tf.where(choices["label"] == row["answerKey"])[0, 0]
        return {
            "inputs": _with_choices(
                fields("csqa:", ("question", row["question"])), choices["text"]
            ),
            "targets": tf.strings.as_string(right + 1),
        }

    return each(dataset.filter(lambda row: row["answerKey"] != ""), convert)


def _with_choices(question: tf.Tensor, choices: tf.Tensor) -> tf.Tensor:
    """Appends ` choice1: {…} choice2: {…}` and so on to a question."""
    numbers = tf.strings.as_string(1 + tf.range(tf.size(choices)))
    numbered = tf.strings.join([" choice", numbers, ": ", choices])
    return question + tf.strings.reduce_join(numbered)
