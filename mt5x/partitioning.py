"""Where every array lives: one mesh, one table from logical axes to mesh axes.

The mesh has three axes. 'data' and 'fsdp' split the batch, 'model' splits the network (tensor
parallelism); over 'fsdp' the parameters and optimizer slots are split as well, and each kernel is
gathered when it is used (ZeRO-3, arXiv 1910.02054). The table is T5X's standard one for parameters
split in two dimensions and activations split by batch. A dimension that a mesh axis does not
divide evenly stays whole.
"""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from mt5x.errors import UserError

DATA_AXIS = "data"
FSDP_AXIS = "fsdp"
MODEL_AXIS = "model"
MESH_AXES = (DATA_AXIS, FSDP_AXIS, MODEL_AXIS)
_AUTO = (AxisType.Auto,) * len(MESH_AXES)

# 'embed' is the width of a parameter; that of an activation is written None, since its batch
# already lies on 'fsdp'. So a kernel in use is `gathered`, its 'embed' None.
LOGICAL_AXIS_RULES: tuple[tuple[str, str | tuple[str, ...] | None], ...] = (
    ("batch", (DATA_AXIS, FSDP_AXIS)),
    ("vocab", MODEL_AXIS),
    ("joined_kv", MODEL_AXIS),
    ("heads", MODEL_AXIS),
    ("mlp", MODEL_AXIS),
    ("embed", FSDP_AXIS),
    ("kv", None),
    ("length", None),
    ("relpos_buckets", None),
)
_RULES = dict(LOGICAL_AXIS_RULES)

AnyMesh = Mesh | AbstractMesh


