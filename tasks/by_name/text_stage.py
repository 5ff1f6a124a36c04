"""The rows of any SeqIO task as texts: its source, and its preprocessors before the tokenizer."""

import os
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

import seqio
import tensorflow as tf

from tasks import data_dir, vocabulary
from tasks.errors import DataError

_TOKENIZERS = (seqio.preprocessors.tokenize, seqio.preprocessors.tokenize_and_append_eos)
TRAIN = "train"

# Number of rows of a task's train split, by task and state of its files.
_counted: dict[tuple[seqio.Task, Hashable], int] = {}


def preprocessors(task: seqio.Task) -> tuple[list[Callable], list[Callable]]:
    """Returns a task's preprocessors before its tokenizer, and the others.

    What loads the vocabulary goes with the others: texts can be read without one.

    Raises:
      DataError: the task does not tokenize with `seqio.preprocessors.tokenize`.
    """
    steps = list(task.preprocessors)
    at = [index for index, step in enumerate(steps) if _function(step) in _TOKENIZERS]
    if not at:
        raise DataError(
            f"the task '{task.name}' has no text to choose from or to change: expected "
            f"seqio.preprocessors.tokenize among its preprocessors"
        )
    before, after = steps[: at[0]], steps[at[0] :]
    loads = [step for step in before if step is vocabulary.ready]
    left_out = (*loads, *(s for s in before if isinstance(s, seqio.CacheDatasetPlaceholder)))
    return [step for step in before if step not in left_out], [*loads, *after]


def read(
    task: seqio.Task,
    split: str,
    shuffle: bool = False,
    seed: int | None = None,
    shard_info: seqio.ShardInfo | None = None,
) -> tf.data.Dataset:
    """Returns the texts of a split, whole or one share of it."""
    source = task.source
    if shard_info is None or shard_info.num_shards == 1:
        dataset = source.get_dataset(split=split, shuffle=shuffle, seed=seed)
    elif (
        source.supports_arbitrary_sharding
        or len(source.list_shards(split)) >= shard_info.num_shards
    ):
        dataset = source.get_dataset(split=split, shuffle=shuffle, seed=seed, shard_info=shard_info)
    else:
        dataset = source.get_dataset(split=split, shuffle=shuffle, seed=seed)
        dataset = dataset.shard(shard_info.num_shards, shard_info.index)
    # A step that draws at random, and has no seed of its own, draws the same each time.
    with seqio.map_seed_manager(0):
        for step in preprocessors(task)[0]:
            step = seqio.add_kwargs_to_transform(
                step, sequence_length=None, output_features=task.output_features
            )
            dataset = step(dataset)
    return dataset


def count(task: seqio.Task) -> int:
    """Returns how many training examples a task has, which its preprocessors may have chosen.

    Counts them once a process where no metadata tell: TyDiQA's train split holds all languages.
    """
    key = (task, state(task, TRAIN))
    if key not in _counted:
        dataset = read(task, TRAIN)
        cardinality = int(dataset.cardinality())
        if cardinality < 0:
            # The number alone: no row is brought to Python.
            cardinality = int(dataset.reduce(tf.constant(0, tf.int64), lambda n, row: n + 1))
        _counted[key] = cardinality
    return _counted[key]


def stored_splits(source: seqio.DataSource) -> tuple[str, ...]:
    """Returns the splits of a source that lie on disk now, so far as it can tell."""
    available = getattr(source, "available_splits", None)
    return tuple(source.splits if available is None else available())


def state(task: seqio.Task, split: str) -> Hashable:
    """Returns something that is another when a task's data is: folder, files, sizes and times."""
    shards = task.source.list_shards(split)
    return (data_dir.resolve(), tuple(map(_state_of_file, shards)))


def _state_of_file(shard: str | os.PathLike) -> Sequence[Any]:
    name = os.fspath(shard)
    # Shards need not be files, and asking a remote store about each of a thousand takes minutes.
    if "://" in name or not Path(name).is_file():
        return (name,)
    found = Path(name).stat()
    return (name, found.st_size, found.st_mtime_ns)


def _function(step: Callable) -> Callable:
    """Returns the function inside of a `functools.partial`."""
    while hasattr(step, "func"):
        step = step.func
    return step
