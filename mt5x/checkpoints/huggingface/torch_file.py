"""PyTorch's `.bin` files, read without running what is inside them.

A file written by torch.save (1.6 and later) is a zip archive: a pickle that says how tensors lie in
storages, and one uncompressed entry for each storage. A pickle is a program, and a hostile one runs
any command. The unpickler here knows the few names that a state dictionary is made of, replaces
each by a record of ours, and refuses every other name before anything is called.
"""

import dataclasses
import math
import pickle
import zipfile
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from mt5x.checkpoints.huggingface.safetensors_file import as_bytes
from mt5x.checkpoints.tensors import TensorInfo, numpy_dtype
from mt5x.errors import UserError

_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
    "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool",
}  # fmt: skip
_BLOCK_BYTES = 16 * 2**20


class _Inert:
    """Stands for a name in the pickle; whatever a pickle tries to set on it is refused."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> NoReturn:
        raise pickle.UnpicklingError("a name cannot be given a state")


@dataclasses.dataclass(frozen=True)
class _Tensor(_Inert):
    """How a tensor lies in its storage; offset and strides in elements."""

    storage: str
    length: int
    offset: int
    strides: tuple[int, ...]
    info: TensorInfo


class TorchFile:
    """A file to read from.

    Attributes:
      tensors: what is in it, by name.

    Raises:
      UserError: the file is cut off, older than torch 1.6, or holds what no state dictionary does.
    """

    def __init__(self, path: Path):
        self._path = path
        with self._archive() as archive:
            self._entries = {entry.filename: entry for entry in archive.infolist()}
            pickles = [name for name in self._entries if name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise self._damaged("it holds no state dictionary of torch.save")
            self._folder = pickles[0].removesuffix("/data.pkl")
            if self._bytes(archive, "byteorder") not in (None, b"little"):
                raise self._damaged("its numbers are big-endian")
            self._records = self._state_dictionary(archive, pickles[0])
        self.tensors = {name: record.info for name, record in self._records.items()}
        for name, record in self._records.items():
            self._require_storage(name, record)

    def same_data(self, name: str, other: str) -> bool:
        """Whether two names are one tensor: how torch stores parameters that are tied."""
        return self._records[name] == self._records[other]

    def read(self, name: str) -> np.ndarray:
        """Returns one tensor, in memory of its own.

        Raises:
          UserError: its storage is damaged.
        """
        record = self._records[name]
        dtype = numpy_dtype(record.info.dtype)
        storage = np.empty(record.length, dtype)
        target, done = as_bytes(storage), 0
        with self._archive() as archive:
            try:
                with archive.open(self._entry(record.storage)) as file:
                    # To its end, so that the archive's checksum is compared.
                    while block := file.read(_BLOCK_BYTES):
                        target[done : done + len(block)] = block
                        done += len(block)
            except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
                raise self._damaged(f"{name} cannot be read ({error})") from error
        if done != storage.nbytes:
            raise self._damaged(f"it ends in the middle of {name}")
        strides = tuple(stride * dtype.itemsize for stride in record.strides)
        whole = storage[record.offset :]
        return np.lib.stride_tricks.as_strided(whole, record.info.shape, strides, writeable=False)

    def _archive(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._path)
        except zipfile.BadZipFile as error:
            raise UserError(
                f"{self._path} is cut off, or was not written by torch 1.6 or later: copy or "
                "download it again, or save it as safetensors"
            ) from error

    def _state_dictionary(self, archive: zipfile.ZipFile, name: str) -> dict[str, _Tensor]:
        try:
            with archive.open(name) as file:
                found = _Unpickler(file, self._path).load()
        except UserError:
            raise
        except Exception as error:  # a damaged pickle may raise anything
            raise self._damaged(f"its pickle cannot be read ({error})") from error
        if not isinstance(found, dict):
            raise self._damaged(f"it holds a {type(found).__name__}, not a state dictionary")
        for key, value in found.items():
            if not isinstance(key, str) or not isinstance(value, _Tensor):
                raise self._damaged(f"{key!r} in it is no tensor")
        return dict(found)

    def _require_storage(self, name: str, record: _Tensor) -> None:
        """Refuses what would be read from outside of the storage."""
        shape, strides = record.info.shape, record.strides
        last = record.offset
        if 0 not in shape:
            last += sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True)) + 1
        if min(record.offset, record.length, *shape, *strides) < 0 or last > record.length:
            raise self._damaged(f"{name} does not lie inside its storage")
        entry = self._entries.get(self._entry(record.storage))
        size = record.length * numpy_dtype(record.info.dtype).itemsize
        if entry is None or entry.compress_type != zipfile.ZIP_STORED or entry.file_size != size:
            found = "is missing" if entry is None else f"has {entry.file_size} bytes, not {size}"
            raise self._damaged(f"the storage of {name} {found}")

    def _entry(self, storage: str) -> str:
        return f"{self._folder}/data/{storage}"

    def _bytes(self, archive: zipfile.ZipFile, name: str) -> bytes | None:
        path = f"{self._folder}/{name}"
        return archive.read(path) if path in self._entries else None

    def _damaged(self, what: str) -> UserError:
        return UserError(f"{self._path} is damaged: {what}; copy or download it again")


class _RebuildTensor(_Inert):
    """torch._utils._rebuild_tensor_v2."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _Tensor:
        if not isinstance(storage, _Storage):
            raise pickle.UnpicklingError("a tensor without a storage")
        shape, strides = tuple(map(int, size)), tuple(map(int, stride))
        info = TensorInfo(shape, storage.dtype)
        if len(shape) != len(strides) or math.prod(shape) > storage.length:
            raise pickle.UnpicklingError("a tensor larger than its storage")
        return _Tensor(storage.key, storage.length, int(offset), strides, info)


