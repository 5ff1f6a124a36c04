"""Zarr 2 arrays of T5X's checkpoints, read and written whole through TensorStore."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorstore as ts

from mt5x.checkpoints import storage
from mt5x.checkpoints.tensors import TensorInfo
from mt5x.errors import UserError

_CHUNK_BYTES = 64 * 2**20
_CHUNKS_AT_ONCE = 2


def read(kvstore: Mapping[str, Any], location: str, path: str) -> np.ndarray:
    """Returns the array in the folder that `kvstore` describes.

    Args:
      kvstore: TensorStore's description of the folder.
      location: the checkpoint, for messages.
      path: the tensor's, for messages.

    Raises:
      UserError: the array or one of its chunks is missing or cut off, or the store does not answer.
    """
    # T5X and Orbax store every chunk, so one that is missing was lost: it must not read as zeros.
    spec = {"driver": "zarr", "kvstore": dict(kvstore), "fill_missing_data_reads": False}
    try:
        array = ts.open(spec, context=storage.context(), read=True).result().read().result()
    except Exception as error:  # TensorStore raises ValueError, RuntimeError and others
        if re.search(r"resolve host|Couldn't connect|UNAVAILABLE|PERMISSION_DENIED", str(error)):
            raise storage.unreachable(location, error) from error
        raise damaged(location, path, error) from error
    return np.asarray(array)


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


def damaged(location: str, path: str, error: Exception) -> UserError:
    """One sentence for data that is missing or cut off."""
    reason = re.sub(r"\s+", " ", str(error)).partition(" [")[0]
    return UserError(
        f"checkpoint {location} is damaged: {path} cannot be read ({reason}); "
        "copy or download the checkpoint again"
    )
