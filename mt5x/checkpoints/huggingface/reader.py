"""Hugging Face checkpoints: a folder with config.json and weights, as T5X's tree.

The weights are `model.safetensors` or `pytorch_model.bin`, or several such files with an index
that says which tensor is where.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from mt5x.checkpoints import storage
from mt5x.checkpoints.architecture import require_parameters
from mt5x.checkpoints.huggingface import names
from mt5x.checkpoints.huggingface.config import read_config
from mt5x.checkpoints.huggingface.safetensors_file import SafetensorsFile
from mt5x.checkpoints.huggingface.torch_file import TorchFile
from mt5x.checkpoints.tensors import Source, TensorInfo
from mt5x.errors import UserError
from mt5x.model.config import T5Config

SAFETENSORS, TORCH = "model.safetensors", "pytorch_model.bin"

_LOGITS_PATH = "decoder/logits_dense/kernel"
_NAMES_SHOWN = 3
_FLOATS = ("float32", "bfloat16", "float16", "float64")

# Where a tensor is: a file, and its name in it.
_Entry = tuple[SafetensorsFile | TorchFile, str]


class HuggingFaceSource(Source):
    """Reads a folder of transformers' `save_pretrained`.

    Attributes:
      sizes: the network's.
    """

    format = "huggingface"
    step = None

    def __init__(self, location: str):
        self.location = location
        if storage.is_remote(location):
            raise UserError(
                f"copy {location} to this machine: Hugging Face's format is read locally"
            )
        config = read_config(Path(location))
        self._entries = _without_copies(_open_files(Path(location)))
        own_matrix = names.LOGITS in self._entries
        factor = config.logits_factor(own_matrix)
        tied = not own_matrix and factor != 1.0
        per_layer = config.model_type == "umt5" or names.has_bias_per_layer(set(self._entries))
        self.sizes: T5Config = dataclasses.replace(
            config.sizes, logits_via_embedding=tied, relative_bias_per_layer=per_layer
        )
        self._origins = self._our_paths(per_layer)
        if own_matrix and factor != 1.0:
            self._origins[_LOGITS_PATH] = _Origin(names.LOGITS, True, factor)
        elif not own_matrix and not tied and names.EMBEDDING in self._entries:
            # An mT5 of transformers 5 without a matrix of its own: its logits are not scaled, which
            # T5X's tied logits are, so the embedding stands for the matrix too.
            self._origins[_LOGITS_PATH] = _Origin(names.EMBEDDING, True)
        self.tensors = {path: self._info(origin) for path, origin in self._origins.items()}
        shapes = {path: info.shape for path, info in self.tensors.items()}
        require_parameters(shapes, self.sizes, location)

    def _read(self, path: str) -> np.ndarray:
        origin = self._origins[path]
        file, name = self._entries[origin.name]
        array = file.read(name)
        if origin.factor != 1.0:
            array = array * np.asarray(origin.factor, array.dtype)
        return array.T if origin.transposed else array

    def _our_paths(self, per_layer: bool) -> dict[str, "_Origin"]:
        mapped = {name: names.from_huggingface(name, per_layer) for name in sorted(self._entries)}
        unknown = [name for name, ours in mapped.items() if ours is None]
        if unknown:
            more = len(unknown) - _NAMES_SHOWN
            raise UserError(
                f"checkpoint {self.location} holds what no mT5, umT5 or ByT5 has: "
                f"{', '.join(unknown[:_NAMES_SHOWN])}{f' and {more} more' if more > 0 else ''}"
            )
        return {ours[0]: _Origin(name, ours[1]) for name, ours in mapped.items() if ours}

    def _info(self, origin: "_Origin") -> TensorInfo:
        file, name = self._entries[origin.name]
        info = file.tensors[name]
        if info.dtype not in _FLOATS:
            raise UserError(
                f"checkpoint {self.location} holds {name} as {info.dtype}: {', '.join(_FLOATS)} "
                "are read"
            )
        return TensorInfo(info.shape[::-1], info.dtype) if origin.transposed else info


@dataclasses.dataclass(frozen=True)
class _Origin:
    """What one of T5X's tensors is made of: a name here, transposed or not, times a factor."""

    name: str
    transposed: bool
    factor: float = 1.0


def open_source(location: str) -> HuggingFaceSource:
    """Opens a Hugging Face checkpoint.

    Raises:
      UserError: a file is missing, cut off or unsafe, or the network is not one of ours.
    """
    return HuggingFaceSource(location)


def _without_copies(entries: dict[str, _Entry]) -> dict[str, _Entry]:
    """The tensors less those that repeat the embedding or that nothing reads."""
    kept = dict(entries)
    for copy in names.EMBEDDING_COPIES:
        if copy in kept:
            entry = kept.pop(copy)
            kept.setdefault(names.EMBEDDING, entry)
    kept.pop(names.UNUSED, None)
    if names.LOGITS in kept and names.EMBEDDING in kept:
        (file, logits), (other, embedding) = kept[names.LOGITS], kept[names.EMBEDDING]
        # A `.bin` file repeats parameters that are tied, as one storage.
        if isinstance(file, TorchFile) and file is other and file.same_data(logits, embedding):
            del kept[names.LOGITS]
    return kept


def _open_files(folder: Path) -> dict[str, _Entry]:
    """Where every tensor is."""
    for single in (SAFETENSORS, TORCH):
        if (folder / single).is_file():
            file = _open(folder / single)
            return {name: (file, name) for name in file.tensors}
        index = folder / f"{single}.index.json"
        if index.is_file():
            return _sharded(index)
    raise UserError(
        f"{folder} has no weights: expected {SAFETENSORS} or {TORCH}, or one of these with "
        ".index.json and its files"
    )


def _sharded(index: Path) -> dict[str, _Entry]:
    try:
        weight_map: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = sorted({str(shard) for shard in weight_map.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{index} cannot be read: {error!r}; copy or download it again") from error
    if any(Path(shard).name != shard for shard in shards):
        raise UserError(f"{index} names files outside of its folder; download it again")
    missing = [shard for shard in shards if not (index.parent / shard).is_file()]
    if missing:
        raise UserError(
            f"{index.parent} lacks {missing[0]}, {len(missing)} of the {len(shards)} files that "
            f"{index.name} names; copy or download the rest"
        )
    files = {shard: _open(index.parent / shard) for shard in shards}
    for name, shard in weight_map.items():
        if name not in files[shard].tensors:
            raise UserError(
                f"{index.parent / shard} has no tensor {name}, which {index.name} says it has; "
                "copy or download both again"
            )
    return {name: (files[shard], name) for name, shard in weight_map.items()}


def _open(path: Path) -> SafetensorsFile | TorchFile:
    return SafetensorsFile(path) if path.suffix == ".safetensors" else TorchFile(path)
