"""Writes Hugging Face checkpoints: config.json and safetensors, in several files where large."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mt5x.checkpoints.architecture import config_of
from mt5x.checkpoints.huggingface import names
from mt5x.checkpoints.huggingface.config import FILE, config_json
from mt5x.checkpoints.huggingface.reader import SAFETENSORS
from mt5x.checkpoints.huggingface.safetensors_file import SafetensorsWriter
from mt5x.checkpoints.tensors import Sink, TensorInfo
from mt5x.errors import UserError

MAX_FILE_BYTES = 5 * 10**9  # of tensors: what save_pretrained of transformers 4 takes


class HuggingFaceSink(Sink):
    """Writes what transformers' `from_pretrained` reads; the tokenizer is not part of it.

    Args:
      destination: a folder that does not exist yet.
      max_file_bytes: most bytes of tensors in one file; a tensor is never divided.
    """

    format = "huggingface"

    def __init__(self, destination: str | Path, max_file_bytes: int = MAX_FILE_BYTES):
        super().__init__(destination)
        self._max_file_bytes = max_file_bytes

    def _begin(self, tensors: Mapping[str, TensorInfo], step: int | None) -> None:
        del step  # the format has no place for it
        sizes = config_of(tensors, f"to be written to {self.destination}")
        self._names: dict[str, tuple[str, bool]] = {}
        theirs: dict[str, TensorInfo] = {}
        for path, info in tensors.items():
            mapped = names.to_huggingface(path)
            if mapped is None:
                raise UserError(f"Hugging Face's format has no place for {path}")
            name, transposed = self._names[path] = mapped
            theirs[name] = TensorInfo(info.shape[::-1] if transposed else info.shape, info.dtype)
        shards = _divided(theirs, self._max_file_bytes)
        if len(shards) == 1:
            files = {SAFETENSORS: shards[0]}
        else:
            stem, suffix = SAFETENSORS.split(".")
            files = {
                f"{stem}-{number:05}-of-{len(shards):05}.{suffix}": shard
                for number, shard in enumerate(shards, start=1)
            }
            self._write_index(files)
        self._writers = {
            name: writer
            for file, shard in files.items()
            for writer in [SafetensorsWriter(self.partial / file, shard)]
            for name in shard
        }
        self._write_json(FILE, config_json(sizes, theirs[names.EMBEDDING].dtype))

    def _write(self, path: str, array: np.ndarray) -> None:
        name, transposed = self._names[path]
        self._writers[name].write(name, array.T if transposed else array)

    def _finish(self) -> None:
        for writer in set(self._writers.values()):
            writer.close()

    def _write_index(self, files: Mapping[str, Mapping[str, TensorInfo]]) -> None:
        total = sum(info.nbytes for shard in files.values() for info in shard.values())
        weight_map = {name: file for file, shard in files.items() for name in shard}
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
        self._write_json(f"{SAFETENSORS}.index.json", index)

    def _write_json(self, name: str, value: object) -> None:
        text = json.dumps(value, indent=2, sort_keys=True) + "\n"
        (self.partial / name).write_text(text, encoding="utf-8")


def _divided(tensors: Mapping[str, TensorInfo], max_bytes: int) -> list[dict[str, TensorInfo]]:
    """Tensors in order of their names, in groups of at most `max_bytes` or of one tensor."""
    groups: list[dict[str, TensorInfo]] = [{}]
    size = 0
    for name in sorted(tensors):
        if groups[-1] and size + tensors[name].nbytes > max_bytes:
            groups.append({})
            size = 0
        groups[-1][name] = tensors[name]
        size += tensors[name].nbytes
    return groups
