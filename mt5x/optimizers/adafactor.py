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
from mt5x.optimizers.row_gradient import RowGradient

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
        # What T5's recipe does not have reads a block again after it is written.
        return blocks.count(shape) if self.takes_rows(shape) else 1

    def takes_rows(self, shape: tuple[int, ...]) -> bool:
        """In T5's recipe, without momentum or decay, a factored row without a gradient stays."""
        return self._is_t5s_recipe() and self.factored_dims(shape) is not None

    def kind(self, path: str) -> str:
        """All parameters are treated alike."""
        del path
        return "any"

    def has_long_rows(self, shape: tuple[int, ...]) -> bool:
        """Whether a parameter's columns are summed apart from the passes over it."""
        return self.takes_rows(shape) and blocks.are_long(shape)

    def _is_t5s_recipe(self) -> bool:
        others = (self.beta1, self.weight_decay_rate, self.weight_decay_rate_lr_exponent)
        return (*others, self.skip_nan_updates) == (None, None, None, False)

    def update_one(
        self, path: str, grad: Array, slots: Slots, param: Array, step: Array, learning_rate: Array
    ) -> tuple[Array, Slots, Squares]:
        """The new parameter, in its dtype, its new slots, and the sums of squares."""
        del path
        decay = self._decay(step)
        parts = self.parts(grad.shape)
        new, scales, grad_square, param_square = self._moments(grad, param, slots, decay, parts)
        square = self._scaled_square(grad, scales, parts)
        shrink = self._shrink(square / grad.size)
        rate = self._rate(learning_rate, param_square / param.size)
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
            if recipe:
                return (result,), (sum_of_squares(result), _zero())
            added = update if share is None and not self.skip_nan_updates else result - param
            return (result, *momentum), (sum_of_squares(result), sum_of_squares(added))

        recipe = self._is_t5s_recipe()
        written = (param,) if self.beta1 is None else (param, slots["m"])
        (result, *momentum), (result_square, added) = blocks.in_blocks(
            change, parts, written, (grad, scales[0]), (_zero(), _zero())
        )
        if recipe:
            added = square * (rate / shrink) ** 2
        if momentum:
            new["m"] = momentum[0]
        if self.skip_nan_updates:
            new = {name: _unless_nan(slot, slots[name]) for name, slot in new.items()}
        return result, new, Squares(grad_square, result_square, added)

    def update_rows(
        self,
        path: str,
        grad: RowGradient,
        slots: Slots,
        param: Array,
        step: Array,
        learning_rate: Array,
    ) -> tuple[Array, Slots, Squares]:
        """As `update_one`; in T5's recipe it reads and writes the gradient's rows alone."""
        if not self.takes_rows(param.shape):
            return super().update_rows(path, grad, slots, param, step, learning_rate)
        ids, rows = grad
        param_square = sum_of_squares(param)
        squares = rows * rows
        own_means = jnp.mean(squares, axis=1) + self.epsilon1
        first = jnp.full(len(param), self.epsilon1).at[ids].set(own_means, mode="drop")
        second = jnp.sum(squares, axis=0) / len(param) + self.epsilon1
        new, scales = self._factored(slots, self._decay(step), (first, second), param.shape)
        update = rows * jnp.take(scales[0], ids, axis=0, mode="clip") * scales[1]
        update = update / self._shrink(jnp.sum(jnp.square(update)) / param.size)
        update = self._rate(learning_rate, param_square / param.size) * update
        old = jnp.take(param, ids, axis=0, mode="clip")
        changed = (old - update).astype(param.dtype)
        result = param.at[ids].set(changed, mode="drop")
        added = jnp.where((ids < len(param))[:, None], jnp.square(changed) - jnp.square(old), 0)
        found = Squares(jnp.sum(squares), param_square + jnp.sum(added), sum_of_squares(update))
        return result, new, found

    def _scaled_square(self, grad: Array, scales: tuple[Array, Array], parts: int) -> Array:
        """The sum of squares of the gradient times both scales."""
        if self.has_long_rows(grad.shape):
            by_column = blocks.column_squares(grad, scales[0][:, 0])
            return jnp.sum(by_column * jnp.square(scales[1][0]))

        def size(grad: Array, scale: Array) -> Any:
            return (), (sum_of_squares(grad * scale * scales[1]),)

        _, (square,) = blocks.in_blocks(size, parts, (), (grad, scales[0]), (_zero(),))
        return square

    def _decay(self, step: Array) -> Array:
        """What remains of the second moment's memory."""
        age = jnp.asarray(step - self.step_offset, jnp.float32) + 1.0
        return 1.0 - age ** (-self.decay_rate)

    def _shrink(self, mean_square: Array) -> Array | float:
        """What an update of this mean square is divided by."""
        if self.clipping_threshold is None:
            return 1.0
        return jnp.maximum(1.0, jnp.sqrt(mean_square) / self.clipping_threshold)

    def _rate(self, learning_rate: Array, mean_square: Array) -> Array:
        """The learning rate of a parameter of this mean square."""
        if not self.multiply_by_parameter_scale:
            return learning_rate
        scale = jnp.maximum(jnp.sqrt(mean_square), self.epsilon2)
        if self.max_parameter_scale is not None:
            scale = jnp.minimum(scale, self.max_parameter_scale)
        return learning_rate * scale

    def _moments(
        self, grad: Array, param: Array, slots: Slots, decay: Array, parts: int
    ) -> tuple[Slots, tuple[Array, Array], Array, Array]:
        """The slots with this gradient; scales; sums of squares of gradient and parameter.

        The gradient times both scales is the gradient over the root of its second moment. The
        first scale has the gradient's first axis.
        """
        if self.factored_dims(grad.shape) is None:
            square = grad * grad
            new = {**slots, "v": decay * slots["v"] + (1.0 - decay) * (square + self.epsilon1)}
            scales = new["v"] ** -0.5, jnp.ones((), jnp.float32)
            return new, scales, jnp.sum(square), sum_of_squares(param)

        def sums(_: Array, grad: Array, param: Array) -> Any:
            square = grad * grad + self.epsilon1
            return (jnp.sum(square, axis=1),), (jnp.sum(square, axis=0), sum_of_squares(param))

        first, second = (jnp.zeros(size, jnp.float32) for size in grad.shape)
        if self.has_long_rows(grad.shape):
            rows, columns = grad.shape
            first = jnp.sum(grad * grad, axis=1) + columns * self.epsilon1
            second = blocks.column_squares(grad) + rows * self.epsilon1
            param_square = sum_of_squares(param)
        else:
            (first,), (second, param_square) = blocks.in_blocks(
                sums, parts, (first,), (grad, param), (second, _zero())
            )
        means = (first / grad.shape[1], second / grad.shape[0])
        new, scales = self._factored(slots, decay, means, grad.shape)
        return new, scales, jnp.sum(first), param_square

    def _factored(
        self, slots: Slots, decay: Array, means: tuple[Array, Array], shape: tuple[int, ...]
    ) -> tuple[Slots, tuple[Array, Array]]:
        """The slots after a gradient whose squares have these means over columns and over rows.

        Also the two factors `[rows, 1]` and `[1, columns]` of one over the second moment's root.
        """
        names = ("v_row", "v_col") if self.factored_dims(shape) == (0, 1) else ("v_col", "v_row")
        new = dict(slots)
        for name, mean in zip(names, means, strict=True):
            new[name] = decay * slots[name] + (1.0 - decay) * mean
        roots = {"v_row": new["v_row"] / jnp.mean(new["v_row"]), "v_col": new["v_col"]}
        return new, (roots[names[0]][:, None] ** -0.5, roots[names[1]][None, :] ** -0.5)


def _zero() -> Array:
    return jnp.zeros((), jnp.float32)


def _unless_nan(new: Array, old: Array) -> Array:
    return jnp.where(jnp.isnan(new), old, new)
