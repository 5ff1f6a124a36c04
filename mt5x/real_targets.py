"""Work over target positions that ends where the real targets of a batch end.

Labels and answers are short, and the targets of an unpacked batch are mostly padding: what is done
for each target position (the product with the vocabulary above all) is done for an eighth, a
quarter or a half of the positions where that holds all that count. On several devices it is done
for all of them: which part it is would be known to all only after an exchange.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mt5x.partitioning import on_one_device

Array = jax.Array

_SHARES = (8, 4, 2, 1)

# Logits from which it is worth compiling the work four times.
LEAST_LOGITS = 2**23


def lengths(rows: int, longest: int, vocabulary: int) -> list[int]:
    """The lengths that the work is compiled for, ascending; the last is `longest`."""
    worth = on_one_device() and rows * longest * vocabulary >= LEAST_LOGITS
    shares = _SHARES if worth else (1,)
    return sorted({-(-longest // share) for share in shares})


def up_to_the_last(
    work: Callable[..., tuple[Any, Any]], weights: Array, rows: Sequence[Array], kernel: Array
) -> tuple[Any, Any]:
    """Applies `work` to the positions up to the last one that any row gives a weight.

    Args:
        work: (rows cut to a length, kernel) -> (tree of arrays `[batch, length, ...]`, any tree).
        weights: `[batch, length]`; 0 for positions that change no result.
        rows: arrays `[batch, length, ...]`.
        kernel: of the logits, `[d, vocabulary]`.

    Returns:
        What `work` returns, the first tree filled up with zeros to the whole length.
    """
    count, longest = weights.shape

    def cut_to(length: int) -> Callable[..., tuple[Any, Any]]:
        def branch(rows: Sequence[Array], kernel: Array) -> tuple[Any, Any]:
            by_position, rest = work([x[:, :length] for x in rows], kernel)
            return jax.tree.map(lambda x: _filled_up(x, longest), by_position), rest

        return branch

    choices = lengths(count, longest, kernel.shape[1])
    if len(choices) == 1:
        return work(rows, kernel)
    real = jnp.max(jnp.where(weights != 0, jnp.arange(1, longest + 1)[None, :], 0))
    which = sum((real > length).astype(jnp.int32) for length in choices[:-1])
    found: tuple[Any, Any] = lax.switch(which, list(map(cut_to, choices)), rows, kernel)
    return found


def _filled_up(x: Array, length: int) -> Array:
    return jnp.pad(x, [(0, 0), (0, length - x.shape[1])] + [(0, 0)] * (x.ndim - 2))
