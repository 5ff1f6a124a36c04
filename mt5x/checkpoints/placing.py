"""From a checkpoint onto the mesh: each process reads what its own devices hold, and no more."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from mt5x.checkpoints.tensors import OPTIMIZER, Part, Source

_TARGET = "target/"

STEP = f"{OPTIMIZER}step"
"""Path of the step in a flat state; it is no tensor of a `Source`."""


def flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves of T5X's checkpoint tree by their paths in `tensors`' terms."""
    named = flatten_dict(tree, sep="/")
    return {path.removeprefix(_TARGET): leaf for path, leaf in named.items()}


def nested(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """T5X's checkpoint tree of such leaves; the inverse of `flat`."""
    named = {
        path if path.startswith(OPTIMIZER) else f"{_TARGET}{path}": leaf
        for path, leaf in leaves.items()
    }
    tree: dict[str, Any] = unflatten_dict(named, sep="/")
    return tree


def read_onto_mesh(
    source: Source, shapes: Mapping[str, Any], shardings: Mapping[str, Any]
) -> dict[str, jax.Array]:
    """Reads tensors as arrays on the mesh, however they were sharded when written.

    Args:
      source: the checkpoint.
      shapes: `jax.ShapeDtypeStruct` by path, of the checkpoint's shapes; dtypes are cast to these.
      shardings: where each lies.

    Raises:
      UserError: the checkpoint is damaged.
    """
    wanted = {path: _own_parts(shape, shardings[path]) for path, shape in shapes.items()}
    placed: dict[str, jax.Array] = {}
    for path, parts in source.read_parts({path: list(wanted[path].values()) for path in shapes}):
        shape = shapes[path]
        own = {
            corner: part.astype(shape.dtype, copy=False)
            for corner, part in zip(wanted[path], parts, strict=True)
        }
        placed[path] = _assembled(shape.shape, shardings[path], own)
    return placed


def place(array: np.ndarray, shape: jax.ShapeDtypeStruct, sharding: Any) -> jax.Array:
    """Puts an array that every process holds onto the mesh, in the dtype of `shape`."""
    cast = array.astype(shape.dtype)
    return jax.make_array_from_callback(shape.shape, sharding, lambda index: cast[index])


def _assembled(
    shape: tuple[int, ...], sharding: Any, own: Mapping[tuple[int, ...], np.ndarray]
) -> jax.Array:
    return jax.make_array_from_callback(shape, sharding, lambda index: own[_corner(index)])


def _own_parts(shape: Any, sharding: Any) -> dict[tuple[int, ...], Part]:
    """The different parts that this process's devices hold, by their first corners."""
    indices = sharding.addressable_devices_indices_map(shape.shape).values()
    return {_corner(index): index for index in indices if index is not None}


def _corner(index: Part | None) -> tuple[int, ...]:
    return tuple(part.start or 0 for part in index or ())
