"""Where every array lives: one mesh, one table from logical axes to mesh axes.

The mesh has two axes: 'data' splits the batch, 'model' splits the network. The table is T5X's
standard one for two-dimensional meshes with activations split by batch only; a dimension that a
mesh axis does not divide evenly stays whole.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from mt5x.errors import UserError

DATA_AXIS = "data"
MODEL_AXIS = "model"

LOGICAL_AXIS_RULES: tuple[tuple[str, str | None], ...] = (
    ("batch", DATA_AXIS),
    ("vocab", MODEL_AXIS),
    ("joined_kv", MODEL_AXIS),
    ("heads", MODEL_AXIS),
    ("mlp", MODEL_AXIS),
    ("embed", None),
    ("kv", None),
    ("length", None),
    ("relpos_buckets", None),
)


@dataclasses.dataclass(frozen=True)
class Partitioner:
    """Chooses the mesh.

    Attributes:
      num_partitions: devices that one copy of the model is split over (the 'model' axis); the
        remaining factor of the device count is the 'data' axis. T5X's argument of this name.
    """

    num_partitions: int = 1

    @functools.cached_property
    def mesh(self) -> Mesh:
        """The [data, model] mesh over all devices."""
        devices = jax.devices()
        if len(devices) % self.num_partitions:
            raise UserError(
                f"num_partitions={self.num_partitions} does not divide the {len(devices)} devices; "
                f"choose one of {_divisors(len(devices))}"
            )
        return make_mesh(len(devices) // self.num_partitions, self.num_partitions)

    def check_batch_size(self, batch_size: int) -> None:
        """Refuses a global batch that the 'data' axis does not divide."""
        data = self.mesh.shape[DATA_AXIS]
        if batch_size % data:
            lower = max(batch_size // data, 1) * data
            raise UserError(
                f"BATCH_SIZE={batch_size} cannot be divided over {data} devices; "
                f"use {lower} or {(batch_size // data + 1) * data}"
            )


def make_mesh(data: int, model: int, devices: list[jax.Device] | None = None) -> Mesh:
    """Returns a [data, model] mesh over the first data * model devices."""
    devices = list(jax.devices() if devices is None else devices)[: data * model]
    grid = np.asarray(devices, dtype=object).reshape(data, model)
    return Mesh(grid, (DATA_AXIS, MODEL_AXIS), axis_types=(AxisType.Auto, AxisType.Auto))


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The sharding of every batch feature: rows over the 'data' axis."""
    return NamedSharding(mesh, P(DATA_AXIS))


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding of what every device holds whole."""
    return NamedSharding(mesh, P())


def parameter_shardings(boxed_shapes: Any, mesh: Mesh) -> Any:
    """Maps the abstract parameters of `model.init` to shardings by `LOGICAL_AXIS_RULES`.

    Args:
      boxed_shapes: tree of `nn.LogicallyPartitioned` boxes around `jax.ShapeDtypeStruct`.
      mesh: the device mesh.

    Returns:
      The same tree without boxes, a `NamedSharding` at each leaf.
    """
    rules = dict(LOGICAL_AXIS_RULES)

    def sharding(leaf: Any) -> NamedSharding:
        names = leaf.names if isinstance(leaf, nn.LogicallyPartitioned) else ()
        shape = leaf.value.shape if isinstance(leaf, nn.LogicallyPartitioned) else leaf.shape
        return NamedSharding(mesh, spec_of(names, shape, mesh.shape, rules))

    is_box = lambda leaf: isinstance(leaf, nn.LogicallyPartitioned)  # noqa: E731
    return jax.tree.map(sharding, boxed_shapes, is_leaf=is_box)


def spec_of(
    names: tuple[str | None, ...],
    shape: tuple[int, ...],
    mesh_shape: Mapping[str, int],
    rules: Mapping[str, str | None],
) -> P:
    """Returns the partition spec of one array.

    Raises:
      ValueError: a logical axis is not in the table, or two dimensions claim one mesh axis.
    """
    axes: list[str | None] = []
    for name, size in zip(names, shape, strict=True) if names else ():
        if name is not None and name not in rules:
            raise ValueError(f"logical axis {name!r} is not in LOGICAL_AXIS_RULES")
        axis = rules[name] if name is not None else None
        if axis is not None and axis in axes:
            raise ValueError(f"two dimensions of {names} claim the mesh axis {axis!r}")
        axes.append(axis if axis is not None and size % mesh_shape[axis] == 0 else None)
    return P(*axes)


def optimizer_shardings(opt_shapes: Any, params: Any, param_shardings: Any, mesh: Mesh) -> Any:
    """Optimizer slots of a parameter's own shape live where it lives; small ones everywhere.

    Args:
      opt_shapes: abstract optimizer state {'step', 'param_states': {...: {slot: array}}}.
      params: abstract parameters, without boxes.
      param_shardings: their shardings.
      mesh: the device mesh.
    """
    whole = replicated(mesh)

    def slots(param: Any, sharding: NamedSharding, slot_shapes: Mapping[str, Any]) -> Any:
        return {
            slot: sharding if leaf.shape == param.shape else whole
            for slot, leaf in slot_shapes.items()
        }

    states = jax.tree.map(slots, params, param_shardings, opt_shapes["param_states"])
    return {"step": whole, "param_states": states}


def _divisors(count: int) -> list[int]:
    return [size for size in range(1, count + 1) if count % size == 0]
