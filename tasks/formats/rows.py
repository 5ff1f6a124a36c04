"""What the formats have in common: one text from each row."""

import functools
from collections.abc import Callable

import tensorflow as tf

Preprocessor = Callable[[tf.data.Dataset], tf.data.Dataset]

# tf.data.Dataset.map on as many threads as there are; the order of the rows stays.
each = functools.partial(tf.data.Dataset.map, num_parallel_calls=tf.data.AUTOTUNE)


def labelled(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Leaves out the rows without a label, which TFDS stores as the index -1."""
    return dataset.filter(lambda row: row["label"] >= 0)


def fields(begin: str, *named: tuple[str, tf.Tensor]) -> tf.Tensor:
    """Joins a task's prefix and the named texts: `{begin} {name}: {text} {name}: {text}`."""
    parts = [begin]
    for name, text in named:
        parts += [f" {name}: ", text]
    return tf.strings.join(parts)


def name_of(label: tf.Tensor, names: tuple[str, ...]) -> tf.Tensor:
    """Returns the name, or names, at an index of a closed list."""
    return tf.gather(tf.constant(names), label)
