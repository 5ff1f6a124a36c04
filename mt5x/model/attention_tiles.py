"""How attention within segments is cut into tiles, and which of them must be computed."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array

# Positions on each side of a tile, which lengths must divide by: what was fastest on an H200 for
# heads of 64.
TILE = 64

# The segment of queries that are padding: no key has it.
_NOWHERE = -1


class Tiles(NamedTuple):
    """How the scores are cut, and which tiles must be computed.

    Attributes:
        query_segments: int32 `[batch, queries]`, `_NOWHERE` at padding.
        key_segments: int32 `[batch, keys]`.
        shared: bool `[batch, query tiles, key tiles]`, where a segment can be in both.
        of_queries: int32 `[2, batch, query tiles]`: the first tile of keys to visit, and the end.
        of_keys: int32 `[2, batch, key tiles]`: the first tile of queries to visit, and the end.
    """

    query_segments: Array
    key_segments: Array
    shared: Array
    of_queries: Array
    of_keys: Array


def cut(query_segments: Array, key_segments: Array) -> Tiles:
    """Plans the tiles of int32 `[batch, queries]` and `[batch, keys]`, where 0 is padding.

    Two tiles can share a segment where their ranges of numbers overlap: exact where the numbers
    ascend along a row, as in packed rows, and never too few. Lengths divide by `TILE`.
    """
    first_query, last_query = _range(query_segments)
    first_key, last_key = _range(key_segments)
    shared = (first_query[:, :, None] <= last_key[:, None, :]) & (
        first_key[:, None, :] <= last_query[:, :, None]
    )
    return Tiles(
        jnp.where(query_segments > 0, query_segments, _NOWHERE),
        key_segments,
        shared,
        first_and_end(shared),
        first_and_end(shared.swapaxes(1, 2)),
    )


def _range(segments: Array) -> tuple[Array, Array]:
    """The least and the largest segment of each tile; a tile of padding has an empty range."""
    tiles = segments.reshape(len(segments), -1, TILE)
    least = jnp.min(jnp.where(tiles > 0, tiles, jnp.iinfo(jnp.int32).max), axis=2)
    return least, jnp.max(tiles, axis=2)


def first_and_end(shared: Array) -> Array:
    """Along the last axis, the first place that is true and the one after the last; else 0, 0."""
    places = lax.broadcasted_iota(jnp.int32, shared.shape, shared.ndim - 1)
    end = jnp.max(jnp.where(shared, places + 1, 0), axis=-1)
    first = jnp.min(jnp.where(shared, places, shared.shape[-1]), axis=-1)
    return jnp.stack([jnp.minimum(first, end), end])
