"""What every checkpoint format is read and written through: named tensors, one at a time.

A tensor's path is that of T5X's tree. A parameter stands under its own name,
`encoder/layers_0/attention/query/kernel`; an optimizer slot under the parameter's with `OPTIMIZER`
before it, `state/param_states/encoder/layers_0/attention/query/kernel/v_row`. The step is no tensor
but a number of the checkpoint. Nothing here holds more than one tensor, so a model larger than the
memory passes through.
"""

import abc
import contextlib
import dataclasses
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import ml_dtypes
import numpy as np

from mt5x.errors import UserError, nearest

OPTIMIZER = "state/"

Part = tuple[slice, ...]
"""Where a part of a tensor lies: a slice for every dimension."""


class DamagedCheckpoint(UserError):
    """A checkpoint whose data is missing, cut off or not what its index says.

    Attributes:
      finding: what was found, without advice.
    """

    def __init__(self, location: str, finding: str):
        self.finding = finding
        super().__init__(
            f"checkpoint {location} is damaged: {finding}; copy or download the checkpoint again"
        )


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """What is known of a tensor before it is read.

    Attributes:
      shape: its dimensions.
      dtype: NumPy's name of its type, 'bfloat16' included.
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def nbytes(self) -> int:
        """Size in memory, in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * numpy_dtype(self.dtype).itemsize


class Source(abc.ABC):
    """A checkpoint to read.

    Attributes:
      format: its format's name, as `formats.detect` gives it.
      location: where it is, for messages.
      step: steps done; None where the format does not say.
      tensors: every tensor by its path, parameters and, where there are any, optimizer slots.
    """

    format: str
    location: str
    step: int | None
    tensors: Mapping[str, TensorInfo]

    def read(self, path: str) -> np.ndarray:
        """Returns one tensor, of the shape and dtype that `tensors` says.

        Raises:
          UserError: there is no such tensor, or its data is missing, damaged or of another shape.
        """
        expected = self.tensors.get(path)
        if expected is None:
            raise UserError(
                f"checkpoint {self.location} has no tensor {path}{nearest(path, self.tensors)}"
            )
        array = self._read(path)
        found = info_of(array)
        if found != expected:
            raise other_than_said(self.location, path, found, expected)
        return array

    def read_parts(
        self, wanted: Mapping[str, Sequence[Part]]
    ) -> Iterator[tuple[str, list[np.ndarray]]]:
        """Yields parts of many tensors, each tensor's together, in any order.

        A format that can reads no more than the parts, and several tensors at once.

        Raises:
          UserError: as `read`.
        """
        for path, parts in wanted.items():
            whole = self.read(path)
            yield path, [whole[part] for part in parts]

    @abc.abstractmethod
    def _read(self, path: str) -> np.ndarray:
        """Reads one tensor of `tensors`."""

    @property
    def parameters(self) -> dict[str, TensorInfo]:
        """The tensors that are no optimizer slots."""
        return {path: info for path, info in self.tensors.items() if not is_slot(path)}

    @property
    def slots(self) -> dict[str, TensorInfo]:
        """The tensors that are optimizer slots."""
        return {path: info for path, info in self.tensors.items() if is_slot(path)}


class Sink(abc.ABC):
    """A checkpoint to write: whole or not at all.

    Everything is written to a folder beside `destination`, which appears only in `finish`. Use it
    through `writing`, which calls these methods in order and removes what an error leaves.

    Args:
      destination: a folder that does not exist yet.
    """

    format: str

    def __init__(self, destination: str | Path):
        self.destination = Path(destination).absolute()
        self.partial = self.destination.with_name(f".{self.destination.name}.partial")
        self._expected: dict[str, TensorInfo] = {}
        self._written: set[str] = set()

    def begin(self, tensors: Mapping[str, TensorInfo], step: int | None) -> None:
        """Says what is to come, before any tensor.

        Raises:
          UserError: the destination exists, or the format cannot hold these tensors.
        """
        if self.destination.exists():
            raise UserError(f"{self.destination} exists already; choose another place or delete it")
        self._expected, self._written = dict(tensors), set()
        shutil.rmtree(self.partial, ignore_errors=True)
        self.partial.mkdir(parents=True)
        self._begin(self._expected, step)

    def write(self, path: str, array: np.ndarray) -> None:
        """Writes one tensor, of the shape and dtype announced; the order is free."""
        if self._expected.get(path) != info_of(array) or path in self._written:
            raise ValueError(f"{path}: {info_of(array)} was not announced, or comes twice")
        self._write(path, array)
        self._written.add(path)

    def finish(self) -> Path:
        """Gives the checkpoint its name once all announced tensors are there."""
        missing = sorted(self._expected.keys() - self._written)
        if missing:
            raise ValueError(f"never written: {missing}")
        self._finish()
        self.partial.rename(self.destination)
        return self.destination

    def abandon(self) -> None:
        """Removes what was written."""
        shutil.rmtree(self.partial, ignore_errors=True)

    @abc.abstractmethod
    def _begin(self, tensors: Mapping[str, TensorInfo], step: int | None) -> None:
        """Prepares `self.partial`, which exists and is empty."""

    @abc.abstractmethod
    def _write(self, path: str, array: np.ndarray) -> None:
        """Writes one tensor into `self.partial`."""

    @abc.abstractmethod
    def _finish(self) -> None:
        """Writes whatever index the format has into `self.partial`."""


@contextlib.contextmanager
def writing(sink: Sink, tensors: Mapping[str, TensorInfo], step: int | None) -> Iterator[Sink]:
    """Writes a checkpoint inside a `with` block: finished at its end, removed on an error.

    Raises:
      UserError: the destination exists, or the disk is full or not writable.
    """
    try:
        sink.begin(tensors, step)
        yield sink
        sink.finish()
    except BaseException as error:
        sink.abandon()
        # TensorStore reports a full disk inside its own ValueError or RuntimeError.
        if re.search(r"No space left|RESOURCE_EXHAUSTED|Disk quota", str(error)):
            raise UserError(
                f"the disk of {sink.destination} is full, so nothing was written; free some space "
                "and run the same command again"
            ) from error
        if isinstance(error, OSError):
            raise UserError(f"cannot write {sink.destination}: {error}") from error
        raise


def other_than_said(
    location: str, path: str, found: TensorInfo, expected: TensorInfo
) -> DamagedCheckpoint:
    """The error for a tensor that is not what the checkpoint's index says."""
    return DamagedCheckpoint(
        location, f"{path} is {described(found)} where its index says {described(expected)}"
    )


def is_slot(path: str) -> bool:
    """Whether a path is an optimizer slot's."""
    return path.startswith(OPTIMIZER)


def numpy_dtype(name: str) -> np.dtype:
    """The NumPy type of a name, 'bfloat16' included."""
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def info_of(array: np.ndarray) -> TensorInfo:
    """Shape and dtype of an array."""
    return TensorInfo(tuple(array.shape), array.dtype.name)


def described(info: TensorInfo) -> str:
    """Words for a message: 'float32 [8, 4]'."""
    return f"{info.dtype} {list(info.shape)}"
