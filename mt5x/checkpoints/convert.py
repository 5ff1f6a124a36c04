"""From one checkpoint format to another, a tensor at a time, compared at the end.

What is written is read back and every tensor's checksum compared, so that a checkpoint that
appears under its name is the one that was read.
"""

import contextlib
import dataclasses
import hashlib
import importlib
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

import numpy as np

from mt5x.checkpoints import beside, formats
from mt5x.checkpoints.architecture import GATED, PLAIN
from mt5x.checkpoints.fresh_slots import WithFreshSlots
from mt5x.checkpoints.huggingface.safetensors_file import as_bytes, row_blocks
from mt5x.checkpoints.tensors import Sink, Source, TensorInfo, is_slot, numpy_dtype, writing
from mt5x.errors import UserError, nearest
from mt5x.progress import Progress

# Where each format's writer is.
_SINKS = {
    "t5x": ("mt5x.checkpoints.t5x_orbax", "OrbaxSink"),
    "t5x_legacy": ("mt5x.checkpoints.t5x_legacy", "LegacySink"),
    "huggingface": ("mt5x.checkpoints.huggingface", "HuggingFaceSink"),
}
DTYPES = ("float32", "bfloat16")

_MEGABYTE = 10**6


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What was done.

    Attributes:
      source: the checkpoint that was read.
      source_format: 't5x', 't5x_legacy' or 'huggingface'.
      destination: the folder of the new checkpoint.
      format: its format.
      step: its step; None where the format has none.
      tensors: what it holds.
      left_out: optimizer slots that the format, or T5X's Adafactor, has no place for.
      vocabulary: the file beside the tensors that holds the vocabulary; None where the source has
        none beside it.
    """

    source: str
    source_format: str
    destination: Path
    format: str
    step: int | None
    tensors: Mapping[str, TensorInfo]
    left_out: int
    vocabulary: str | None

    @property
    def num_parameters(self) -> int:
        """Numbers in all parameters."""
        sizes = [info.shape for path, info in self.tensors.items() if not is_slot(path)]
        return sum(int(np.prod(shape, dtype=np.int64)) for shape in sizes)

    @property
    def nbytes(self) -> int:
        """Size of all tensors, in bytes."""
        return sum(info.nbytes for info in self.tensors.values())


def convert(
    source: str | Path,
    destination: str | Path,
    to: str | None = None,
    dtype: str | None = None,
    stream: TextIO | None = None,
) -> Conversion:
    """Writes a checkpoint in another format, whole or not at all.

    Memory holds about one tensor, two where a compressor or a change of type needs both.

    Args:
      source: a checkpoint of any format, or a folder of `checkpoint_STEP`, of which the newest is
        taken; T5X's may be in gs://.
      destination: a folder that does not exist. T5X's formats ask for the name `checkpoint_STEP`:
        with another name, that folder is made inside.
      to: 't5x' (Orbax, ours too), 't5x_legacy' or 'huggingface'; by default 'huggingface' for a
        checkpoint of T5X and 't5x' for one of Hugging Face.
      dtype: of the parameters, 'float32' or 'bfloat16'; by default as they are.
      stream: where progress is shown; standard error by default.

    Raises:
      UserError: the source is no whole checkpoint, the destination exists, or the format is
        unknown or cannot hold the tensors.
    """
    if to is not None and to not in _SINKS:
        raise UserError(f"the formats are {', '.join(_SINKS)}, not {to}{nearest(to, _SINKS)}")
    if dtype is not None and dtype not in DTYPES:
        raise UserError(f"parameters are stored as {' or '.join(DTYPES)}, not {dtype}")
    destination = Path(destination)
    if destination.exists() and not _is_left_over(destination):
        raise UserError(f"{destination} exists already; choose another place or delete it")
    opened: Source = formats.open_source(source)
    held = len(opened.tensors)
    to = to or ("t5x" if opened.format == "huggingface" else "huggingface")
    if to == "huggingface":
        _refuse_other_activations(opened)
        kept: Mapping[str, TensorInfo] = opened.parameters
    else:
        # T5X refuses a checkpoint without Adafactor's state.
        opened = WithFreshSlots(opened)
        kept = opened.tensors
    announced = {
        path: TensorInfo(info.shape, dtype if dtype and not is_slot(path) else info.dtype)
        for path, info in kept.items()
    }
    target, step = _place(destination, to, opened)
    module, name = _SINKS[to]
    sink: Sink = getattr(importlib.import_module(module), name)(target)
    with _nothing_left_on_error(destination):
        with writing(sink, announced, step):
            vocabulary = beside.copy_vocabulary(opened.location, sink.partial, to)
            checksums = _copy(opened, sink, Shown("convert", announced, stream))
        _compare(target, announced, checksums, Shown("compare", announced, stream))
    taken = opened.num_taken if isinstance(opened, WithFreshSlots) else len(kept)
    return Conversion(
        opened.location, opened.format, target, to, step, announced, held - taken, vocabulary
    )


def _refuse_other_activations(source: Source) -> None:
    """Refuses a network whose activation functions the tensors do not tell and the format not name.

    Raises:
      UserError: the run's config.gin has others than T5 1.0's and 1.1's.
    """
    known = beside.run_settings(source.location).get("T5Config.mlp_activations")
    if known is None or tuple(known) in (GATED, PLAIN):
        return
    raise UserError(
        f"{source.location} was trained with mlp_activations={tuple(known)}, and Hugging Face's "
        f"format is written for {GATED} (gated-gelu) and {PLAIN} (relu); keep it as it is, or "
        "convert it with --to t5x_legacy"
    )


def checksum(array: np.ndarray) -> bytes:
    """A digest of an array's numbers in C order, whatever its strides; copies a piece at a time."""
    digest = hashlib.blake2b(digest_size=16)
    for block in row_blocks(array):
        digest.update(as_bytes(block))
    return digest.digest()