@dataclasses.dataclass(frozen=True)
class Partitioner:
    """Chooses the mesh.

    Attributes:
      num_partitions: devices that one copy of the network is split over (the 'model' axis).
        T5X's argument of this name.
      fsdp_partitions: devices that parameters and optimizer slots are further split over (the
        'fsdp' axis); it splits the batch too. What remains of the device count is 'data'.
    """

    num_partitions: int = 1
    fsdp_partitions: int = 1

    @functools.cached_property
    def mesh(self) -> Mesh:
        """The [data, fsdp, model] mesh over all devices.

        Raises:
          UserError: the partitions do not divide the devices.
        """
        return make_mesh(*self.axis_sizes(jax.device_count()))

    def axis_sizes(self, devices: int) -> tuple[int, int, int]:
        """Devices along 'data', 'model' and 'fsdp', the order of `make_mesh`.

        Raises:
          UserError: the partitions do not divide the number of devices.
        """
        for name, size, of in (
            ("num_partitions", self.num_partitions, devices),
            ("fsdp_partitions", self.fsdp_partitions, devices // max(self.num_partitions, 1)),
        ):
            if size < 1 or of % size:
                raise UserError(
                    f"{name}={size} does not divide the {of} devices"
                    f"{'' if of == devices else ' that each part of the network has'}; "
                    f"choose one of {divisors(of)}"
                )
        rest = devices // (self.num_partitions * self.fsdp_partitions)
        return rest, self.num_partitions, self.fsdp_partitions

    def check_batch_size(self, batch_size: int, num_microbatches: int = 1) -> None:
        """Refuses a global batch that microbatches and the axes of the batch do not divide.

        Raises:
          UserError: it is not; the nearest batch sizes are named.
        """
        check_batch_size(self.mesh, batch_size, num_microbatches)


def make_mesh(
    data: int, model: int, fsdp: int = 1, *, devices: Sequence[jax.Device] | None = None
) -> Mesh:
    """Returns a [data, fsdp, model] mesh over the first data * fsdp * model devices."""
    shape = (data, fsdp, model)
    devices = list(jax.devices() if devices is None else devices)
    chosen = devices[: math.prod(shape)]
    # All of a TPU slice: in an order that puts neighbours on 'model' beside one another.
    whole = len(chosen) == len(devices) and devices[0].platform == "tpu"
    grid = (
        mesh_utils.create_device_mesh(shape, chosen, allow_split_physical_axes=True)
        if whole
        else np.asarray(chosen, dtype=object).reshape(shape)
    )
    return Mesh(grid, MESH_AXES, axis_types=_AUTO)


def abstract_mesh(data: int, model: int, fsdp: int = 1) -> AbstractMesh:
    """The same mesh of devices that need not be there: for shardings of shapes."""
    return AbstractMesh((data, fsdp, model), MESH_AXES, axis_types=_AUTO)


def batch_parts(mesh: AnyMesh) -> int:
    """Into how many parts the rows of a batch are split."""
    return mesh.shape[DATA_AXIS] * mesh.shape[FSDP_AXIS]


def check_batch_size(mesh: AnyMesh, batch_size: int, num_microbatches: int = 1) -> None:
    """Refuses a global batch that microbatches and the axes of the batch do not divide.

    Raises:
      UserError: it is not; the nearest batch sizes are named.
    """
    if num_microbatches < 1:
        raise UserError(f"NUM_MICROBATCHES={num_microbatches} must be 1 or more; use 1 for none")
    parts = batch_parts(mesh) * num_microbatches
    if batch_size % parts:
        lower = max(batch_size // parts, 1) * parts
        over = f"{batch_parts(mesh)} devices"
        if num_microbatches > 1:
            over = f"{num_microbatches} microbatches on {over}"
        raise UserError(
            f"BATCH_SIZE={batch_size} cannot be divided over {over}; "
            f"use {lower} or {(batch_size // parts + 1) * parts}"
        )


def batch_sharding(mesh: AnyMesh) -> NamedSharding:
    """The sharding of every batch feature: rows over the axes of the batch."""
    return NamedSharding(mesh, P((DATA_AXIS, FSDP_AXIS)))


def replicated(mesh: AnyMesh) -> NamedSharding:
    """The sharding of what every device holds whole."""
    return NamedSharding(mesh, P())


def on_mesh(mesh: AnyMesh) -> contextlib.AbstractContextManager[Any]:
    """Within it, and inside of `jit`, `constrain` places activations on `mesh`."""
    return jax.sharding.use_abstract_mesh(
        mesh if isinstance(mesh, AbstractMesh) else mesh.abstract_mesh
    )


def on_one_device() -> bool:
    """Whether what is traced here runs on one device: on a mesh of one, or on none."""
    mesh = jax.sharding.get_abstract_mesh()
    return bool(mesh.empty or mesh.size == 1)


def constrain(x: jax.Array, names: tuple[str | None, ...]) -> jax.Array:
    """Says where an activation lives; outside of `on_mesh`, or on one device, `x` itself.

    Args:
      x: an array under `jit`.
      names: the logical axis of each dimension; None stays whole.
    """
    if on_one_device():
        return x
    mesh = jax.sharding.get_abstract_mesh()
    spec = spec_of(names, x.shape, mesh.shape, _RULES)
    return jax.lax.with_sharding_constraint(x, spec)


def on_each_device(
    function: Callable[..., jax.Array],
    names: Sequence[tuple[str | None, ...]],
    result: int,
) -> Callable[..., jax.Array]:
    """`function` of the part of each array that a device has, for what XLA cannot split.

    Args:
      function: of arrays, or None in their place, that computes each part by itself.
      names: the logical axis of each dimension of each argument.
      result: the argument as which the result is split.
    """
    if on_one_device():
        return function
    mesh = jax.sharding.get_abstract_mesh()

    def by_parts(*arrays: jax.Array | None) -> jax.Array:
        specs = [
            P() if array is None else spec_of(axes, array.shape, mesh.shape, _RULES)
            for axes, array in zip(names, arrays, strict=True)
        ]
        # What all devices have whole is not checked to be the same.
        split = jax.shard_map(
            function, in_specs=tuple(specs), out_specs=specs[result], check_vma=False
        )
        return split(*arrays)

    return by_parts


def gathered(names: tuple[str | None, ...]) -> tuple[str | None, ...]:
    """The logical axes of a parameter in use: no longer split over 'fsdp'."""
    return tuple(None if name == "embed" else name for name in names)


def parts_of(shape: tuple[int, ...], names: tuple[str | None, ...]) -> int:
    """Into how many parts `constrain` splits an array of this shape."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty:
        return 1
    spec = spec_of(names, shape, mesh.shape, _RULES)
    return math.prod(mesh.shape[axis] for axes in spec for axis in _tuple_of(axes))


def parameter_shardings(boxed_shapes: Any, mesh: AnyMesh) -> Any:
    """Maps the abstract parameters of `model.init` to shardings by `LOGICAL_AXIS_RULES`.

    Args:
      boxed_shapes: tree of `nn.LogicallyPartitioned` boxes around `jax.ShapeDtypeStruct`.
      mesh: the device mesh.

    Returns:
      The same tree without boxes, a `NamedSharding` at each leaf.
    """

    # Vectors (scales of norms) stay whole: to gather one costs more time than holding it.
    def sharding(leaf: Any) -> NamedSharding:
        names = leaf.names if isinstance(leaf, nn.LogicallyPartitioned) else ()
        shape = leaf.value.shape if isinstance(leaf, nn.LogicallyPartitioned) else leaf.shape
        names = names if len(shape) > 1 else ()
        return NamedSharding(mesh, spec_of(names, shape, mesh.shape, _RULES))

    is_box = lambda leaf: isinstance(leaf, nn.LogicallyPartitioned)  # noqa: E731
    return jax.tree.map(sharding, boxed_shapes, is_leaf=is_box)


def spec_of(
    names: tuple[str | None, ...],
    shape: tuple[int, ...],
    mesh_shape: Mapping[str, int],
    rules: Mapping[str, str | tuple[str, ...] | None],
) -> P:
    """Returns the partition spec of one array.

    Raises:
      ValueError: a logical axis is not in the table, or two dimensions claim one mesh axis.
    """
    found: list[str | tuple[str, ...] | None] = []
    claimed: set[str] = set()
    for name, size in zip(names, shape, strict=True) if names else ():
        if name is not None and name not in rules:
            raise ValueError(f"logical axis {name!r} is not in LOGICAL_AXIS_RULES")
        axes = rules[name] if name is not None else None
        for axis in _tuple_of(axes):
            if axis in claimed:
                raise ValueError(f"two dimensions of {names} claim the mesh axis {axis!r}")
            claimed.add(axis)
        parts = math.prod(mesh_shape[axis] for axis in _tuple_of(axes))
        found.append(axes if size % parts == 0 else None)
    return P(*found)


def optimizer_shardings(
    slot_axes: Callable[[tuple[int, ...]], Mapping[str, tuple[int, ...]]],
    params: Any,
    param_shardings: Any,
    mesh: AnyMesh,
) -> Any:
    """Where an optimizer's state lives: each slot split as the axes that it has of its parameter.

    Args:
      slot_axes: maps a parameter's shape to {slot: axes of the parameter}, as `Optimizer` does.
      params: abstract parameters, without boxes, those that the optimizer updates.
      param_shardings: their shardings.
      mesh: the device mesh.
    """

    def slots(param: Any, sharding: NamedSharding) -> Any:
        spec = (*sharding.spec, *[None] * (len(param.shape) - len(sharding.spec)))
        return {
            slot: NamedSharding(mesh, P(*[spec[axis] for axis in axes]))
            for slot, axes in slot_axes(param.shape).items()
        }

    states = jax.tree.map(slots, params, param_shardings)
    return {"step": replicated(mesh), "param_states": states}


def divisors(count: int) -> list[int]:
    """The numbers that divide `count`, in increasing order."""
    return [size for size in range(1, count + 1) if count % size == 0]


def _tuple_of(axes: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (axes,) if isinstance(axes, str) else axes or ()
