"""A SeqIO source of n training examples of another task, the same ones on every machine."""

from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import seqio
import tensorflow as tf
import tqdm

from tasks.by_name import text_stage
from tasks.by_name.selection import Row, Selection, Strings, rank
from tasks.by_name.text_stage import TRAIN
from tasks.errors import DataError

_ROWS_AT_ONCE = 1024
# What a row says, and so what its rank follows.
_SAID = ("inputs", "targets")


class SubsetSource(seqio.DataSource):
    """`size` rows of the train split of a task, as texts; its other splits whole.

    All rows are read when the train split first is, once a process, and only those chosen are
    kept. A host gets every `num_shards`-th of them. Where there are more hosts than rows each
    gets them all, since one without rows would have no batches: every row then counts as much as
    every other.

    Args:
      task: any SeqIO task with a train split that uses `seqio.preprocessors.tokenize`.
      size: how many rows.
      seed: which rows; smaller subsets of one seed lie inside larger ones.
      balanced: whether each target (label) has its share of the whole.
    """

    def __init__(self, task: seqio.Task, size: int, seed: int, balanced: bool):
        text_stage.preprocessors(task)
        super().__init__(splits=task.splits)
        self._task = task
        # By this name the listing of tasks finds where rows come from.
        self._whole = task.source
        self._size, self._seed, self._balanced = size, seed, balanced
        self._read: tuple[Hashable, tf.Tensor] | None = None

    @property
    def supports_arbitrary_sharding(self) -> bool:
        """Rows are shared out one by one."""
        return True

    def list_shards(self, split: str) -> Sequence[str]:
        """Returns one name for the rows chosen; of other splits the task's own."""
        return [f"{split}:{self._size}"] if split == TRAIN else self._whole.list_shards(split)

    def num_input_examples(self, split: str) -> int | None:
        """Returns the size of the subset; of other splits what the task says."""
        return self._size if split == TRAIN else self._task.num_input_examples(split)

    def available_splits(self) -> tuple[str, ...]:
        """Returns the splits that lie on disk now."""
        return text_stage.stored_splits(self._whole)

    def get_dataset(
        self,
        split: str = TRAIN,
        shuffle: bool = True,
        seed: int | None = None,
        shard_info: seqio.ShardInfo | None = None,
        **unused: Any,
    ) -> tf.data.Dataset:
        """Returns the rows of a split, or a share of them.

        Raises:
          DataError: the task has fewer training examples than are asked for.
        """
        if split != TRAIN:
            return text_stage.read(self._task, split, shuffle, seed, shard_info)
        rows, spec = self._rows()
        dataset = tf.data.Dataset.from_tensor_slices(rows)
        if shard_info and shard_info.num_shards > 1:
            if self._size >= shard_info.num_shards:
                dataset = dataset.shard(shard_info.num_shards, shard_info.index)
            elif seed is not None:
                # Every host has all rows: they are not to be read in step.
                seed += shard_info.index
        if shuffle:
            dataset = dataset.shuffle(self._size, seed=seed)
        return dataset.map(lambda row: _unpack(row, spec), num_parallel_calls=tf.data.AUTOTUNE)

    def __repr__(self) -> str:
        return f"SubsetSource({self._task.name!r}, {self._size}, seed={self._seed})"

    __str__ = __repr__

    def _rows(self) -> tuple[tf.Tensor, Any]:
        """Returns the chosen rows in the order of their ranks, string [size, tensors of a row].

        The second value is the spec of a row.
        """
        dataset = text_stage.read(self._task, TRAIN)
        key = text_stage.state(self._task, TRAIN)
        if self._read is None or self._read[0] != key:
            selection = self._select(dataset)
            if selection.seen < self._size:
                offer = f"; did you mean {self._task.name}:n{selection.seen}?"
                raise DataError(
                    f"expected {self._size} training examples, but '{self._task.name}' has "
                    f"{selection.seen or 'none'}{offer if selection.seen else ''}"
                )
            self._read = (key, tf.constant(selection.rows(), tf.string))
        return self._read[1], dataset.element_spec

    def _select(self, dataset: tf.data.Dataset) -> Selection:
        selection = Selection(self._size)
        for said, stored in _rows_packed(dataset, self._task.name):
            row = Row(rank(said, stored, self._seed), stored)
            # The targets are the last of what is said.
            selection.add(row, said[-1] if self._balanced else None)
        return selection


def _rows_packed(dataset: tf.data.Dataset, name: str) -> Iterator[tuple[Strings, Strings]]:
    """Yields what each row says, and all of the row: the tensors that it consists of as strings."""
    spec = dataset.element_spec
    names = [
        key for key in sorted(spec) for _ in tf.nest.flatten(spec[key], expand_composites=True)
    ]
    said_at = [index for index, key in enumerate(names) if key in _SAID] or range(len(names))
    if not all(map(_is_text, tf.nest.flatten(spec, expand_composites=True))):
        dataset = dataset.map(_strings, tf.data.AUTOTUNE, deterministic=False)
    batches = dataset.batch(_ROWS_AT_ONCE).prefetch(2)
    # Shown on a terminal only.
    with tqdm.tqdm(desc=f"choosing from {name}", unit=" rows", disable=None) as progress:
        for batch in batches.as_numpy_iterator():
            columns = [column.tolist() for column in tf.nest.flatten(batch)]
            for stored in zip(*columns, strict=True):
                yield tuple(stored[index] for index in said_at), stored
            progress.update(len(columns[0]))


def _strings(row: dict) -> tuple[tf.Tensor, ...]:
    """Returns the tensors that a row consists of, each as a scalar string."""
    parts = tf.nest.flatten(row, expand_composites=True)
    return tuple(part if _is_text(part) else tf.io.serialize_tensor(part) for part in parts)


def _unpack(stored: tf.Tensor, spec: Any) -> Any:
    """Returns the row whose tensors are the strings `stored`."""
    parts = []
    for index, part in enumerate(tf.nest.flatten(spec, expand_composites=True)):
        value = stored[index] if _is_text(part) else tf.io.parse_tensor(stored[index], part.dtype)
        parts.append(tf.ensure_shape(value, part.shape))
    return tf.nest.pack_sequence_as(spec, parts, expand_composites=True)


def _is_text(part: Any) -> bool:
    """Whether a tensor, or the spec of one, is a single string."""
    return part.dtype == tf.string and part.shape.rank == 0
