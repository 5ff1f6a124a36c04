"""What a training step needs of a device's memory, from shapes alone, and what would make it fit.

No array is made and no device is needed. Parameters, optimizer slots and gradients are counted by
their shardings; activations by tracing one layer as a device sees it (its share of the rows, heads
and hidden features) and adding up what the backward pass is left (`jax.vjp`). Frozen parameters
have no gradient, and layers before the first trained one leave nothing; where a step knows only the
rows of the embedding that it uses, the gradient is as small. A step needs what its worst moment
does, and the moments are few: the loss, one layer of each stack going backward, and the end, when
all gradients are there. It is an estimate; `mt5x plan --compile` asks the compiler.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from mt5x import freezing, gpu_memory, losses, partitioning, target, train_state, used_rows
from mt5x.errors import UserError, nearest
from mt5x.layer_memory import layer_bytes, share_of
from mt5x.model import T5Config
from mt5x.model.config import REMAT_POLICIES
from mt5x.models import EncoderDecoderModel
from mt5x.optimizers import alike
from mt5x.partitioning import Partitioner, divisors
from mt5x.target import UNKNOWN, Target

GIB = 2**30

# Memory of one device (one JAX device: a core of v2 and v3) in GiB, by the vendors' data sheets.
DEVICE_MEMORY_GIB = {
    "v2": 8, "v3": 16, "v4": 32, "v5e": 16, "v5p": 95, "v6e": 32,
    "t4": 16, "v100": 16, "l4": 24, "a100": 40, "a100-80": 80, "h100": 80, "h200": 141,
}  # fmt: skip

# developer.nvidia.com/cuda-gpus
_COMPUTE_CAPABILITIES = {
    "t4": 7.5, "v100": 7.0, "l4": 8.9, "a100": 8.0, "a100-80": 8.0, "h100": 9.0, "h200": 9.0,
}  # fmt: skip

_EMBEDDING = "token_embedder/embedding"

# Arrays of the size of a layer's largest that its gradient has at once, as compiled for each.
_GRADIENTS_AT_ONCE = {"gpu": 4, "tpu": 4}

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
      target: the kind of the devices.
    """

    devices: int
    partitioner: Partitioner = Partitioner()
    remat_policy: str = "none"
    num_microbatches: int = 1
    batch_size: int = 128
    inputs: int = 1024
    targets: int = 128
    target: Target = UNKNOWN

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
      gradients: float32 gradients of what is trained.
      activations: what the forward pass leaves to the backward pass, and one layer at work.
      logits: logits of one piece of the loss, their gradient where that is another array, the
        gradient of their table, and the table itself where it is gathered over 'fsdp'.
      at_once: most of the last three that is held at one moment; with microbatches the sum of
        their gradients beside it.
    """

    parameters: int
    optimizer: int
    gradients: int
    activations: int
    logits: int
    at_once: int

    @property
    def total(self) -> int:
        """The peak, bytes."""
        return self.parameters + self.optimizer + self.at_once


def memory_of(model: EncoderDecoderModel, setting: Setting) -> Memory:
    """Estimates what a step needs on each device.

    Raises:
      UserError: partitions, microbatches or batch do not divide.
    """
    setting.check()
    config, mesh = model.module.config, setting.mesh
    parameters, gradients, optimizer = _state_bytes(model, mesh)
    gradients -= _spared(model, setting)
    kept, at_work = _activations(config, setting, _layers_going_backward(model))
    logits, tables = _logits(config, setting), _table_gradients(model, setting)
    gathered = tables["embedding"] if _gathers_for_long(model, setting) else 0
    # The gradient of the embedding starts as zeros, which XLA makes when it likes.
    moments = [
        gathered + sum(kept.values()) + logits + tables["embedding"],
        sum(kept.values()) + at_work["decoder"] + sum(tables.values()),
        kept["encoder"] + at_work["encoder"] + _local_gradients(model, setting, "decoder"),
    ]
    if setting.num_microbatches > 1:
        # A part's gradients are added one by one to the sum.
        at_once = gradients + max(moments) - tables["embedding"]
    else:
        end = _summed_over_devices(model, setting, tables) + _stacked(model, setting)
        at_once = max(*moments, gradients + end)
    return Memory(
        parameters=parameters,
        optimizer=optimizer,
        gradients=gradients,
        activations=sum(kept.values()) + max(at_work.values()),
        logits=logits,
        at_once=at_once,
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


def target_of(device: str | None) -> Target:
    """What a step is traced for that will run on a device of `DEVICE_MEMORY_GIB`, or on a 'cpu'."""
    if device is None:
        return UNKNOWN
    if device == "cpu":
        return Target("cpu")
    if device not in _COMPUTE_CAPABILITIES:
        return Target("tpu")
    memory = int(gpu_memory.SHARE * DEVICE_MEMORY_GIB[device] * GIB)
    return Target("gpu", _COMPUTE_CAPABILITIES[device], memory)


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

    embedding = _EMBEDDING in paths
    in_encoder = any(path.startswith("encoder/") for path in paths)
    return {
        "encoder": passed("encoder", config.num_encoder_layers, embedding),
        "decoder": passed("decoder", config.num_decoder_layers, embedding or in_encoder),
    }


def _activations(
    config: T5Config, setting: Setting, layers: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """What each stack leaves to the backward pass, and what one layer of it at work needs."""
    share = share_of(config, setting.partitioner.num_partitions)
    policy, rows = setting.remat_policy, setting.rows
    left, at_work = {}, {}
    for kind, count in layers.items():
        kept = layer_bytes(share, kind, setting.inputs, setting.targets, _of_one(setting))
        left[kind] = count * kept[policy].of(rows)
        # Going backward, a layer has what was kept or is computed again, and the gradients of its
        # largest array: accelerators, which work on many at once, have several.
        again = kept["none"].of(rows) - kept[policy].of(rows)
        if policy != "none":
            again -= rows * kept["none"].cheap
        gradients = rows * kept["none"].largest
        gradients *= _GRADIENTS_AT_ONCE.get(setting.target.platform, 1)
        at_work[kind] = again + gradients if count else 0
    return left, at_work


def _of_one(setting: Setting) -> Target:
    """What a layer is traced for; kernels of our own are for one device alone."""
    one = setting.mesh.size == 1
    return setting.target if one else dataclasses.replace(setting.target, compute_capability=0.0)


def _logits(config: T5Config, setting: Setting) -> int:
    vocab = _vocabulary_share(config, setting)
    table = 4 * config.emb_dim * vocab
    logits = setting.rows * setting.targets * vocab * 4
    with target.planned(setting.target):
        pieces = min(-(-logits // losses.room_for_logits()), setting.targets)
        half = losses.operand_dtype(config.dtype) == jnp.bfloat16
    piece = logits // pieces
    # The logits' gradient, where it is multiplied in another type.
    piece += piece // 2 if half else 0
    # The gradient of the table; of several pieces, the sum and the piece's.
    gradients = table if pieces == 1 else 2 * table
    gathered = table if setting.mesh.shape[partitioning.FSDP_AXIS] > 1 else 0
    return piece + gradients + gathered


def _vocabulary_share(config: T5Config, setting: Setting) -> int:
    """Columns of the logits on a device."""
    parts = setting.partitioner.num_partitions
    return config.vocab_size // (parts if config.vocab_size % parts == 0 else 1)


def _table_gradients(model: EncoderDecoderModel, setting: Setting) -> dict[str, int]:
    """Bytes of the gradients of the two tables over the vocabulary, before devices are summed."""
    config = model.module.config
    table = 4 * config.emb_dim * _vocabulary_share(config, setting)
    trained = _local_sizes(model, setting.partitioner.num_partitions)
    return {
        "embedding": table - _spared(model, setting) if _EMBEDDING in trained else 0,
        "logits": table if "decoder/logits_dense/kernel" in trained else 0,
    }


def _summed_over_devices(
    model: EncoderDecoderModel, setting: Setting, tables: Mapping[str, int]
) -> int:
    """Beside the gradients, what is there while they are summed over the rows' devices.

    That is what goes into the sum, and what the embedding gets from the inputs and from the
    targets, which are summed apart. Over 'fsdp' gradients are split as they are summed, one after
    another, and the worst is the embedding's; but a TPU, unless it loops over the layers, sums all
    in the end, with both tables still gathered.
    """
    if partitioning.batch_parts(setting.mesh) == 1:
        return 0
    if _gathers_for_long(model, setting):
        return _local_gradients(model, setting) + 2 * sum(tables.values())
    if setting.partitioner.fsdp_partitions > 1:
        return 2 * max(2 * tables["embedding"], tables["logits"])
    return _local_gradients(model, setting) + 2 * tables["embedding"]


def _gathers_for_long(model: EncoderDecoderModel, setting: Setting) -> bool:
    """Whether what is split over 'fsdp' is gathered at the beginning and summed in the end."""
    split = setting.partitioner.fsdp_partitions > 1 and setting.target.platform == "tpu"
    return split and not model.module.config.scan_layers


def _stacked(model: EncoderDecoderModel, setting: Setting) -> int:
    """Bytes of what one GPU stacks of small parameters: they, their gradients, and they anew."""
    if setting.target.platform != "gpu" or setting.mesh.size > 1:
        return 0
    sizes = _local_sizes(model, 1).values()
    return 3 * sum(size for size in sizes if size < 4 * alike.LARGE)


def _local_gradients(model: EncoderDecoderModel, setting: Setting, under: str = "") -> int:
    """Bytes of the gradients of a device's own rows: split over 'model' alone."""
    sizes = _local_sizes(model, setting.partitioner.num_partitions)
    whole = sum(size for path, size in sizes.items() if path.startswith(under))
    return whole - (_spared(model, setting) if _EMBEDDING.startswith(under) else 0)


def _spared(model: EncoderDecoderModel, setting: Setting) -> int:
    """Bytes of the embedding's gradient that a step never holds (`used_rows`)."""
    num_ids = setting.batch_size * (setting.inputs + setting.targets)
    if setting.mesh.size > 1 or not used_rows.worth(model, num_ids):
        return 0
    # The rows themselves are held, too, beside their gradient.
    config = model.module.config
    return 4 * config.emb_dim * (config.vocab_size - 2 * num_ids)


@functools.lru_cache(maxsize=64)
def _local_sizes(model: EncoderDecoderModel, num_partitions: int) -> Mapping[str, int]:
    """Bytes of each trained parameter, by its path, on one device of the model axis."""
    mesh = partitioning.abstract_mesh(1, num_partitions)
    shapes, places = (
        flatten_dict(freezing.split(tree, model.freeze)[0], sep="/")
        for tree in (
            train_state.abstract_state(model).params,
            train_state.state_shardings(model, mesh).params,
        )
    )
    return {path: _bytes_on_device(shapes[path], places[path]) for path in shapes}
