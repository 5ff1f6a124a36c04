"""The sizes of gradient, parameters and update, by which a run that goes wrong is seen first."""

from typing import Any

import jax
import jax.numpy as jnp

Metrics = dict[str, tuple[jax.Array, jax.Array]]


def of_step(before: Any, after: Any, grads: Any) -> Metrics:
    """Euclidean norms over all arrays of a tree, for a step's metrics.

    Args:
      before: parameters before the step.
      after: parameters after it.
      grads: gradients of those that are trained.

    Returns:
      (norm, 1) pairs of float32 scalars: weight_gradient_norm (T5X's name), weight_norm of the
      new parameters, weight_update_norm of what was added to them.
    """
    one = jnp.ones((), jnp.float32)
    norms = {
        "weight_gradient_norm": norm(grads),
        "weight_norm": norm(after),
        "weight_update_norm": norm(jax.tree.map(jnp.subtract, after, before)),
    }
    return {name: (value, one) for name, value in norms.items()}


def norm(tree: Any) -> jax.Array:
    """The square root of the sum of all squares, in float32."""
    # Not jnp.vdot, which flattens: an array that is split over devices would be gathered.
    squares = [jnp.sum(jnp.square(x.astype(jnp.float32))) for x in jax.tree.leaves(tree)]
    return jnp.sqrt(sum(squares, start=jnp.zeros((), jnp.float32)))
