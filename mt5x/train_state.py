"""The state of training: parameters and optimizer slots, initialised where they will live."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, Mesh

from mt5x import freezing, partitioning
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


def _init_params(model: EncoderDecoderModel, key: jax.Array) -> Any:
    tokens = jnp.ones((1, 1), jnp.int32)
    variables = model.module.init({"params": key}, tokens, tokens, tokens, enable_dropout=False)
    return variables["params"]


@functools.lru_cache(maxsize=16)
def _boxed_shapes(model: EncoderDecoderModel) -> Any:
    return jax.eval_shape(lambda: _init_params(model, jax.random.key(0)))


@functools.lru_cache(maxsize=16)
def abstract_state(model: EncoderDecoderModel) -> TrainState:
    """Shapes and dtypes of the state, from nothing but the config."""
    boxed = _boxed_shapes(model)
    params = nn.unbox(boxed)
    trained, _ = freezing.split(params, model.freeze)
    return TrainState(params, jax.eval_shape(model.optimizer_def.init, trained))


@functools.lru_cache(maxsize=16)
def state_shardings(model: EncoderDecoderModel, mesh: Mesh | AbstractMesh) -> TrainState:
    """Where each array of the state lives on `mesh`."""
    boxed = _boxed_shapes(model)
    shapes, _ = freezing.split(abstract_state(model).params, model.freeze)
    params = partitioning.parameter_shardings(boxed, mesh)
    trained, _ = freezing.split(params, model.freeze)
    slot_axes = model.optimizer_def.slot_axes
    return TrainState(params, partitioning.optimizer_shardings(slot_axes, shapes, trained, mesh))


def init_state(model: EncoderDecoderModel, mesh: Mesh, seed: int) -> TrainState:
    """Fresh parameters and slots, created in place on their devices."""
    return _compiled_init(model, mesh)(jax.random.key(seed))


# Compiled once per (model, mesh): a study starts dozens of runs of one model in one process.
@functools.lru_cache(maxsize=16)
def _compiled_init(model: EncoderDecoderModel, mesh: Mesh) -> Callable[[jax.Array], TrainState]:
    def init(key: jax.Array) -> TrainState:
        params = nn.unbox(_init_params(model, key))
        trained, _ = freezing.split(params, model.freeze)
        return TrainState(params, model.optimizer_def.init(trained))

    return jax.jit(init, out_shardings=state_shardings(model, mesh))