class _RebuildParameter(_Inert):
    """torch._utils._rebuild_parameter: the tensor itself."""

    __slots__ = ()

    def __call__(self, data: Any, *_: Any) -> Any:
        return data


class _StateDict(dict):
    """collections.OrderedDict, less the attributes that torch sets on it (`_metadata`)."""

    def __setstate__(self, state: Any) -> None:
        del state


class _OrderedDict(_Inert):
    """The name collections.OrderedDict; a call makes an empty or filled dictionary."""

    __slots__ = ()

    def __call__(self, *items: Any) -> _StateDict:
        return _StateDict(*items)


@dataclasses.dataclass(frozen=True)
class _StorageType(_Inert):
    """A class such as torch.FloatStorage."""

    dtype: str


@dataclasses.dataclass(frozen=True)
class _Storage(_Inert):
    """A storage of the archive: its key and its length in elements."""

    key: str
    dtype: str
    length: int


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _OrderedDict(),
    ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
    ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
    **{("torch", name): _StorageType(dtype) for name, dtype in _STORAGES.items()},
}


class _Unpickler(pickle.Unpickler):
    """Builds records; its only callables are those of `_KNOWN`."""

    def __init__(self, file: Any, path: Path):
        super().__init__(file)
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the pickle stands for.

        Raises:
          UserError: it is none that a state dictionary needs.
        """
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise UserError(
                f"{self._path} is refused: its pickle wants {module}.{name}, which no state "
                "dictionary of tensors needs and which could run any command; use the safetensors "
                "file of the same model"
            ) from None

    def persistent_load(self, identifier: Any) -> _Storage:
        """A reference to a storage: ('storage', type, key, device, length)."""
        kind, storage, key, _, length = identifier
        if kind != "storage" or not isinstance(storage, _StorageType) or not str(key).isalnum():
            raise pickle.UnpicklingError(f"{kind!r} is no storage")
        return _Storage(str(key), storage.dtype, int(length))
