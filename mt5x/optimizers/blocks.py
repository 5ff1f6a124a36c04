"""Passes over a large matrix, a block of rows after another where that is faster.

XLA fuses no reduction with what else reads the same array on the CPU: each of an optimizer's sums,
and what is squared for it, becomes a walk of its own through the memory. In blocks that stay in the
cache, a pass reads and writes each number once, whatever it computes. (mt5-small's two vocabulary
matrices: an eighth of the bytes.) Rows too long for that need no blocks but for the sums of their
columns. Other devices fuse by themselves, and an array that is split over devices is best left
whole.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mt5x import target
from mt5x.partitioning import on_one_device

Array = jax.Array
Pieces = tuple[Array, ...]

# Numbers of a block: with all that is computed from it, it fits the cache of a core.
BLOCK_SIZE = 2**18
# A matrix with fewer numbers stays in the cache as it is.
LEAST_SIZE = 2**22
# Columns from which a row is long: XLA's sum over few long rows takes a dozen times as long.
LONG_ROW = 2**13
# Rows that are squared and added in one walk.
_AT_ONCE = 8


def are_long(shape: Sequence[int]) -> bool:
    """Whether a matrix is passed whole, and its columns summed by `column_squares`."""
    return _is_worth_it(shape) and shape[1] >= LONG_ROW


def count(shape: Sequence[int]) -> int:
    """Into how many blocks of rows the passes over a matrix go; 1 leaves it whole."""
    if not _is_worth_it(shape) or are_long(shape):
        return 1
    most = max(BLOCK_SIZE // shape[1], 1)
    rows = max(rows for rows in range(1, most + 1) if shape[0] % rows == 0)
    return shape[0] // rows


def _is_worth_it(shape: Sequence[int]) -> bool:
    size = shape[0] * shape[1]
    return target.is_platform("cpu") and on_one_device() and size >= LEAST_SIZE


def column_squares(x: Array, scale: Array | None = None) -> Array:
    """Sums of squares of the columns, float32 `[columns]`, of a matrix of long rows.

    Args:
        x: `[rows, columns]`.
        scale: `[rows]`, which multiplies each row first; None for ones.
    """
    rows, columns = x.shape
    height = max(height for height in range(1, _AT_ONCE + 1) if rows % height == 0)

    def square(row: Array) -> Array:
        # Each row by itself: a slice of several would be copied first.
        squares = lax.square(lax.dynamic_index_in_dim(x, row, keepdims=False))
        if scale is None:
            return squares
        return squares * lax.square(lax.dynamic_index_in_dim(scale, row, keepdims=False))

    def one(number: Array, totals: Array) -> Array:
        # Added one by one, and not summed, this is one walk through the memory.
        return totals + sum(square(number * height + row) for row in range(height))

    found: Array = lax.fori_loop(0, rows // height, one, jnp.zeros(columns, jnp.float32))
    return found


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
