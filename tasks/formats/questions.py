r"""Questions whose answers are spans of a text, in SQuAD's form.

    inputs   question: {question} context: {context}
    targets  {the first gold answer}; unanswerable, where there is none (SQuAD 2.0)

Every character outside `[_\s\p{N}\p{L}\p{M}]` stands between spaces, as multilingual-t5 has it.
"""

import tensorflow as tf

from tasks.formats.rows import each

UNANSWERABLE = "unanswerable"


def question_answering(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows in SQuAD's form; keeps id, question, context and all answers for the scoring.

    A question without an answer has the one answer `UNANSWERABLE`.
    """

    def convert(row: dict) -> dict:
        question = _space_punctuation(row["question"])
        context = _space_punctuation(row["context"])
        gold = row["answers"]["text"]
        given = tf.cond(tf.size(gold) > 0, lambda: gold, lambda: tf.constant([UNANSWERABLE]))
        answers = _space_punctuation(given)
        joined = tf.strings.join(["question:", question, "context:", context], separator=" ")
        return {
            "inputs": _single_spaces(joined),
            "targets": answers[0],
            "id": row["id"],
            "question": question,
            "context": context,
            "answers": answers,
        }

    return each(dataset, convert)


def ids_that_begin_with(dataset: tf.data.Dataset, prefix: str) -> tf.data.Dataset:
    """Keeps the rows whose id begins so: TyDiQA's ids begin with the language's English name."""
    return dataset.filter(lambda row: tf.strings.regex_full_match(row["id"], prefix + "-.*"))


def _space_punctuation(text: tf.Tensor) -> tf.Tensor:
    return _single_spaces(tf.strings.regex_replace(text, r"([^_\s\p{N}\p{L}\p{M}])", r" \1 "))


def _single_spaces(text: tf.Tensor) -> tf.Tensor:
    return tf.strings.regex_replace(text, r"\s+", " ")
