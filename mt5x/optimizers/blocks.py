"""Passes over a large matrix, a block of rows after another where that is faster.

XLA fuses no reduction with what else reads the same array on the CPU: each of an optimizer's sums,
and what is squared for it, becomes a walk of its own through the memory. In blocks that stay in the
cache, a pass reads and writes each number once, whatever it computes. (mt5-small's two vocabulary
matrices: an eighth of the bytes.) Other devices fuse by themselves, and an array that is split over
devices is best left whole.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mt5x.partitioning import on_one_device

Array = jax.Array
Pieces = tuple[Array, ...]

# Numbers of a block: with all that is computed from it, it fits the cache of a core.
BLOCK_SIZE = 2**18
# A matrix with fewer numbers stays in the cache as it is.
LEAST_SIZE = 2**22
# Columns from which a block is one row: XLA's sum over few long rows takes a dozen times as long.
_LONG_ROW = 2**13


def count(shape: Sequence[int]) -> int:
    """Into how many blocks of rows the passes over a matrix go; 1 leaves it whole."""
    size = shape[0] * shape[1]
    if jax.default_backend() != "cpu" or not on_one_device() or size < LEAST_SIZE:
        return 1
    most = 1 if shape[1] >= _LONG_ROW else max(BLOCK_SIZE // shape[1], 1)
    rows = max(rows for rows in range(1, most + 1) if shape[0] % rows == 0)
    return shape[0] // rows


def in_blocks(
    body: Callable[..., tuple[Pieces, Pieces]],
    blocks: int,
    written: Pieces,
    read: Pieces,
    totals: Pieces,
) -> tuple[Pieces, Pieces]:
    """Applies `body` to the blocks of the first axis in turn.

    Args:
        body: (blocks of `written`, then of `read`) -> (new blocks of `written`, terms to add).
        blocks: their number, which divides the first axis of all arrays; 1 takes them whole.
        written: arrays that the new blocks are written into; in place, if no more than the new
            block is computed from the old one, else XLA copies the whole array each time.
        read: arrays with the same first axis.
        totals: what the terms are added to.

    Returns:
        `written` and `totals` after the last block.
    """
    if blocks == 1:
        new, terms = body(*written, *read)
        return new, jax.tree.map(jnp.add, totals, terms)
    rows = (*written, *read)[0].shape[0] // blocks

    def one(number: Array, carry: Any) -> Any:
        written, totals = carry
        start = number * rows
        own = [lax.dynamic_slice_in_dim(x, start, rows, 0) for x in (*written, *read)]
        new, terms = body(*own)
        written = tuple(
            lax.dynamic_update_slice_in_dim(x, piece, start, 0)
            for x, piece in zip(written, new, strict=True)
        )
        return written, jax.tree.map(jnp.add, totals, terms)

    found: tuple[Pieces, Pieces] = lax.fori_loop(0, blocks, one, (written, totals))
    return found
