"""T5X's Orbax format, which is also ours: zarr arrays inside one OCDBT store.

    checkpoint_40/state/_METADATA                 the tree
    checkpoint_40/state/manifest.ocdbt, d/        the store: `target.encoder. ... .kernel/0.0` etc.
    checkpoint_40/state/ocdbt.process_0/          the part that process 0 wrote
    checkpoint_40/dataset/                        position in the data; empty unless it was saved

Training saves through Orbax itself (`saving`). What it saved is read here, and what is converted is
written here, a tensor at a time. Checkpoints from before OCDBT, with a folder of zarr for each
tensor, are read, too.
"""

import base64
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorstore as ts

from mt5x.checkpoints import storage, zarr_arrays
from mt5x.checkpoints.tensors import (
    OPTIMIZER,
    DamagedCheckpoint,
    Part,
    Sink,
    Source,
    TensorInfo,
)

_STATE = "state"
_TARGET = "target."
_STEP = "state.step"
_ARRAY = b"/.zarray"
_COMPRESSOR = "zstd"
_PROCESS = "ocdbt.process_0"
# Small tensors are committed together: each commit writes files of its own.
_COMMIT_BYTES = 64 * 2**20
_DTYPES = {"bfloat16": "bfloat16"}


class OrbaxSource(Source):
    """Reads T5X's Orbax format from a folder, local or gs://."""

    format = "t5x"

    def __init__(self, location: str):
        self.location = location
        self._names: dict[str, str] = {}
        self.tensors, self.step = {}, None
        ocdbt = storage.exists(location, f"{_STATE}/manifest.ocdbt")
        base = storage.kvstore_spec(location, _STATE)
        self._store: dict[str, Any] = {"driver": "ocdbt", "base": base} if ocdbt else base
        arrays = self._metadata()
        for name, metadata in arrays.items():
            path = name.removeprefix(_TARGET).replace(".", "/")
            if name == _STEP:
                self.step = int(self._read_array(name))
            elif name.startswith((_TARGET, f"{_STATE}.")):
                self._names[path] = name
                self.tensors[path] = _info(metadata, location, path)
        if not self.parameters:
            raise DamagedCheckpoint(location, "its store holds no parameter")
        self._refuse_missing()

    def _read(self, path: str) -> np.ndarray:
        return self._read_array(self._names[path])

    def read_parts(
        self, wanted: Mapping[str, Sequence[Part]]
    ) -> Iterator[tuple[str, list[np.ndarray]]]:
        """Reads no more than the parts, and several tensors at once."""
        kvstores = {path: self._kvstore(self._names[path]) for path in wanted}
        return zarr_arrays.read_parts(kvstores, self.tensors, wanted, self.location)

    def _read_array(self, name: str) -> np.ndarray:
        return zarr_arrays.read(self._kvstore(name), self.location, name.replace(".", "/"))

    def _kvstore(self, name: str) -> dict[str, Any]:
        return {**self._store, "path": f"{self._store.get('path', '')}{name}/"}

    def _metadata(self) -> dict[str, dict[str, Any]]:
        """The zarr metadata of every array, by its name in the store."""
        try:
            store = ts.KvStore.open(self._store, context=storage.context()).result()
            keys = [key for key in store.list().result() if key.endswith(_ARRAY)]
            reads = [(key, store.read(key)) for key in keys]
            return {
                key.removesuffix(_ARRAY).decode(): json.loads(read.result().value)
                for key, read in reads
            }
        except Exception as error:  # TensorStore raises ValueError, RuntimeError and others
            raise zarr_arrays.damaged(self.location, "its store", error) from error

    def _refuse_missing(self) -> None:
        """Compares the store with the tree that Orbax noted beside it."""
        raw = storage.read_bytes(self.location, f"{_STATE}/_METADATA")
        if raw is None:
            return
        try:
            noted = [
                "/".join(str(key["key"]) for key in entry["key_metadata"])
                for entry in json.loads(raw)["tree_metadata"].values()
            ]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise zarr_arrays.damaged(self.location, f"{_STATE}/_METADATA", error) from error
        stored = {name.replace(".", "/") for name in self._names.values()} | {f"{OPTIMIZER}step"}
        missing = sorted(set(noted) - stored)
        if missing:
            raise DamagedCheckpoint(
                self.location,
                f"{missing[0]} is in its tree and not in its store "
                f"({len(missing)} of {len(noted)} are missing)",
            )


def open_source(location: str) -> OrbaxSource:
    """Opens a checkpoint in T5X's Orbax format.

    Raises:
      UserError: it is damaged.
    """
    return OrbaxSource(location)


