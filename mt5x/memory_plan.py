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
from flax.traverse_util import flatten_dict

from mt5x import freezing, gradient_memory, train_state
from mt5x.layer_memory import layer_bytes, share_of
from mt5x.model import T5Config
from mt5x.model.config import REMAT_POLICIES
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner, divisors
from mt5x.step_setting import Setting

# Arrays of the size of a layer's largest that its gradient has at once, as compiled for each.
_GRADIENTS_AT_ONCE = {"gpu": 4, "tpu": 4}

# Left to XLA and the runtime: code, collectives' buffers, fragmentation.
USABLE = 0.9


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
    config = model.module.config
    parameters, gradients, optimizer = _state_bytes(model, setting.mesh)
    gradients -= gradient_memory.spared(model, setting)
    kept, at_work = _activations(config, setting, _layers_going_backward(model))
    logits = gradient_memory.logits(model, setting)
    moments = [
        sum(kept.values()) + logits + gradient_memory.in_the_loss(model, setting),
        sum(kept.values()) + at_work["decoder"] + gradient_memory.in_the_decoder(model, setting),
        kept["encoder"] + at_work["encoder"] + gradient_memory.in_the_encoder(model, setting),
    ]
    if setting.num_microbatches > 1:
        # A part's gradients are added one by one to the sum.
        at_once = gradients + max(moments) - gradient_memory.zeros(model, setting)
    else:
        at_once = max(*moments, gradient_memory.at_the_end(model, setting, gradients))
    return Memory(
        parameters=parameters,
        optimizer=optimizer,
        gradients=gradients,
        activations=sum(kept.values()) + max(at_work.values()),
        logits=logits,
        at_once=at_once,
    )


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

    embedding = gradient_memory.EMBEDDING in paths
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
        kept = layer_bytes(share, kind, setting.inputs, setting.targets, setting.target)
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
