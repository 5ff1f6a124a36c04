"""Adafactor with T5X's arithmetic and state tree.

Adafactor: Shazeer and Stern, arXiv 1804.04235. `optax.adafactor` factors other dimensions in
places and keeps its state under other names, so that T5X's checkpoints would not resume.

T5X's `logical_factor_rules`, which its model files bind, choose the factored dimensions of
parameters of more than two dimensions; for matrices T5X sets them aside and takes the dimensions
by size, as here (t5x/adafactor.py, `_parse_rule`). No parameter of this tree has more than two.
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from mt5x.optimizers.optimizer import Optimizer, Slots

Array = jax.Array

_SLOTS = ("m", "v", "v_col", "v_row")


@dataclasses.dataclass(frozen=True)
class Adafactor(Optimizer):
    """T5X's Adafactor; argument names and defaults are T5X's.

    A slot that is not used has shape (1,), as in T5X's checkpoints.

    Attributes:
        decay_rate: exponent of the second moment's decay, 1 - (step + 1)^-decay_rate.
        clipping_threshold: root-mean-square above which an update is scaled down; None for never.
        multiply_by_parameter_scale: scales each update by its parameter's root mean square.
        factored: keeps row and column means instead of the whole second moment of large matrices.
        min_dim_size_to_factor: a matrix is factored when both its dimensions have this size.
        epsilon1: added to squared gradients.
        epsilon2: least parameter scale.
        max_parameter_scale: largest parameter scale; None for none.
        beta1: momentum; None (T5's choice) for none.
        weight_decay_rate: share of a parameter taken off each step; None for none.
        weight_decay_rate_lr_exponent: multiplies that share by the learning rate to this power;
            alone it stands for a share of 1. None for not.
        skip_nan_updates: leaves each number as it was whose update is NaN.
    """

    decay_rate: float = 0.8
    clipping_threshold: float | None = 1.0
    multiply_by_parameter_scale: bool = True
    factored: bool = True
    min_dim_size_to_factor: int = 128
    epsilon1: float = 1e-30
    epsilon2: float = 1e-3
    max_parameter_scale: float | None = None
    beta1: float | None = None
    weight_decay_rate: float | None = None
    weight_decay_rate_lr_exponent: float | None = None
    skip_nan_updates: bool = False

    def factored_dims(self, shape: tuple[int, ...]) -> tuple[int, int] | None:
        """(axis of the rows, axis of the columns) of a factored parameter, or None.

        The columns are the larger dimension, of equal ones the last. `v_row` is the mean over the
        columns, and has the rows' size.
        """
        if not self.factored or len(shape) != 2 or min(shape) < self.min_dim_size_to_factor:
            return None
        rows, columns = np.argsort(shape, kind="stable")
        return int(rows), int(columns)

    def slot_axes(self, shape: tuple[int, ...]) -> Mapping[str, tuple[int, ...]]:
        """The axes of the parameter that a slot has; () of one that is not used."""
        axes: dict[str, tuple[int, ...]] = dict.fromkeys(_SLOTS, ())
        whole, dims = tuple(range(len(shape))), self.factored_dims(shape)
        if dims is None:
            axes["v"] = whole
        else:
            axes["v_row"], axes["v_col"] = (dims[0],), (dims[1],)
        if self.beta1 is not None:
            axes["m"] = whole
        return axes

    def init_slots(self, shape: tuple[int, ...]) -> Slots:
        """The slots 'm', 'v', 'v_col' and 'v_row', all zero."""
        return {
            name: jnp.zeros([shape[axis] for axis in axes] or (1,), jnp.float32)
            for name, axes in self.slot_axes(shape).items()
        }

    def update_one(
        self, path: str, grad: Array, slots: Slots, param: Array, step: Array, learning_rate: Array
    ) -> tuple[Array, Slots]:
        """The new parameter, in its dtype, and its new slots."""
        del path  # all parameters are treated alike
        age = jnp.asarray(step - self.step_offset, jnp.float32) + 1.0
        decay = 1.0 - age ** (-self.decay_rate)
        update, new = self._normalised(grad, slots, decay)
        if self.clipping_threshold is not None:
            update = update / jnp.maximum(1.0, _rms(update) / self.clipping_threshold)
        scale = learning_rate
        if self.multiply_by_parameter_scale:
            size = jnp.maximum(_rms(param.astype(jnp.float32)), self.epsilon2)
            if self.max_parameter_scale is not None:
                size = jnp.minimum(size, self.max_parameter_scale)
            scale = scale * size
        update = scale * update
        if self.beta1 is not None:
            update = self.beta1 * slots["m"] + (1.0 - self.beta1) * update
            new["m"] = update
        share: Array | float | None = self.weight_decay_rate
        if self.weight_decay_rate_lr_exponent:
            share = (share or 1.0) * learning_rate**self.weight_decay_rate_lr_exponent
        result = (param if share is None else (1.0 - share) * param) - update
        if self.skip_nan_updates:
            new = {name: _unless_nan(slot, slots[name]) for name, slot in new.items()}
            result = _unless_nan(result, param)
        return result.astype(param.dtype), new

    def _normalised(self, grad: Array, slots: Slots, decay: Array) -> tuple[Array, Slots]:
        """The gradient over the root of its second moment, and the slots with that moment."""
        square = grad * grad + self.epsilon1
        new = dict(slots)
        dims = self.factored_dims(grad.shape)
        if dims is None:
            new["v"] = decay * slots["v"] + (1.0 - decay) * square
            return grad * new["v"] ** -0.5, new
        rows, columns = dims
        new["v_row"] = decay * slots["v_row"] + (1.0 - decay) * jnp.mean(square, axis=columns)
        new["v_col"] = decay * slots["v_col"] + (1.0 - decay) * jnp.mean(square, axis=rows)
        row_scale = (new["v_row"] / jnp.mean(new["v_row"])) ** -0.5
        column_scale = new["v_col"] ** -0.5
        update = grad * jnp.expand_dims(row_scale, columns) * jnp.expand_dims(column_scale, rows)
        return update, new


def _rms(x: Array) -> Array:
    return jnp.sqrt(jnp.mean(x * x))


def _unless_nan(new: Array, old: Array) -> Array:
    return jnp.where(jnp.isnan(new), old, new)