def _is_left_over(folder: Path) -> bool:
    """Whether a folder holds nothing but what a conversion that was killed had begun."""
    return folder.is_dir() and all(
        child.name.startswith(".checkpoint_") and child.name.endswith(".partial")
        for child in folder.iterdir()
    )


def _place(destination: Path, to: str, source: Source) -> tuple[Path, int | None]:
    """The folder to write, and the step to write into it."""
    if to == "huggingface":
        return destination, None
    named = re.fullmatch(r"checkpoint_(\d+)", destination.name)
    step = source.step if source.step is not None else int(named[1]) if named else 0
    if named and int(named[1]) != step:
        raise UserError(
            f"{source.location} is of step {step}, so {destination} would be a wrong name; "
            f"choose {destination.with_name(f'checkpoint_{step}')}"
        )
    return (destination if named else destination / f"checkpoint_{step}"), step


class Shown:
    """Progress through tensors, counted in their bytes."""

    def __init__(self, stage: str, tensors: Mapping[str, TensorInfo], stream: TextIO | None):
        self._tensors, self._done, self._shown = tensors, 0, 0
        total = sum(info.nbytes for info in tensors.values())
        self._progress = Progress(stage, total // _MEGABYTE, stream=stream, unit="MB")

    def __iter__(self) -> Iterator[tuple[str, TensorInfo]]:
        try:
            for path, info in self._tensors.items():
                yield path, info
                self._done += info.nbytes
                self._progress.advance(self._done // _MEGABYTE - self._shown)
                self._shown = self._done // _MEGABYTE
        finally:
            self._progress.close()


@contextlib.contextmanager
def _nothing_left_on_error(destination: Path) -> Iterator[None]:
    """Removes on an error what was made, also the folder around a `checkpoint_STEP`."""
    try:
        yield
    except BaseException:
        shutil.rmtree(destination, ignore_errors=True)
        raise


def _copy(source: Source, sink: Sink, shown: Shown) -> dict[str, bytes]:
    """Copies every tensor; returns the checksums of what was handed over."""
    return {path: _copy_one(source, sink, path, info) for path, info in shown}


def _copy_one(source: Source, sink: Sink, path: str, info: TensorInfo) -> bytes:
    # A function of its own, so that the tensor is freed before the next one is read.
    array = source.read(path).astype(numpy_dtype(info.dtype), copy=False)
    sink.write(path, array)
    return checksum(array)


def _compare(
    target: Path, announced: Mapping[str, TensorInfo], checksums: Mapping[str, bytes], shown: Shown
) -> None:
    """Reads what was written and compares it.

    Raises:
      UserError: it differs from what was read.
    """
    written = formats.open_source(target)
    differing = {
        path
        for path in written.tensors.keys() | announced.keys()
        if written.tensors.get(path) != announced.get(path)
    }
    for path, _ in shown:
        if path not in differing and checksum(written.read(path)) != checksums[path]:
            differing.add(path)
    if differing:
        raise UserError(
            f"what was written to {target} is not what was read: {min(differing)} differs "
            f"({len(differing)} of {len(announced)} tensors), so it was removed; check the disk "
            "and convert again"
        )
