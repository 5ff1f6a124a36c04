"""Adafactor with T5X's arithmetic and state tree, and T5X's learning-rate factors.

Adafactor: Shazeer and Stern, arXiv 1804.04235. `optax.adafactor` factors other dimensions in
places and keeps its state under other names, so that T5X's checkpoints would not resume.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mt5x.errors import UserError, nearest

Array = jax.Array
LearningRate = Callable[[Array | int], Array]

_SLOTS = ("m", "v", "v_col", "v_row")


@dataclasses.dataclass(frozen=True)
class Adafactor:
    """T5X's Adafactor; argument names and defaults are T5X's.

    Attributes:
        decay_rate: exponent of the second moment's decay, 1 - (step + 1)^-decay_rate.
        step_offset: subtracted from the step in that decay, to start it anew in fine-tuning.
        clipping_threshold: root-mean-square above which an update is scaled down; None for never.
        multiply_by_parameter_scale: scales each update by its parameter's root mean square.
        factored: keeps row and column means instead of the whole second moment of large matrices.
        min_dim_size_to_factor: a matrix is factored when both its dimensions have this size.
        epsilon1: added to squared gradients.
        epsilon2: least parameter scale.
        beta1: momentum; None (T5's choice) for none.
        weight_decay_rate: share of a parameter taken off each step; None for none.
    """

    decay_rate: float = 0.8
    step_offset: int = 0
    clipping_threshold: float | None = 1.0
    multiply_by_parameter_scale: bool = True
    factored: bool = True
    min_dim_size_to_factor: int = 128
    epsilon1: float = 1e-30
    epsilon2: float = 1e-3
    beta1: float | None = None
    weight_decay_rate: float | None = None

    def init(self, params: Any) -> dict[str, Any]:
        """The state before the first step.

        Args:
            params: tree of float arrays (or shapes of them).

        Returns:
            `{'step': int32 0, 'param_states': tree}`, where each parameter has float32 slots 'm',
            'v', 'v_col', 'v_row'; a slot that is not used has shape (1,), as in T5X's checkpoints.
        """
        states = jax.tree.map(self._init_slots, params)
        return {"step": jnp.zeros((), jnp.int32), "param_states": states}

    def update(
        self, grads: Any, opt_state: dict[str, Any], params: Any, learning_rate: Array | float
    ) -> tuple[Any, dict[str, Any]]:
        """One step.

        Args:
            grads: tree like `params`.
            opt_state: from `init` or the last `update`.
            params: the parameters.
            learning_rate: scalar.

        Returns:
            The new parameters, in their dtypes, and the new state.
        """
        step = opt_state["step"]
        age = jnp.asarray(step - self.step_offset, jnp.float32) + 1.0
        decay = 1.0 - age ** (-self.decay_rate)
        leaves = jax.tree.leaves(params)
        structure: Any = jax.tree.structure(params)
        grad_leaves = structure.flatten_up_to(grads)
        slot_leaves = structure.flatten_up_to(opt_state["param_states"])
        new = [
            self._update_one(grad, slots, param, decay, learning_rate)
            for grad, slots, param in zip(grad_leaves, slot_leaves, leaves, strict=True)
        ]
        new_params = structure.unflatten([param for param, _ in new])
        new_slots = structure.unflatten([slots for _, slots in new])
        return new_params, {"step": step + 1, "param_states": new_slots}

    def factored_dims(self, shape: tuple[int, ...]) -> tuple[int, int] | None:
        """(axis of the rows, axis of the columns) of a factored parameter, or None.

        The columns are the larger dimension, of equal ones the last. `v_row` is the mean over the
        columns, and has the rows' size.
        """
        if not self.factored or len(shape) != 2 or min(shape) < self.min_dim_size_to_factor:
            return None
        rows, columns = np.argsort(shape, kind="stable")
        return int(rows), int(columns)

    def _init_slots(self, param: Any) -> dict[str, Array]:
        slots = {name: jnp.zeros((1,), jnp.float32) for name in _SLOTS}
        dims = self.factored_dims(param.shape)
        if dims is None:
            slots["v"] = jnp.zeros(param.shape, jnp.float32)
        else:
            rows, columns = dims
            slots["v_row"] = jnp.zeros((param.shape[rows],), jnp.float32)
            slots["v_col"] = jnp.zeros((param.shape[columns],), jnp.float32)
        if self.beta1 is not None:
            slots["m"] = jnp.zeros(param.shape, jnp.float32)
        return slots

    def _update_one(
        self,
        grad: Array,
        slots: dict[str, Array],
        param: Array,
        decay: Array,
        learning_rate: Array | float,
    ) -> tuple[Array, dict[str, Array]]:
        grad = grad.astype(jnp.float32)
        square = grad * grad + self.epsilon1
        new = dict(slots)
        dims = self.factored_dims(param.shape)
        if dims is None:
            new["v"] = decay * slots["v"] + (1.0 - decay) * square
            update = grad * new["v"] ** -0.5
        else:
            rows, columns = dims
            new["v_row"] = decay * slots["v_row"] + (1.0 - decay) * jnp.mean(square, axis=columns)
            new["v_col"] = decay * slots["v_col"] + (1.0 - decay) * jnp.mean(square, axis=rows)
            row_scale = (new["v_row"] / jnp.mean(new["v_row"])) ** -0.5
            column_scale = new["v_col"] ** -0.5
            update = (
                grad * jnp.expand_dims(row_scale, columns) * jnp.expand_dims(column_scale, rows)
            )
        if self.clipping_threshold is not None:
            update = update / jnp.maximum(1.0, _rms(update) / self.clipping_threshold)
        scale = jnp.asarray(learning_rate, jnp.float32)
        if self.multiply_by_parameter_scale:
            scale = scale * jnp.maximum(_rms(param.astype(jnp.float32)), self.epsilon2)
        update = scale * update
        if self.beta1 is not None:
            update = self.beta1 * slots["m"] + (1.0 - self.beta1) * update
            new["m"] = update
        kept = param if self.weight_decay_rate is None else (1.0 - self.weight_decay_rate) * param
        return (kept - update).astype(param.dtype), new


def learning_rate(
    factors: str = "constant * linear_warmup * rsqrt_decay",
    base_learning_rate: float = 0.5,
    warmup_steps: int = 1000,
    decay_factor: float = 0.5,
    steps_per_decay: int = 20000,
    steps_per_cycle: int = 100000,
    step_offset: int = 0,
    min_learning_rate: float = 1e-8,
) -> LearningRate:
    """A schedule as the product of T5X's factors.

    With s = max(0, step - step_offset) and w = warmup_steps:
    constant: base_learning_rate; linear_warmup: min(1, s / w); linear_decay: base_learning_rate x
    min(s / w, 1 + decay_factor x (w - s)), which includes the warm-up and the constant;
    rsqrt_decay: 1 / sqrt(max(s, w)); rsqrt_normalized_decay: sqrt(w / max(s, w)); decay_every:
    decay_factor ^ (s // steps_per_decay); cosine_decay: (1 + cos(pi x (s - w) / steps_per_cycle))
    / 2, starting again each cycle.

    Args:
        factors: names joined by '*'.
        base_learning_rate: of 'constant' and 'linear_decay'.
        warmup_steps: w above.
        decay_factor: of 'decay_every' and 'linear_decay'.
        steps_per_decay: of 'decay_every'.
        steps_per_cycle: of 'cosine_decay'.
        step_offset: step at which the schedule begins.
        min_learning_rate: least value returned.

    Returns:
        A function from the step (int or int array) to a float32 scalar.

    Raises:
        UserError: a factor that does not exist, or 'linear_decay' beside what it includes.
    """
    names = [name.strip() for name in factors.split("*")]
    warmup = float(warmup_steps)
    # Each takes s as float32; max(w, 1) only matters where w = 0 would divide by zero.
    known: dict[str, Callable[[Array], Array | float]] = {
        "constant": lambda s: base_learning_rate,
        "linear_warmup": lambda s: jnp.minimum(1.0, s / max(warmup, 1.0)),
        "linear_decay": lambda s: (
            base_learning_rate
            * jnp.minimum(s / max(warmup, 1.0), 1.0 + decay_factor * (warmup - s))
        ),
        "rsqrt_decay": lambda s: jnp.maximum(s, max(warmup, 1.0)) ** -0.5,
        "rsqrt_normalized_decay": lambda s: jnp.sqrt(
            max(warmup, 1.0) / jnp.maximum(s, max(warmup, 1.0))
        ),
        "decay_every": lambda s: decay_factor ** (s // steps_per_decay),
        "cosine_decay": lambda s: (
            0.5 * (1.0 + jnp.cos(np.pi * (jnp.maximum(0.0, (s - warmup) / steps_per_cycle) % 1.0)))
        ),
    }
    for name in names:
        if name not in known:
            raise UserError(
                f"A learning rate's factors are {', '.join(known)}, joined by '*', "
                f"not {name!r}{nearest(name, known, count=1) or '.'}"
            )
    if "linear_decay" in names and {"constant", "linear_warmup"} & set(names):
        raise UserError(
            "The learning-rate factor 'linear_decay' includes the constant and the warm-up: "
            "leave 'constant' and 'linear_warmup' out."
        )

    def schedule(step: Array | int) -> Array:
        since = jnp.maximum(0, jnp.asarray(step) - step_offset).astype(jnp.float32)
        rate = jnp.ones((), jnp.float32)
        for name in names:
            rate = rate * known[name](since)
        return jnp.maximum(rate, min_learning_rate).astype(jnp.float32)

    return schedule


def _rms(x: Array) -> Array:
    return jnp.sqrt(jnp.mean(x * x))
