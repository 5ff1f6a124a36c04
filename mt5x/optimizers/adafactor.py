"""Adafactor with T5X's arithmetic and state tree.

Adafactor: Shazeer and Stern, arXiv 1804.04235. `optax.adafactor` factors other dimensions in
places and keeps its state under other names, so that T5X's checkpoints would not resume.

T5X's `logical_factor_rules`, which its model files bind, choose the factored dimensions of
parameters of more than two dimensions; for matrices T5X sets them aside and takes the dimensions
by size, as here (t5x/adafactor.py, `_parse_rule`). No parameter of this tree has more than two.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mt5x.optimizers import blocks
from mt5x.optimizers.optimizer import Optimizer, Slots, Squares, sum_of_squares

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

    def parts(self, shape: tuple[int, ...]) -> int:
        """Into how many blocks of rows an update takes a parameter."""
        # T5's recipe; what it does not have reads a block again after it is written.
        only_this = (None, None, None, False)
        others = (self.beta1, self.weight_decay_rate, self.weight_decay_rate_lr_exponent)
        if self.factored_dims(shape) is None or (*others, self.skip_nan_updates) != only_this:
            return 1
        return blocks.count(shape)

    def update_one(
        self, path: str, grad: Array, slots: Slots, param: Array, step: Array, learning_rate: Array
    ) -> tuple[Array, Slots, Squares]:
        """The new parameter, in its dtype, its new slots, and the sums of squares."""
        del path  # all parameters are treated alike
        age = jnp.asarray(step - self.step_offset, jnp.float32) + 1.0
        decay = 1.0 - age ** (-self.decay_rate)
        parts = self.parts(grad.shape)
        new, scales, grad_square, param_square = self._moments(grad, param, slots, decay, parts)
        shrink: Array | float = 1.0
        if self.clipping_threshold is not None:

            def size(grad: Array, scale: Array) -> Any:
                return (), (sum_of_squares(grad * scale * scales[1]),)

            read = (grad, scales[0])
            _, (square,) = blocks.in_blocks(size, parts, (), read, (_zero(),))
            shrink = jnp.maximum(1.0, jnp.sqrt(square / grad.size) / self.clipping_threshold)
        rate = learning_rate
        if self.multiply_by_parameter_scale:
            scale = jnp.maximum(jnp.sqrt(param_square / param.size), self.epsilon2)
            if self.max_parameter_scale is not None:
                scale = jnp.minimum(scale, self.max_parameter_scale)
            rate = rate * scale
        share: Array | float | None = self.weight_decay_rate
        if self.weight_decay_rate_lr_exponent:
            share = (share or 1.0) * learning_rate**self.weight_decay_rate_lr_exponent

        def change(param: Array, *others: Array) -> Any:
            *momentum, grad, scale = others
            update = rate * (grad * scale * scales[1] / shrink)
            if self.beta1 is not None:
                update = self.beta1 * momentum[0] + (1.0 - self.beta1) * update
                momentum = [update]
            result = (param if share is None else (1.0 - share) * param) - update
            if self.skip_nan_updates:
                result = _unless_nan(result, param)
            result = result.astype(param.dtype)
            added = update if plain else result - param
            return (result, *momentum), (sum_of_squares(result), sum_of_squares(added))

        plain = share is None and not self.skip_nan_updates
        written = (param,) if self.beta1 is None else (param, slots["m"])
        (result, *momentum), squares = blocks.in_blocks(
            change, parts, written, (grad, scales[0]), (_zero(), _zero())
        )
        if momentum:
            new["m"] = momentum[0]
        if self.skip_nan_updates:
            new = {name: _unless_nan(slot, slots[name]) for name, slot in new.items()}
        return result, new, Squares(grad_square, *squares)

    def _moments(
        self, grad: Array, param: Array, slots: Slots, decay: Array, parts: int
    ) -> tuple[Slots, tuple[Array, Array], Array, Array]:
        """The slots with this gradient; scales; sums of squares of gradient and parameter.

        The gradient times both scales is the gradient over the root of its second moment. The
        first scale has the gradient's first axis.
        """
        new = dict(slots)
        dims = self.factored_dims(grad.shape)
        if dims is None:
            square = grad * grad
            new["v"] = decay * slots["v"] + (1.0 - decay) * (square + self.epsilon1)
            scales = new["v"] ** -0.5, jnp.ones((), jnp.float32)
            return new, scales, jnp.sum(square), sum_of_squares(param)

        def sums(_: Array, grad: Array, param: Array) -> Any:
            square = grad * grad + self.epsilon1
            return (jnp.sum(square, axis=1),), (jnp.sum(square, axis=0), sum_of_squares(param))

        first, second = (jnp.zeros(size, jnp.float32) for size in grad.shape)
        (first,), (second, param_square) = blocks.in_blocks(
            sums, parts, (first,), (grad, param), (second, _zero())
        )
        names = ("v_row", "v_col") if dims == (0, 1) else ("v_col", "v_row")
        means = (first / grad.shape[1], second / grad.shape[0])
        for name, mean in zip(names, means, strict=True):
            new[name] = decay * slots[name] + (1.0 - decay) * mean
        roots = {"v_row": new["v_row"] / jnp.mean(new["v_row"]), "v_col": new["v_col"]}
        scales = roots[names[0]][:, None] ** -0.5, roots[names[1]][None, :] ** -0.5
        return new, scales, jnp.sum(first), param_square


def _zero() -> Array:
    return jnp.zeros((), jnp.float32)


def _unless_nan(new: Array, old: Array) -> Array:
    return jnp.where(jnp.isnan(new), old, new)
