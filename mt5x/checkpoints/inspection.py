"""What a checkpoint holds, and whether it is whole, for people to read."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

import numpy as np

from mt5x.checkpoints import formats, native, storage
from mt5x.checkpoints.architecture import config_of
from mt5x.checkpoints.convert import Shown
from mt5x.checkpoints.huggingface.safetensors_file import row_blocks
from mt5x.checkpoints.tensors import Source, TensorInfo
from mt5x.errors import UserError


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes:
      source: the checkpoint that was looked into, the newest where there are several.
      steps: the steps of all checkpoints in the folder; empty where the folder is one itself.
      not_finite: parameters and slots that hold NaN or infinity; None if nothing was read.
    """

    source: Source
    steps: tuple[int, ...]
    not_finite: tuple[str, ...] | None


def inspect(location: str | Path, read: bool, stream: TextIO | None = None) -> Inspection:
    """Opens a checkpoint, or the newest of a folder, and reads every tensor if `read`.

    Args:
      location: a checkpoint's folder, or one that holds folders of `checkpoint_STEP`.
      read: False looks at the index alone.
      stream: where progress is shown; standard error by default.

    Raises:
      UserError: there is no checkpoint, or it is damaged.
    """
    source = formats.open_source(location)
    steps = () if source.location == str(location).rstrip("/") else _steps(location)
    return Inspection(source, steps, _not_finite(source, stream) if read else None)


def page(found: Inspection, every_tensor: bool) -> str:
    """The text to print.

    Args:
      found: what to show.
      every_tensor: False gives layers of one shape one line, and the optimizer's slots a count.
    """
    source = found.source
    lines = [f"{source.location}: {_FORMAT_NAMES[source.format]}"]
    if found.steps:
        lines.append(f"steps in the folder: {', '.join(map(str, found.steps))}")
    if source.step is not None:
        lines.append(f"step {source.step}")
    if not storage.is_remote(source.location):
        lines += _read_so_far(Path(source.location))
    lines += [_sizes(source), "", _total("parameters", source.parameters)]
    lines += _table(source.parameters, every_tensor)
    if source.slots:
        lines += ["", _total("optimizer slots", source.slots)]
        lines += _table(source.slots, every_tensor) if every_tensor else []
    return "\n".join([*lines, "", _verdict(found)])


_FORMAT_NAMES = {
    "t5x": "T5X's Orbax format, ours too (t5x)",
    "t5x_legacy": "T5X's older format (t5x_legacy)",
    "huggingface": "Hugging Face's format (huggingface)",
}


def _steps(location: str | Path) -> tuple[int, ...]:
    matches = (re.fullmatch(r"checkpoint_(\d+)", name) for name in storage.folders(location))
    return tuple(sorted(int(match[1]) for match in matches if match))


def _read_so_far(checkpoint: Path) -> Iterator[str]:
    position = native.data_position(checkpoint)
    if position is not None:
        parts = f" in {position.num_shards} parts" if position.num_shards > 1 else ""
        yield (
            f"data read since step {position.first_step}: {position.batches:,} batches of "
            f"{position.batch_size} rows, {position.mixture_or_task_name} {position.split}{parts}, "
            f"seed {position.seed}"
        )


def _not_finite(source: Source, stream: TextIO | None) -> tuple[str, ...]:
    shown = Shown("read", source.tensors, stream)
    return tuple(path for path, _ in shown if not _is_finite(source, path))


def _is_finite(source: Source, path: str) -> bool:
    # A function of its own, so that the tensor is freed before the next one is read.
    return all(bool(np.isfinite(block).all()) for block in row_blocks(source.read(path)))


def _total(name: str, tensors: Mapping[str, TensorInfo]) -> str:
    numbers = sum(int(np.prod(info.shape, dtype=np.int64)) for info in tensors.values())
    megabytes = sum(info.nbytes for info in tensors.values()) / 1e6
    return f"{numbers:,} {name} in {len(tensors)} tensors, {megabytes:,.1f} MB"


def _sizes(source: Source) -> str:
    try:
        sizes = config_of(source.parameters, source.location)
    except UserError:
        return "not the tree of mT5, umT5 or ByT5"
    bias = (
        "a relative-position bias in every layer"
        if sizes.relative_bias_per_layer
        else ("one relative-position bias a stack")
    )
    logits = "tied logits" if sizes.logits_via_embedding else "logits of their own matrix"
    return (
        f"{sizes.num_encoder_layers} + {sizes.num_decoder_layers} layers, width {sizes.emb_dim}, "
        f"{sizes.num_heads} heads of {sizes.head_dim}, feed-forward {sizes.mlp_dim}, "
        f"{sizes.vocab_size:,} vocabulary rows, {bias}, {logits}"
    )


def _verdict(found: Inspection) -> str:
    if found.not_finite is None:
        return "its index is whole; its tensors were not read"
    count = len(found.source.tensors)
    if found.not_finite:
        return (
            f"whole: all {count} tensors were read; {len(found.not_finite)} of them hold NaN or "
            f"infinity, {found.not_finite[0]} first"
        )
    return f"whole: all {count} tensors were read, and every number is finite"


def _table(tensors: Mapping[str, TensorInfo], every_tensor: bool) -> Iterator[str]:
    rows: dict[tuple[str, TensorInfo], list[str]] = {}
    for path, info in sorted(tensors.items()):
        layer = re.search(r"(?<=/layers_)\d+(?=/)", path)
        if layer is None or every_tensor:
            rows.setdefault((path, info), []).append("")
        else:
            shared = f"{path[: layer.start()]}*{path[layer.end() :]}"
            rows.setdefault((shared, info), []).append(layer[0])
    width = max(len(path) for path, _ in rows)
    for (path, info), layers in rows.items():
        numbers = sorted(map(int, filter(None, layers)))
        which = f"  layers {numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else ""
        yield f"  {path:<{width}}  {info.dtype} {list(info.shape)}{which}"
