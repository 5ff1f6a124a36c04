"""What a training step needs of a device's memory, from shapes alone, and what would make it fit.

No array is made and no device is needed. Parameters, optimizer slots and gradients are counted by
their shardings; activations by tracing one layer as a device sees it (its share of the rows, heads
and hidden features) and adding up what the backward pass is left (`jax.vjp`). Frozen parameters
have no gradient, and layers before the first trained one leave nothing. It is an estimate: XLA
fuses some of it away, and has temporaries of its own.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.extend
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from mt5x import freezing, losses, partitioning, train_state
from mt5x.errors import UserError, nearest
from mt5x.model import T5Config
from mt5x.model.config import REMAT_POLICIES
from mt5x.model.stack import SAVED
from mt5x.model.transformer import DecoderLayer, EncoderLayer
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner, divisors

GIB = 2**30

# Memory of one device (one JAX device: a core of v2 and v3) in GiB, by the vendors' data sheets.
DEVICE_MEMORY_GIB = {
    "v2": 8, "v3": 16, "v4": 32, "v5e": 16, "v5p": 95, "v6e": 32,
    "t4": 16, "v100": 16, "l4": 24, "a100": 40, "a100-80": 80, "h100": 80, "h200": 141,
}  # fmt: skip

# Left to XLA and the runtime: code, collectives' buffers, fragmentation.
USABLE = 0.9


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a training step is made of, beside the model's sizes.

    Attributes:
      devices: all devices of the run.
      partitioner: how they are arranged.
      remat_policy: T5Config's.
      num_microbatches: parts that a batch is computed in.
      batch_size: sequences of a step, over all devices.
      inputs: length of the inputs in tokens.
      targets: length of the targets in tokens.
    """

    devices: int
    partitioner: Partitioner = Partitioner()
    remat_policy: str = "none"
    num_microbatches: int = 1
    batch_size: int = 128
    inputs: int = 1024
    targets: int = 128

    @property
    def mesh(self) -> jax.sharding.AbstractMesh:
        """The mesh, of devices that need not be there."""
        return partitioning.abstract_mesh(*self.partitioner.axis_sizes(self.devices))

    @property
    def rows(self) -> int:
        """Sequences that a device computes at once."""
        return self.batch_size // self.num_microbatches // partitioning.batch_parts(self.mesh)

    def check(self) -> None:
        """Refuses what training would refuse.

        Raises:
          UserError: partitions, microbatches or batch do not divide.
        """
        partitioning.check_batch_size(self.mesh, self.batch_size, self.num_microbatches)


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes on one device during a step.

    Attributes:
      parameters: float32 parameters.
      optimizer: the optimizer's slots.
      gradients: float32 gradients of what is trained, twice with microbatches (the sum and the
        part).
      activations: what the forward pass leaves to the backward pass, and one layer at work.
      logits: logits of one piece of the loss and what is made of them, with the embedding's and
        the logits' tables gathered over 'fsdp' and the table's gradient.
    """

    parameters: int
    optimizer: int
    gradients: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """All of it, bytes."""
        return sum(dataclasses.astuple(self))


def memory_of(model: EncoderDecoderModel, setting: Setting) -> Memory:
    """Estimates what a step needs on each device.

    Raises:
      UserError: partitions, microbatches or batch do not divide.
    """
    setting.check()
    config, mesh = model.module.config, setting.mesh
    parameters, trained, optimizer = _state_bytes(model, mesh)
    copies = 1 if setting.num_microbatches == 1 else 2
    return Memory(
        parameters=parameters,
        optimizer=optimizer,
        gradients=copies * trained,
        activations=_activations(config, setting, _layers_going_backward(model)),
        logits=_logits(config, setting),
    )


def capacity(device: str | None, memory: str | None) -> int | None:
    """Bytes of a device, by its name or as a text such as '16GiB'; None where neither is given.

    Raises:
      UserError: an unknown device, or a text that is no amount of memory.
    """
    if memory is not None:
        number, unit = memory.strip(), 1
        for suffix, size in (("GiB", GIB), ("GB", 10**9), ("G", GIB), ("MiB", 2**20)):
            if number.endswith(suffix):
                number, unit = number.removesuffix(suffix), size
                break
        try:
            return int(float(number) * unit)
        except ValueError:
            raise UserError(f"--memory={memory} is not an amount; write it as 16GiB") from None
    if device is None:
        return None
    if device not in DEVICE_MEMORY_GIB:
        raise UserError(
            f"unknown device {device}{nearest(device, DEVICE_MEMORY_GIB, count=1)}; "
            f"known are {', '.join(DEVICE_MEMORY_GIB)}, for others give --memory"
        )
    return DEVICE_MEMORY_GIB[device] * GIB


def what_fits(model: EncoderDecoderModel, setting: Setting, memory: int) -> Setting | None:
    """The least change of `setting` that fits in `memory` bytes, or None.

    Tried are recomputation, microbatches, full sharding and more partitions of the network, in the
    order of what they cost in time: first what changes least.
    """
    for candidate in sorted(_candidates(setting), key=functools.partial(_cost, setting)):
        if fits(memory_of(model, candidate), memory):
            return candidate
    return None


def fits(needed: Memory, memory: int) -> bool:
    """Whether a step's memory leaves the share of a device that the runtime wants."""
    return needed.total <= USABLE * memory


