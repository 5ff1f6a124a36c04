"""Sentences whose translations are to be found among many: Tatoeba and BUCC.

    inputs   {the sentence as it is}
    targets  {the id of its partner; empty, where it has none}

A row is one sentence, not a pair: the model gives a vector for each, and which two belong together
is found by comparing all. Every row keeps `id` and `side`, 'source' (the language that is tested)
or 'target' (English).
"""

import tensorflow as tf

from tasks.formats.rows import each


def aligned_pairs(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with source_sentence and target_sentence, as in TFDS's tatoeba, to two rows each.

    The sentences are lines of files, with their ends; they are stripped. The ids are `source-{n}`
    and `target-{n}`, n TensorFlow's FarmHash of both texts, which does not change between versions
    and machines: the same on every host and in any order of the rows. The same pair twice therefore
    has the same ids twice, which the scoring refuses; two pairs that share a sentence have ids of
    their own.
    """

    def convert(row: dict) -> dict:
        source = tf.strings.strip(row["source_sentence"])
        target = tf.strings.strip(row["target_sentence"])
        pair = tf.strings.join([source, target], separator="\n")
        number = tf.strings.as_string(tf.strings.to_hash_bucket_fast(pair, 2**63 - 1))
        source_id = tf.strings.join(["source-", number])
        target_id = tf.strings.join(["target-", number])
        return _two_rows((source, source_id), (target, target_id))

    return each(dataset, convert).unbatch()


def gold_pairs(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows with two sentences and their ids, as in TFDS's bucc, to two rows each."""

    def convert(row: dict) -> dict:
        return _two_rows(
            (tf.strings.strip(row["source_sentence"]), row["source_id"]),
            (tf.strings.strip(row["target_sentence"]), row["target_id"]),
        )

    return each(dataset, convert).unbatch()


def sentences(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Rows that are one sentence with id, side and pair, as in bucc_mining."""

    def convert(row: dict) -> dict:
        return {
            "inputs": row["sentence"],
            "targets": row["pair"],
            "id": row["id"],
            "side": row["side"],
        }

    return each(dataset, convert)


def _two_rows(
    source: tuple[tf.Tensor, tf.Tensor], target: tuple[tf.Tensor, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """Returns a batch of two rows from (sentence, id) of each side."""
    return {
        "inputs": tf.stack([source[0], target[0]]),
        "targets": tf.stack([target[1], source[1]]),
        "id": tf.stack([source[1], target[1]]),
        "side": tf.constant(["source", "target"]),
    }
