"""The state of training: parameters and optimizer slots, initialised where they will live."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.sharding import AbstractMesh, Mesh

from mt5x import freezing, initial_values, partitioning
from mt5x.initial_values import boxed_shapes
from mt5x.models import EncoderDecoderModel

Params = Any


@flax.struct.dataclass
class TrainState:
    """What a step reads and writes.

    Attributes:
      params: T5X's parameter tree, float32.
      opt_state: {'step': int32 scalar, 'param_states': slots per parameter}, as T5X stores it;
        frozen parameters have none.
    """

    params: Params
    opt_state: dict[str, Any]

    @property
    def step(self) -> jax.Array:
        """Steps done, int32 scalar."""
        return self.opt_state["step"]

    def as_checkpoint(self) -> dict[str, Any]:
        """The tree of T5X's checkpoints: 'target' and 'state'."""
        return {"target": self.params, "state": self.opt_state}

    @classmethod
    def from_checkpoint(cls, tree: dict[str, Any]) -> "TrainState":
        """The state of such a tree."""
        return cls(params=tree["target"], opt_state=tree["state"])


@functools.lru_cache(maxsize=16)
def abstract_state(model: EncoderDecoderModel) -> TrainState:
    """Shapes and dtypes of the state, from nothing but the config."""
    boxed = boxed_shapes(model)
    params = nn.unbox(boxed)
    trained, _ = freezing.split(params, model.freeze)
    return TrainState(params, jax.eval_shape(model.optimizer_def.init, trained))


@functools.lru_cache(maxsize=16)
def state_shardings(model: EncoderDecoderModel, mesh: Mesh | AbstractMesh) -> TrainState:
    """Where each array of the state lives on `mesh`."""
    boxed = boxed_shapes(model)
    shapes, _ = freezing.split(abstract_state(model).params, model.freeze)
    params = partitioning.parameter_shardings(boxed, mesh)
    trained, _ = freezing.split(params, model.freeze)
    slot_axes = model.optimizer_def.slot_axes
    return TrainState(params, partitioning.optimizer_shardings(slot_axes, shapes, trained, mesh))


def init_state(model: EncoderDecoderModel, mesh: Mesh, seed: int) -> TrainState:
    """Fresh parameters and slots, created in place on their devices."""
    params = unflatten_dict(init_params(model, mesh, seed), sep="/")
    return TrainState(params, init_optimizer(model, mesh))


def init_params(
    model: EncoderDecoderModel, mesh: Mesh, seed: int, wanted: Iterable[str] | None = None
) -> dict[str, jax.Array]:
    """Fresh parameters by their paths, 'encoder/encoder_norm/scale'; of `wanted` those alone."""
    shardings = flatten_dict(state_shardings(model, mesh).params, sep="/")
    return initial_values.draw(model, shardings, seed, wanted)


# Compiled once per (model, mesh): a study starts dozens of runs of one model in one process.
@functools.lru_cache(maxsize=16)
def _compiled_optimizer(model: EncoderDecoderModel, mesh: Mesh) -> Callable[[], dict[str, Any]]:
    shapes = abstract_state(model).params

    def init() -> dict[str, Any]:
        # Slots depend on the shapes of parameters alone.
        trained, _ = freezing.split(jax.tree.map(jnp.zeros_like, shapes), model.freeze)
        return model.optimizer_def.init(trained)

    return jax.jit(init, out_shardings=state_shardings(model, mesh).opt_state)


def init_optimizer(model: EncoderDecoderModel, mesh: Mesh) -> dict[str, Any]:
    """The optimizer's state before the first step."""
    return _compiled_optimizer(model, mesh)()
