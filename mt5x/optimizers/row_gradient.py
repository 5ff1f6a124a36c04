"""The gradient of a table of which a step used a few rows: those, and nothing for the others."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array


class RowGradient(NamedTuple):
    """The rows of a gradient that are not zero.

    Attributes:
        ids: int32 `[n]`, which rows of the table: ascending, each once, and past the table's end
            in the places that hold none.
        rows: float `[n, width]`.
    """

    ids: Array
    rows: Array


Gradient = Array | RowGradient


def values(grad: Gradient) -> Array:
    """The numbers of a gradient of either kind."""
    return grad.rows if isinstance(grad, RowGradient) else grad


def with_values(grad: Gradient, change: Callable[[Array], Array]) -> Gradient:
    """The gradient of the same kind with `change` applied to its numbers."""
    if isinstance(grad, RowGradient):
        return grad._replace(rows=change(grad.rows))
    return change(grad)


def whole(grad: RowGradient, num_rows: int) -> Array:
    """The gradient with its zeros, `[num_rows, width]`."""
    zeros = jnp.zeros((num_rows, grad.rows.shape[1]), grad.rows.dtype)
    return zeros.at[grad.ids].set(grad.rows, mode="drop")
