"""AdamW (Loshchilov and Hutter, arXiv 1711.05101), with optax's arithmetic and names.

Written out here so that its moments lie beside each parameter, where checkpoints, shardings and
partial restore look for them; optax keeps one tree for each moment.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp

from mt5x import path_patterns
from mt5x.optimizers.optimizer import Optimizer, Slots, Squares, sum_of_squares

Array = jax.Array

_SLOTS = ("mu", "nu")


@dataclasses.dataclass(frozen=True)
class AdamW(Optimizer):
    """Adam with decoupled weight decay; argument names are optax's, and so T5X's.

    The slots are 'mu' and 'nu', each as large as the parameter: eight bytes for each number, where
    Adafactor has next to none. The learning rate is not multiplied by the parameter's scale, so it
    is to be a good deal smaller than Adafactor's: 1e-4 to 3e-4 in fine-tuning.

    Attributes:
        b1: decay of the mean of gradients.
        b2: decay of the mean of squared gradients.
        eps: added to the root of the latter.
        weight_decay: times the learning rate, the share of a parameter taken off each step.
        no_decay: parameters with a path that one of these regular expressions matches whole are
            not decayed: by default scales, biases, and the tables of relative positions.
    """

    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.01
    no_decay: Sequence[str] = (".*/scale", ".*/bias", ".*/rel_embedding")

    def __post_init__(self) -> None:
        """Makes a list, as gin gives it, hashable, and refuses what is no pattern."""
        object.__setattr__(self, "no_decay", path_patterns.checked("no_decay", self.no_decay))

    def slot_axes(self, shape: tuple[int, ...]) -> Mapping[str, tuple[int, ...]]:
        """Both slots have all axes of the parameter."""
        return dict.fromkeys(_SLOTS, tuple(range(len(shape))))

    def init_slots(self, shape: tuple[int, ...]) -> Slots:
        """The slots 'mu' and 'nu', all zero."""
        return {name: jnp.zeros(shape, jnp.float32) for name in _SLOTS}

    def kind(self, path: str) -> str:
        """Whether it is decayed."""
        return "kept" if path_patterns.matches(path, self.no_decay) else "decayed"

    def update_one(
        self, path: str, grad: Array, slots: Slots, param: Array, step: Array, learning_rate: Array
    ) -> tuple[Array, Slots, Squares]:
        """The new parameter, in its dtype, its new slots, and the sums of squares."""
        age = jnp.asarray(step - self.step_offset, jnp.float32) + 1.0
        mu = self.b1 * slots["mu"] + (1.0 - self.b1) * grad
        nu = self.b2 * slots["nu"] + (1.0 - self.b2) * grad * grad
        mean = mu / (1.0 - self.b1**age)
        square = nu / (1.0 - self.b2**age)
        update = mean / (jnp.sqrt(square) + self.eps)
        if self.kind(path) == "decayed":
            update = update + self.weight_decay * param.astype(jnp.float32)
        new = (param.astype(jnp.float32) - learning_rate * update).astype(param.dtype)
        squares = Squares(*map(sum_of_squares, (grad, new, new - param)))
        return new, {"mu": mu, "nu": nu}, squares