class OrbaxSink(Sink):
    """Writes T5X's Orbax format to a local folder, with the files that T5X itself writes.

    T5X asks for the name `checkpoint_STEP`.
    """

    format = "t5x"

    def _begin(self, tensors: Mapping[str, TensorInfo], step: int | None) -> None:
        self._began = time.time_ns()
        self._metadata: dict[str, dict[str, Any]] = {}
        (self.partial / _STATE).mkdir()
        self._context = ts.Context({"cache_pool": {"total_bytes_limit": 2**20}})
        self._transaction, self._staged = ts.Transaction(), 0
        self._write_array(_STEP, np.asarray(step or 0, np.int32))

    def _write(self, path: str, array: np.ndarray) -> None:
        name = path if path.startswith(OPTIMIZER) else f"target/{path}"
        self._write_array(name.replace("/", "."), array)

    def _write_array(self, name: str, array: np.ndarray) -> None:
        kvstore = {**self._ocdbt(f"{_STATE}/{_PROCESS}"), "path": f"{name}/"}
        together = self._transaction if array.nbytes < _COMMIT_BYTES else None
        self._metadata[name] = zarr_arrays.write(
            kvstore, array, _COMPRESSOR, self._context, together
        )
        self._staged += array.nbytes if together else 0
        if self._staged >= _COMMIT_BYTES:
            self._commit()

    def _commit(self) -> None:
        self._transaction.commit_sync()
        self._transaction, self._staged = ts.Transaction(), 0

    def _ocdbt(self, folder: str) -> dict[str, Any]:
        """An OCDBT store with Orbax's settings."""
        return {
            "driver": "ocdbt",
            "base": storage.kvstore_spec(self.partial, folder),
            "config": {"max_inline_value_bytes": 1024, "max_decoded_node_bytes": 100_000_000},
        }

    def _finish(self) -> None:
        self._commit()
        whole, part = (
            ts.KvStore.open(self._ocdbt(folder), context=self._context).result()
            for folder in (_STATE, f"{_STATE}/{_PROCESS}")
        )
        # The store of the whole refers to the data that the part holds, as Orbax's does.
        with ts.Transaction(atomic=True) as transaction:
            part.experimental_copy_range_to(whole.with_transaction(transaction)).result()
        self._write_json(f"{_STATE}/_METADATA", _tree_metadata(self._metadata))
        self._write_json(f"{_STATE}/_sharding", _sharding(self._metadata))
        (self.partial / _STATE / "array_metadatas").mkdir()
        self._write_json(f"{_STATE}/array_metadatas/process_0", _array_metadata(self._metadata))
        self._write_json("_CHECKPOINT_METADATA", _checkpoint_metadata(self._began))
        (self.partial / "dataset").mkdir()
        for folder in ("", _STATE, "dataset"):
            written = self.destination / folder
            text = f"Checkpoint commit was successful to {written}"
            (self.partial / folder / "commit_success.txt").write_text(text, encoding="utf-8")

    def _write_json(self, name: str, value: Any) -> None:
        (self.partial / name).write_text(json.dumps(value), encoding="utf-8")


def _info(metadata: Mapping[str, Any], location: str, path: str) -> TensorInfo:
    try:
        name = str(metadata["dtype"])
        dtype = _DTYPES.get(name) or np.dtype(name).name
        return TensorInfo(tuple(int(n) for n in metadata["shape"]), dtype)
    except (KeyError, TypeError, ValueError) as error:
        raise zarr_arrays.damaged(location, f"the zarr metadata of {path}", error) from error


def _tree_metadata(arrays: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    def entry(keys: list[str], shape: list[int]) -> dict[str, Any]:
        return {
            "key_metadata": [{"key": key, "key_type": 2} for key in keys],
            "value_metadata": {
                "value_type": "jax.Array",
                "skip_deserialize": False,
                "write_shape": shape,
            },
        }

    return {
        "tree_metadata": {
            str(tuple(name.split("."))): entry(name.split("."), arrays[name]["shape"])
            for name in sorted(arrays)
        },
        "use_ocdbt": True,
        "use_zarr3": False,
        "store_array_data_equal_to_fill_value": True,
        "custom_metadata": None,
    }


def _array_metadata(arrays: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "array_metadatas": [
            {
                "array_metadata": {
                    "param_name": name,
                    "write_shape": arrays[name]["shape"],
                    "chunk_shape": arrays[name]["chunks"],
                    "ext_metadata": None,
                }
            }
            for name in sorted(arrays)
        ]
    }


def _sharding(arrays: Mapping[str, Any]) -> dict[str, str]:
    """Every array whole on one device: that is how they were written."""
    one_device = json.dumps(
        {
            "sharding_type": "NamedSharding",
            "shape": [1, 1],
            "axis_names": ["data", "model"],
            "axis_types": ["AxisType.Auto", "AxisType.Auto"],
            "partition_spec": [],
            "device_mesh": {"mesh": [[{"id": 0}]]},
        }
    )
    return {base64.b64encode(name.encode()).decode(): one_device for name in sorted(arrays)}


def _checkpoint_metadata(began: int) -> dict[str, Any]:
    handlers = {
        "dataset": "t5x.checkpoints.DatasetCheckpointHandler",
        "state": "orbax.checkpoint._src.handlers.pytree_checkpoint_handler.PyTreeCheckpointHandler",
    }
    return {
        "item_handlers": handlers,
        "metrics": {},
        "performance_metrics": {},
        "init_timestamp_nsecs": began,
        "commit_timestamp_nsecs": time.time_ns(),
        "custom_metadata": {},
    }