def _candidates(setting: Setting) -> Iterator[Setting]:
    for partitions in divisors(setting.devices):
        for fsdp in divisors(setting.devices // partitions):
            rows = setting.devices // partitions
            if setting.batch_size % rows:
                continue
            for parts in divisors(setting.batch_size // rows):
                for policy in REMAT_POLICIES:
                    yield dataclasses.replace(
                        setting,
                        partitioner=Partitioner(partitions, fsdp),
                        remat_policy=policy,
                        num_microbatches=parts,
                    )


def _cost(old: Setting, new: Setting) -> tuple[int, ...]:
    """Full sharding costs least, then recomputation, then partitions, then microbatches."""
    return (
        new.num_microbatches,
        new.partitioner.num_partitions != old.partitioner.num_partitions,
        new.partitioner.num_partitions,
        REMAT_POLICIES.index(new.remat_policy),
        new.partitioner.fsdp_partitions != old.partitioner.fsdp_partitions,
        new.partitioner.fsdp_partitions,
    )


@functools.lru_cache(maxsize=256)
def _state_bytes(
    model: EncoderDecoderModel, mesh: jax.sharding.AbstractMesh
) -> tuple[int, int, int]:
    """Bytes on a device of all parameters, of the trained ones, and of the optimizer's state."""
    state, places = train_state.abstract_state(model), train_state.state_shardings(model, mesh)
    trained, trained_places = (
        freezing.split(tree, model.freeze)[0] for tree in (state.params, places.params)
    )
    return (
        _bytes_on_device(state.params, places.params),
        _bytes_on_device(trained, trained_places),
        _bytes_on_device(state.opt_state, places.opt_state),
    )


def _bytes_on_device(shapes: Any, places: Any) -> int:
    return sum(
        math.prod(place.shard_shape(leaf.shape)) * leaf.dtype.itemsize
        for leaf, place in zip(jax.tree.leaves(shapes), jax.tree.leaves(places), strict=True)
    )


@functools.lru_cache(maxsize=256)
def _layers_going_backward(model: EncoderDecoderModel) -> Mapping[str, int]:
    """How many layers of each stack the gradient passes: the last ones, from the first trained."""
    config = model.module.config
    trained = freezing.split(train_state.abstract_state(model).params, model.freeze)[0]
    paths = set(flatten_dict(trained, sep="/"))

    def passed(stack: str, count: int, beyond: bool) -> int:
        if beyond or f"{stack}/relpos_bias/rel_embedding" in paths:
            return count
        found = (re.match(rf"{stack}/layers_(\d+)/", path) for path in paths)
        first = min((int(match[1]) for match in found if match), default=count)
        # A loop over the layers keeps all of them or none.
        return count if config.scan_layers and first < count else count - first

    embedding = "token_embedder/embedding" in paths
    in_encoder = any(path.startswith("encoder/") for path in paths)
    return {
        "encoder": passed("encoder", config.num_encoder_layers, embedding),
        "decoder": passed("decoder", config.num_decoder_layers, embedding or in_encoder),
    }


def _activations(config: T5Config, setting: Setting, layers: Mapping[str, int]) -> int:
    share = _share_of(config, setting.partitioner.num_partitions)
    policy, total, at_work = setting.remat_policy, 0, 0
    for kind, count in layers.items():
        kept = _layer_bytes(share, kind, setting.inputs, setting.targets)
        total += count * kept[policy].of(setting.rows)
        # A layer that goes backward has gradients of all its parts, and the parts themselves:
        # those are counted already where nothing is computed again.
        times = 1 if policy == "none" else 2
        at_work = max(at_work, times * kept["none"].of(setting.rows))
    return total + at_work


def _logits(config: T5Config, setting: Setting) -> int:
    mesh, width = setting.mesh, config.emb_dim
    vocab = config.vocab_size
    if vocab % setting.partitioner.num_partitions == 0:
        vocab //= setting.partitioner.num_partitions
    pieces = min(setting.rows * setting.targets * vocab * 4, losses.LOGITS_BYTES)
    table = 4 * width * vocab
    # The tables of embedding and logits in use, where they are split, and the gradient of one.
    gathered = 2 * table if mesh.shape[partitioning.FSDP_AXIS] > 1 else 0
    # Logits, their softmax and their gradient.
    return 3 * pieces + gathered + table


def _share_of(config: T5Config, parts: int) -> T5Config:
    """The network as one device of the model axis computes it; what does not divide is whole."""

    def share(size: int) -> int:
        return size // parts if size % parts == 0 else size

    return dataclasses.replace(
        config, num_heads=share(config.num_heads), mlp_dim=share(config.mlp_dim)
    )


@dataclasses.dataclass(frozen=True)
class _Kept:
    """Bytes that a layer leaves to the backward pass: for each row, and whatever the rows."""

    per_row: int
    constant: int

    def of(self, rows: int) -> int:
        return rows * self.per_row + self.constant


@functools.lru_cache(maxsize=256)
def _layer_bytes(config: T5Config, kind: str, inputs: int, targets: int) -> dict[str, _Kept]:
    """What one layer leaves to the backward pass under each policy."""

    def array(*dims: int, dtype: Any = config.dtype) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(dims, dtype)

    length = inputs if kind == "encoder" else targets
    x, source = array(1, length, config.emb_dim), array(1, inputs, config.emb_dim)
    mask = array(1, 1, length, length, dtype=jnp.bool_)
    per_layer = config.relative_bias_per_layer
    bias = None if per_layer else array(1, config.num_heads, length, length)
    layer: Any
    drawn: tuple[Any, ...]
    shared: tuple[Any, ...]
    if kind == "encoder":
        layer, drawn, shared = EncoderLayer(config), (x,), (mask, bias)
    else:
        cross = array(1, 1, targets, inputs, dtype=jnp.bool_)
        layer, drawn, shared = DecoderLayer(config), (x, source), (source, mask, cross, bias)
    key = jax.eval_shape(lambda: jax.random.key(0))
    masks = jax.eval_shape(
        lambda key, *drawn: layer.apply(
            {}, *drawn, True, method="draw_masks", rngs={"dropout": key}
        ),
        key, *drawn,
    )  # fmt: skip
    boxed = jax.eval_shape(lambda key, *rest: layer.init(key, *rest), key, x, *shared, masks)
    params = nn.unbox(boxed)["params"]
    return {
        policy: _left_to_backward(layer, policy, params, x, shared, masks)
        for policy in REMAT_POLICIES
    }


def _left_to_backward(
    layer: Any, policy: str, params: Any, x: Any, shared: Any, masks: Any
) -> _Kept:
    """Traces a layer and adds up what `jax.vjp` keeps; what all layers share is not its own."""

    def one_layer(x: Any, params: Any, masks: Any, shared: Any) -> Any:
        return layer.apply({"params": params}, x, *shared, masks)

    function = one_layer if policy == "none" else jax.checkpoint(one_layer, policy=SAVED[policy])

    def forward(*arguments: Any) -> Any:
        return jax.tree.leaves(jax.vjp(function, *arguments)[1])

    jaxpr = jax.make_jaxpr(forward)(x, params, masks, shared).jaxpr
    own = len(jax.tree.leaves((x, params, masks)))
    not_ours = set(jaxpr.invars[1 : 1 + len(jax.tree.leaves(params))] + jaxpr.invars[own:])
    kernels = {leaf.shape for leaf in jax.tree.leaves(params)}
    per_row = constant = 0
    for value in {v for v in jaxpr.outvars if isinstance(v, jax.extend.core.Var)} - not_ours:
        size: Any = value.aval
        size_bytes = size.size * size.dtype.itemsize
        if size.shape in kernels:
            # Cast, and gathered over 'fsdp': kept where nothing is computed again.
            constant += size_bytes
        else:
            per_row += size_bytes
    return _Kept(per_row, constant)
