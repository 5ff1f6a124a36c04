"""The safetensors format: eight bytes of length, a JSON header, and the tensors as they are.

Its specification is that of the huggingface/safetensors repository, format version 1. Written here
rather than taken from the package, whose NumPy interface knows no bfloat16 and copies a tensor
more than once.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mt5x.checkpoints.tensors import TensorInfo, numpy_dtype
from mt5x.errors import UserError

_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
_NAMES = {name: code for code, name in _DTYPES.items()}
# The specification's limit; a length beyond it is that of another kind of file.
_MAX_HEADER_BYTES = 100_000_000
_BLOCK_BYTES = 16 * 2**20


class SafetensorsFile:
    """A file to read from.

    Attributes:
      tensors: what is in it, by name.

    Raises:
      UserError: the file is cut off, or is no safetensors file.
    """

    def __init__(self, path: Path):
        self._path = path
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            header, self._start = self._read_header(file, size)
        self._offsets: dict[str, tuple[int, int]] = {}
        self.tensors: dict[str, TensorInfo] = {}
        try:
            for name, entry in header.items():
                if name == "__metadata__":
                    continue
                info = TensorInfo(tuple(map(int, entry["shape"])), _DTYPES[entry["dtype"]])
                begin, end = entry["data_offsets"]
                if begin < 0 or end - begin != info.nbytes or min(info.shape, default=0) < 0:
                    raise ValueError(f"{name} has offsets {begin} to {end}")
                self.tensors[name], self._offsets[name] = info, (begin, end)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._damaged(f"its header is not as the format says ({error})") from error
        needed = self._start + max((end for _, end in self._offsets.values()), default=0)
        if size < needed:
            raise self._damaged(f"it is cut off, {size} bytes of {needed}")

    def read(self, name: str) -> np.ndarray:
        """Returns one tensor, in memory of its own."""
        info = self.tensors[name]
        array = np.empty(info.shape, numpy_dtype(info.dtype))
        with self._path.open("rb") as file:
            file.seek(self._start + self._offsets[name][0])
            if file.readinto(as_bytes(array)) != info.nbytes:
                raise self._damaged(f"it ends in the middle of {name}")
        return array

    def _read_header(self, file: BinaryIO, size: int) -> tuple[dict[str, Any], int]:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, _MAX_HEADER_BYTES):
            raise self._damaged("it is cut off or no safetensors file at all")
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise self._damaged("its header is not JSON") from error
        if not isinstance(header, dict):
            raise self._damaged("its header is not a JSON object")
        return header, 8 + length

    def _damaged(self, what: str) -> UserError:
        return UserError(f"{self._path} is damaged: {what}; copy or download it again")


class SafetensorsWriter:
    """A file to write to, tensor by tensor, in any order.

    Args:
      path: a file that does not exist yet.
      tensors: what it will hold, in this order.
    """

    def __init__(self, path: Path, tensors: Mapping[str, TensorInfo]):
        self._path, self._tensors = path, dict(tensors)
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        self._offsets, end = {}, 0
        for name, info in tensors.items():
            self._offsets[name], end = end, end + info.nbytes
            header[name] = {
                "dtype": _NAMES[info.dtype],
                "shape": list(info.shape),
                "data_offsets": [self._offsets[name], end],
            }
        encoded = json.dumps(header, separators=(",", ":")).encode()
        encoded += b" " * (-len(encoded) % 8)  # so that the tensors are aligned
        self._start = 8 + len(encoded)
        with path.open("xb") as file:
            file.write(len(encoded).to_bytes(8, "little") + encoded)
            file.truncate(self._start + end)

    def write(self, name: str, array: np.ndarray) -> None:
        """Writes one tensor, which may be a transposed view; a piece at a time is copied."""
        with self._path.open("r+b") as file:
            file.seek(self._start + self._offsets[name])
            for block in row_blocks(array):
                file.write(as_bytes(block))

    def close(self) -> None:
        """Makes sure that the file is on the disk."""
        with self._path.open("r+b") as file:
            os.fsync(file.fileno())


def row_blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yields an array, of any strides, as contiguous pieces of some rows each, a few MB long."""
    if array.ndim == 0 or array.flags.c_contiguous:
        yield np.ascontiguousarray(array)
        return
    rows = max(1, _BLOCK_BYTES * len(array) // max(array.nbytes, 1))
    for start in range(0, len(array), rows):
        yield np.ascontiguousarray(array[start : start + rows])


def as_bytes(array: np.ndarray) -> memoryview:
    """The memory of a contiguous array; without a copy."""
    # bfloat16 has no buffer interface of its own.
    return memoryview(array.reshape(-1).view(np.uint8).data)
