"""Checkpoints whose layers are stacked in one tensor, as T5X's scalable_t5 writes them.

The public umT5 checkpoints are such: `encoder/encoder/mlp/wi_0/kernel [embed, layers, mlp]` for all
the encoder's layers, with attention kernels of separate heads, `[embed, layers, heads, kv]` and
`[heads, layers, kv, embed]`. Here they are seen as the tree of single layers with 2-D kernels.
"""

import math
import re

import numpy as np

from mt5x.checkpoints.tensors import Source, TensorInfo
from mt5x.errors import UserError

# T5X's default `param_scan_axis`.
_AXIS = 1
_STACKED = re.compile(r"(encoder|decoder)/\1/(.+)")
_ATTENTION = re.compile(r".*attention/(query|key|value|out)/kernel")


class UnstackedSource(Source):
    """A view of another checkpoint; its optimizer slots, stacked too, are left out."""

    def __init__(self, stacked: Source):
        self.format, self.location, self.step = stacked.format, stacked.location, stacked.step
        self._stacked = stacked
        # Path here to the path there, and the layer's number where it is stacked.
        self._origins: dict[str, tuple[str, int | None]] = {}
        self.tensors: dict[str, TensorInfo] = {}
        for path, info in stacked.parameters.items():
            match = _STACKED.fullmatch(path)
            if match is None:
                self._origins[path], self.tensors[path] = (path, None), info
                continue
            shape = _layer_shape(path, info.shape, stacked.location)
            for number in range(info.shape[_AXIS]):
                own = f"{match[1]}/layers_{number}/{match[2]}"
                self._origins[own] = (path, number)
                self.tensors[own] = TensorInfo(shape, info.dtype)
        self._last: tuple[str, np.ndarray] | None = None

    def _read(self, path: str) -> np.ndarray:
        origin, number = self._origins[path]
        if number is None:
            return self._stacked.read(origin)
        # Layers of one stack come one after another: it is read once and held.
        if self._last is None or self._last[0] != origin:
            self._last = None
            self._last = (origin, self._stacked.read(origin))
        layer = np.take(self._last[1], number, axis=_AXIS)
        return layer.reshape(self.tensors[path].shape)


def unstacked(source: Source) -> Source:
    """The checkpoint itself, or a view of it in which every layer has tensors of its own."""
    return UnstackedSource(source) if any(map(_STACKED.fullmatch, source.tensors)) else source


def _layer_shape(path: str, shape: tuple[int, ...], location: str) -> tuple[int, ...]:
    if len(shape) <= _AXIS:
        raise UserError(f"checkpoint {location}: {path} is {list(shape)}, which stacks no layers")
    layer = shape[:_AXIS] + shape[_AXIS + 1 :]
    attention = _ATTENTION.fullmatch(path)
    if attention is None or len(layer) != 3:
        return layer
    # The output's heads come first, those of the others last.
    return (
        (math.prod(layer[:2]), layer[2])
        if attention[1] == "out"
        else (layer[0], math.prod(layer[1:]))
    )
