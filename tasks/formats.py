r"""From the rows of a data set to mT5's `inputs` and `targets` texts.

As google-research/multilingual-t5 writes them:

    XNLI, MNLI  inputs   xnli: premise: {premise} hypothesis: {hypothesis}
                targets  0 (entailment), 1 (neutral), 2 (contradiction)
    PAWS-X      inputs   paws sentence1: {sentence1} sentence2: {sentence2}
                targets  different_meaning, paraphrase
    PANX        inputs   tag: {tokens joined by a space}
                targets  PER: rick $$ PER: morty
    QA          inputs   question: {question} context: {context}
                targets  {the first gold answer}

In question answering every character outside `[_\s\p{N}\p{L}\p{M}]` stands between spaces.

All functions are SeqIO preprocessors: `tf.data.Dataset` in, `tf.data.Dataset` out.
"""

import functools

import tensorflow as tf

from tasks.tfds_schemas import PAWSX_LABELS

_map = functools.partial(tf.data.Dataset.map, num_parallel_calls=tf.data.AUTOTUNE)


def nli(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows of one language with premise, hypothesis and label, as in MNLI."""

    def convert(row: dict) -> dict:
        return {
            "inputs": tf.strings.join(
                ["xnli: premise: ", row["premise"], " hypothesis: ", row["hypothesis"]]
            ),
            "targets": tf.strings.as_string(row["label"]),
        }

    return _map(dataset, convert)


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

    return _map(dataset, convert).unbatch()


def paraphrase(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with sentence1, sentence2 and label, as in PAWS-X."""

    def convert(row: dict) -> dict:
        return {
            "inputs": tf.strings.join(
                ["paws sentence1: ", row["sentence1"], " sentence2: ", row["sentence2"]]
            ),
            "targets": tf.gather(tf.constant(PAWSX_LABELS), row["label"]),
        }

    return _map(dataset, convert)


def entities(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with tokens and spans ('PER: rick'), as in TFDS's wikiann.

    A sentence without entities has the one span 'None' there, which becomes the target.
    """

    def convert(row: dict) -> dict:
        return {
            "inputs": tf.strings.join(
                ["tag: ", tf.strings.reduce_join(row["tokens"], separator=" ")]
            ),
            "targets": tf.strings.reduce_join(row["spans"], separator=" $$ "),
        }

    return _map(dataset, convert)


def question_answering(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows in SQuAD's form; keeps id, question, context and all answers for the scoring."""

    def convert(row: dict) -> dict:
        question = _space_punctuation(row["question"])
        context = _space_punctuation(row["context"])
        answers = _space_punctuation(row["answers"]["text"])
        joined = tf.strings.join(["question:", question, "context:", context], separator=" ")
        return {
            "inputs": _single_spaces(joined),
            "targets": answers[0],
            "id": row["id"],
            "question": question,
            "context": context,
            "answers": answers,
        }

    return _map(dataset, convert)


def ids_that_begin_with(dataset: tf.data.Dataset, prefix: str) -> tf.data.Dataset:
    """Keeps the rows whose id begins so: TyDiQA's ids begin with the language's English name."""
    return dataset.filter(lambda row: tf.strings.regex_full_match(row["id"], prefix + "-.*"))


def _space_punctuation(text: tf.Tensor) -> tf.Tensor:
    return _single_spaces(tf.strings.regex_replace(text, r"([^_\s\p{N}\p{L}\p{M}])", r" \1 "))


def _single_spaces(text: tf.Tensor) -> tf.Tensor:
    return tf.strings.regex_replace(text, r"\s+", " ")
