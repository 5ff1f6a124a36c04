"""The sizes of gradient, parameters and update, by which a run that goes wrong is seen first."""

from typing import Any

import jax
import jax.numpy as jnp

from mt5x.optimizers import Squares, sum_of_squares

Metrics = dict[str, tuple[jax.Array, jax.Array]]


def of_step(squares: Squares, frozen: Any) -> Metrics:
    """Euclidean norms over all arrays of a tree, for a step's metrics.

    Args:
      squares: sums of squares over what is trained.
      frozen: the other parameters.

    Returns:
      (norm, 1) pairs of float32 scalars: weight_gradient_norm (T5X's name), weight_norm of the
      new parameters, weight_update_norm of what was added to them.
    """
    one = jnp.ones((), jnp.float32)
    norms = {
        "weight_gradient_norm": jnp.sqrt(squares.grad),
        "weight_norm": jnp.sqrt(sum(map(sum_of_squares, jax.tree.leaves(frozen)), squares.param)),
        "weight_update_norm": jnp.sqrt(squares.update),
    }
    return {name: (value, one) for name, value in norms.items()}
