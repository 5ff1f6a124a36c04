"""Zarr 2 arrays of T5X's checkpoints, read and written through TensorStore."""

import collections
import contextlib
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorstore as ts

from mt5x.checkpoints import storage
from mt5x.checkpoints.tensors import (
    DamagedCheckpoint,
    Part,
    TensorInfo,
    numpy_dtype,
    other_than_said,
)
from mt5x.errors import UserError

_CHUNK_BYTES = 64 * 2**20
_CHUNKS_AT_ONCE = 2
# Of parts that were asked for and not yet handed on; one tensor may be larger.
_READ_AHEAD_BYTES = 2**30


def read(kvstore: Mapping[str, Any], location: str, path: str) -> np.ndarray:
    """Returns the array in the folder that `kvstore` describes.

    Args:
      kvstore: TensorStore's description of the folder.
      location: the checkpoint, for messages.
      path: the tensor's, for messages.

    Raises:
      UserError: the array or one of its chunks is missing or cut off, or the store does not answer.
    """
    with _explaining(location, path):
        return np.asarray(_open(kvstore).result().read().result())


def read_parts(
    kvstores: Mapping[str, Mapping[str, Any]],
    infos: Mapping[str, TensorInfo],
    wanted: Mapping[str, Sequence[Part]],
    location: str,
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Yields parts of many arrays, read ahead of what is taken; `Source.read_parts` says more.

    Args:
      kvstores: TensorStore's description of each array's folder.
      infos: what the index says of each array.
      wanted: which parts of which arrays.
      location: the checkpoint, for messages.

    Raises:
      UserError: as `read`, or an array is not what the index says.
    """
    opening = {path: _open(kvstores[path]) for path in wanted}
    reading: collections.deque[tuple[str, int, list[Any]]] = collections.deque()
    ahead = 0
    for path, parts in wanted.items():
        with _explaining(location, path):
            array = opening.pop(path).result()
            found = TensorInfo(tuple(array.shape), array.dtype.name)
            if found != infos[path]:
                raise other_than_said(location, path, found, infos[path])
            views = [array[part] for part in parts]
            reads = [view.read() for view in views]
        size = sum(view.size for view in views) * numpy_dtype(found.dtype).itemsize
        reading.append((path, size, reads))
        ahead += size
        while ahead > _READ_AHEAD_BYTES:
            ahead -= reading[0][1]
            yield _arrived(*reading.popleft(), location)
    while reading:
        yield _arrived(*reading.popleft(), location)


def _arrived(path: str, size: int, reads: list[Any], location: str) -> tuple[str, list[np.ndarray]]:
    with _explaining(location, path):
        return path, [np.asarray(read.result()) for read in reads]


def _open(kvstore: Mapping[str, Any]) -> Any:
    # T5X and Orbax store every chunk, so one that is missing was lost: it must not read as zeros.
    spec = {"driver": "zarr", "kvstore": dict(kvstore), "fill_missing_data_reads": False}
    return ts.open(spec, context=storage.context(), read=True)


@contextlib.contextmanager
def _explaining(location: str, path: str) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # TensorStore raises ValueError, RuntimeError and others
        if re.search(r"resolve host|Couldn't connect|UNAVAILABLE|PERMISSION_DENIED", str(error)):
            raise storage.unreachable(location, error) from error
        raise damaged(location, path, error) from error


def write(
    kvstore: Mapping[str, Any],
    array: np.ndarray,
    compressor: str,
    context: ts.Context,
    transaction: ts.Transaction | None = None,
) -> dict[str, Any]:
    """Writes an array in chunks of at most 64 MiB, and returns its metadata as T5X notes it.

    Args:
      kvstore: TensorStore's description of its folder.
      array: what to write.
      compressor: 'gzip' or 'zstd'.
      context: TensorStore's.
      transaction: what the array becomes visible with; None writes it at once.
    """
    info = TensorInfo(tuple(array.shape), array.dtype.name)
    chunks = chunk_shape(info)
    metadata = {
        "chunks": chunks,
        "compressor": {"id": compressor, "level": 1},
        "shape": list(array.shape),
    }
    spec = {
        "driver": "zarr",
        "dtype": array.dtype.name,
        "kvstore": dict(kvstore),
        "metadata": metadata,
        "store_data_equal_to_fill_value": True,
    }
    store = ts.open(spec, context=context, create=True, transaction=transaction).result()
    # A chunk at a time, so that few are copied at once; each is written while the next is packed.
    pending: list[ts.WriteFutures] = []
    for chunk in _grid(array.shape, chunks):
        pending.append(store[chunk].write(array[chunk]))
        if len(pending) == _CHUNKS_AT_ONCE:
            pending.pop(0).result()
    for written in pending:
        written.result()
    return metadata


def _grid(shape: Sequence[int], chunks: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """The places of chunks, which divide the shape evenly."""
    starts = [range(0, size, chunk) for size, chunk in zip(shape, chunks, strict=True)]
    for corner in itertools.product(*starts):
        yield tuple(slice(i, i + size) for i, size in zip(corner, chunks, strict=True))


def chunk_shape(info: TensorInfo) -> list[int]:
    """The shape of chunks that divide a tensor evenly and hold at most 64 MiB.

    The longest dimension is halved, or divided by its next divisor, until they do.
    """
    shape = list(info.shape)
    size = max(1, info.nbytes // max(1, math.prod(info.shape)))
    while math.prod(shape) * size > _CHUNK_BYTES and max(shape) > 1:
        longest = shape.index(max(shape))
        length = shape[longest]
        shape[longest] = next(d for d in range(length // 2, 0, -1) if length % d == 0)
    return shape


def damaged(location: str, path: str, error: Exception) -> DamagedCheckpoint:
    """One sentence for data that is missing or cut off."""
    reason = re.sub(r"\s+", " ", str(error)).partition(" [")[0]
    return DamagedCheckpoint(location, f"{path} cannot be read ({reason})")
