"""Tasks over the lines of a text file, of several kinds, for the cache of examples.

They import neither the engine nor gin: what a preprocessor's module rests on is hashed with it.
"""

import functools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import seqio
import tensorflow as tf

PLACEHOLDER = seqio.CacheDatasetPlaceholder()
BYTES = seqio.ByteVocabulary()


def line(row: tf.Tensor, prefix: str = "is ") -> dict[str, tf.Tensor]:
    return {"inputs": prefix + row, "targets": tf.strings.substr(row, 0, 3)}


def lines(dataset: tf.data.Dataset, prefix: str = "is ") -> tf.data.Dataset:
    return dataset.map(functools.partial(line, prefix=prefix))


def adding(**features: Callable[[tf.Tensor], tf.Tensor]) -> Callable:
    """A preprocessor that adds features made of the inputs; a closure over functions."""

    def add(dataset: tf.data.Dataset) -> tf.data.Dataset:
        return dataset.map(
            lambda row: {**row, **{name: make(row["inputs"]) for name, make in features.items()}}
        )

    return add


def letters(text: tf.Tensor) -> tf.Tensor:
    return tf.strings.unicode_split(text, "UTF-8")


OF_EVERY_TYPE = adding(
    length=tf.strings.length,
    longer=lambda text: tf.cast(tf.strings.length(text), tf.int64) * 2**40,
    even=lambda text: tf.strings.length(text) % 2 == 0,
    third=lambda text: tf.cast(tf.strings.length(text), tf.float32) / 3,
    letters=letters,
    zero=lambda text: tf.strings.join([text, b"\0"]),
    infinite=lambda text: tf.constant([float("nan"), float("inf"), -0.0]),
    pairs=lambda text: tf.reshape(tf.range(2 * tf.strings.length(text)), [-1, 2]),
    none=lambda text: tf.zeros([0], tf.int32),
    thirds=lambda text: tf.fill([tf.strings.length(text)], 1 / 3),
)
DOUBLE = adding(length=lambda text: tf.cast(tf.strings.length(text), tf.float64))
RAGGED = adding(ragged=lambda text: tf.strings.unicode_split(tf.strings.split(text), "UTF-8"))


@seqio.map_over_dataset(num_seeds=1)
def drawn(row: dict, seed: tf.Tensor) -> dict:
    return {**row, "drawn": tf.random.stateless_uniform([2], seed)}


@seqio.map_over_dataset
def in_python(row: dict) -> dict:
    text = tf.numpy_function(lambda text: text.upper(), [row["inputs"]], tf.string)
    text.set_shape(())
    return {**row, "inputs": text}


@seqio.map_over_dataset
def unforeseeable(row: dict) -> dict:
    number = tf.numpy_function(lambda: np.random.default_rng().integers(2**60), [], tf.int64)
    number.set_shape(())
    return {**row, "number": number}


@seqio.map_over_dataset
def slow(row: dict) -> dict:
    def wait(text: bytes) -> bytes:
        time.sleep(float(os.environ.get("LINES_SECONDS", "0")))
        return text

    text = tf.numpy_function(wait, [row["inputs"]], tf.string)
    text.set_shape(())
    return {**row, "inputs": text}


def task(
    file: Path,
    before: Sequence[Callable] = (),
    after: Sequence[Callable] = (),
    vocabulary: seqio.Vocabulary = BYTES,
    name: str = "lines_eval.aa",
    split: str = "validation",
    placeholder: Sequence[Callable] = (PLACEHOLDER,),
    prefix: str = "is ",
) -> seqio.Task:
    """A task of a file's lines with preprocessors before and after SeqIO's placeholder."""
    return seqio.Task(
        name,
        source=seqio.TextLineDataSource({split: str(file)}),
        preprocessors=[
            functools.partial(lines, prefix=prefix),
            *before,
            seqio.preprocessors.tokenize,
            *placeholder,
            *after,
            seqio.preprocessors.append_eos_after_trim,
        ],
        output_features={
            "inputs": seqio.Feature(vocabulary),
            "targets": seqio.Feature(vocabulary),
        },
        metric_fns=[],
    )


def write(file: Path, count: int = 40) -> Path:
    file.write_text("".join(f"{number:03} čtvrt\n" for number in range(count)), encoding="utf-8")
    return file
