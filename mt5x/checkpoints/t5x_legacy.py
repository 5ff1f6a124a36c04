"""T5X's older format, the one of the public checkpoints: a msgpack index and zarr arrays.

    checkpoint_1000000/checkpoint                                    the index
    checkpoint_1000000/target.encoder.layers_0.mlp.wo.kernel/        a parameter
    checkpoint_1000000/state.param_states. ... .kernel.v/            an optimizer slot

The index is `{'version': 3, 'optimizer': {'target': tree, 'state': tree}}` as Flax serialises it.
A leaf is an array itself (the step, slots that T5X does not partition) or TensorStore's description
of its zarr array, in the place that the description names, relative to the folder.
"""

import functools
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import flax.serialization
import numpy as np
import tensorstore as ts

from mt5x.checkpoints import storage, zarr_arrays
from mt5x.checkpoints.tensors import OPTIMIZER, Part, Sink, Source, TensorInfo, info_of
from mt5x.errors import UserError

INDEX = "checkpoint"
_VERSION = 3
_TARGET = "target/"
_STEP = f"{OPTIMIZER}step"
_SLOTS = f"{OPTIMIZER}param_states/"
_COMPRESSOR = "gzip"


class LegacySource(Source):
    """Reads T5X's older format from a folder, local or gs://."""

    format = "t5x_legacy"

    def __init__(self, location: str):
        self.location = location
        self._inline: dict[str, np.ndarray] = {}
        self._folders: dict[str, str] = {}
        self.tensors, self.step = {}, None
        for name, leaf in _leaves(_read_index(location)):
            if name == _STEP:
                self.step = int(leaf)
                continue
            path = name.removeprefix(_TARGET)
            if not name.startswith((_TARGET, OPTIMIZER)) or leaf is None:
                continue  # such as batch statistics, which no network of ours has
            if isinstance(leaf, Mapping):
                self.tensors[path], self._folders[path] = _described(leaf, location, path)
            else:
                self._inline[path] = np.asarray(leaf)
                self.tensors[path] = info_of(self._inline[path])

    def _read(self, path: str) -> np.ndarray:
        if path in self._inline:
            return self._inline[path]
        return zarr_arrays.read(self._kvstore(path), self.location, path)

    def read_parts(
        self, wanted: Mapping[str, Sequence[Part]]
    ) -> Iterator[tuple[str, list[np.ndarray]]]:
        """Reads no more than the parts, and several tensors at once; the inline ones first."""
        yield from super().read_parts({p: wanted[p] for p in wanted if p in self._inline})
        stored = {path: parts for path, parts in wanted.items() if path not in self._inline}
        kvstores = {path: self._kvstore(path) for path in stored}
        yield from zarr_arrays.read_parts(kvstores, self.tensors, stored, self.location)

    def _kvstore(self, path: str) -> dict[str, Any]:
        return storage.kvstore_spec(self.location, self._folders[path])


def open_source(location: str) -> LegacySource:
    """Opens a checkpoint in T5X's older format.

    Raises:
      UserError: its index is missing, cut off or of another version.
    """
    return LegacySource(location)


class LegacySink(Sink):
    """Writes T5X's older format to a local folder; T5X reads it as INITIAL_CHECKPOINT_PATH."""

    format = "t5x_legacy"

    def _begin(self, tensors: Mapping[str, TensorInfo], step: int | None) -> None:
        self._leaves: dict[str, Any] = {_STEP: np.asarray(step or 0, np.int32)}

    def _write(self, path: str, array: np.ndarray) -> None:
        name = path if path.startswith(OPTIMIZER) else _TARGET + path
        if path.startswith(OPTIMIZER) and not self._is_partitioned(path):
            self._leaves[name] = np.array(array)
            return
        folder = name.replace("/", ".")
        kvstore = storage.kvstore_spec(self.partial, folder)
        metadata = zarr_arrays.write(kvstore, array, _COMPRESSOR, _writing_context())
        self._leaves[name] = {
            "driver": "zarr",
            "dtype": array.dtype.name,
            "kvstore": {"driver": "file", "path": f"{folder}/"},
            "metadata": metadata,
        }

    def _is_partitioned(self, slot: str) -> bool:
        """A slot goes into the index unless it has the shape, and so the axes, of its parameter."""
        parameter = self._expected.get(posixpath.dirname(slot.removeprefix(_SLOTS)))
        return parameter is not None and parameter.shape == self._expected[slot].shape

    def _finish(self) -> None:
        tree: dict[str, Any] = {}
        for name in sorted(self._leaves):
            *folders, last = name.split("/")
            functools.reduce(lambda node, key: node.setdefault(key, {}), folders, tree)[last] = (
                self._leaves[name]
            )
        contents = {"version": _VERSION, "optimizer": tree}
        index = flax.serialization.msgpack_serialize(contents, in_place=True)
        (self.partial / INDEX).write_bytes(index)


@functools.cache
def _writing_context() -> ts.Context:
    return ts.Context({"file_io_concurrency": {"limit": 16}})


def _read_index(location: str) -> Mapping[str, Any]:
    raw = storage.read_bytes(location, INDEX)
    if raw is None:
        raise UserError(f"no checkpoint at {location}: it has no file named {INDEX}")
    if raw.startswith(b"model_checkpoint_path"):
        raise UserError(
            f"checkpoint {location} is a TensorFlow checkpoint of the original mT5; use the same "
            "model's T5X checkpoint (gs://t5-data/pretrained_models/t5x) or its Hugging Face one"
        )
    try:
        index = flax.serialization.msgpack_restore(raw)
        version, tree = index["version"], index["optimizer"]
        target = tree["target"]
    except Exception as error:  # msgpack's errors have no common class but Exception
        raise zarr_arrays.damaged(location, f"its index, {INDEX},", error) from error
    if version != _VERSION or not isinstance(target, Mapping):
        raise UserError(
            f"checkpoint {location} is of version {version} of T5X's format and {_VERSION} is "
            "read; load and save it again with a T5X of 2021-06-10 or newer"
        )
    return tree


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and not value.keys() >= {"driver", "kvstore", "metadata"}:
            yield from _leaves(value, f"{prefix}{key}/")
        else:
            yield prefix + key, value


def _described(leaf: Mapping[str, Any], location: str, path: str) -> tuple[TensorInfo, str]:
    """Shape, dtype and folder that TensorStore's description of an array states."""
    try:
        # TensorStore used to note the folder beside its store, and now inside.
        folder = leaf["kvstore"].get("path") or leaf["path"]
        info = TensorInfo(tuple(int(n) for n in leaf["metadata"]["shape"]), str(leaf["dtype"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise zarr_arrays.damaged(location, f"the entry of {path} in its index", error) from error
    return info, str(folder)
