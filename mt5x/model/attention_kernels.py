"""Kernels of a GPU for attention within segments: forward, and its gradients.

FlashAttention (arXiv 2307.08691) with T5's learned bias. A program holds one tile of the scores at
a time, none of which reaches memory, and walks through those tiles alone in which a segment of its
own can be: of a row that packs four examples, three quarters are never computed. The bias is the
same for the whole batch, so its gradient has programs of its own, which sum over rows what they
compute again: no two programs write the same number, and a run is the same bit for bit.

Scores are in units of log 2, as a GPU raises 2 to a power and not e; the log-sum of a query is the
base-2 logarithm of its softmax's normaliser. Written in Pallas, for its Triton backend; with
`interpret` the same programs run on any device, slowly.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from mt5x.model.attention_tiles import TILE, Tiles, first_and_end

Array = jax.Array
# What a program reads and writes; Pallas has no public type for it.
Ref = Any

# Warps of a program and stages of its loop: what was fastest on an H200 for heads of 64.
_WARPS, _STAGES = 4, 2
# Programs that fill a large GPU: with fewer, the bias's gradient has several for each tile.
_FILLING = 1024

_LOG2_E = math.log2(math.e)
# Below every score, and finite, so that the difference of two is a number.
_LOWEST = -1e30


class Factors(NamedTuple):
    """What attention is computed from.

    Attributes:
        query: `[batch, queries, heads, head_dim]`, of one dtype with the next three.
        key: `[batch, keys, heads, head_dim]`.
        value: as `key`.
        bias: `[heads, queries, keys]`, or None.
        kept: `[batch, heads, keys]`, what the weights of each key are multiplied by (dropout, which
            T5 draws once for all queries), or None.
    """

    query: Array
    key: Array
    value: Array
    bias: Array | None
    kept: Array | None


class Sent(NamedTuple):
    """What the gradients need beside the factors.

    Attributes:
        grad: that of the result, as `query`.
        log_sums: float32 `[batch, heads, queries]`.
        products: float32 `[batch, heads, queries]`, of each query's result and its gradient.
    """

    grad: Array
    log_sums: Array
    products: Array


def forward(factors: Factors, tiles: Tiles, interpret: bool) -> tuple[Array, Array]:
    """The result, as `query` and zero at padding, and the log-sums."""
    query = factors.query
    batch, length, heads, _ = query.shape
    return _run(
        _forward_program,
        (length // TILE, batch, heads),
        _specs_of_queries(factors, tiles),
        [_vectors(query, _own), _numbers(length, _own)],
        [_like(query), jax.ShapeDtypeStruct((batch, heads, length), jnp.float32)],
        interpret,
    )(*factors, tiles.query_segments, tiles.key_segments, tiles.of_queries)


def query_grad(factors: Factors, sent: Sent, tiles: Tiles, interpret: bool) -> Array:
    """The gradient of the queries."""
    query = factors.query
    batch, length, heads, _ = query.shape
    own, numbers = _vectors(query, _own), _numbers(length, _own)
    return _run(
        _query_program,
        (length // TILE, batch, heads),
        [*_specs_of_queries(factors, tiles), own, numbers, numbers],
        own,
        _like(query),
        interpret,
    )(*factors, tiles.query_segments, tiles.key_segments, tiles.of_queries, *sent)


def key_value_grads(
    factors: Factors, sent: Sent, tiles: Tiles, interpret: bool
) -> tuple[Array, Array]:
    """The gradients of the keys and of the values."""
    query, key, value, bias, kept = factors
    batch, num_keys, heads, _ = key.shape
    length = query.shape[1]
    own, all_queries, numbers = _vectors(key, _own), _vectors(query, _all), _numbers(length, _all)
    # Here a tile lies on its side.
    turned = None if bias is None else bias.swapaxes(1, 2)
    return _run(
        _key_program,
        (num_keys // TILE, batch, heads),
        [
            all_queries,
            own,
            own,
            _rows_of_bias(turned),
            None if kept is None else _numbers(num_keys, _own),
            _segments(length, _all),
            _segments(num_keys, _own),
            _walk(),
            all_queries,
            numbers,
            numbers,
        ],
        [own, own],
        [_like(key), _like(value)],
        interpret,
    )(
        query,
        key,
        value,
        turned,
        kept,
        tiles.query_segments,
        tiles.key_segments,
        tiles.of_keys,
        *sent,
    )


def bias_grad(factors: Factors, sent: Sent, tiles: Tiles, interpret: bool) -> Array:
    """The gradient of the bias, float32 `[heads, queries, keys]`."""
    batch, length, heads, head_dim = factors.query.shape
    num_keys = factors.key.shape[1]
    _, in_queries, in_keys = tiles.shared.shape
    parts = _parts(batch, in_queries * in_keys * heads)
    rows = batch // parts
    shared = tiles.shared.reshape(parts, rows, in_queries, in_keys)

    # A program is called by tile of queries, tile of keys, part of the batch and head.
    def vectors(axis: int) -> pl.BlockSpec:
        return pl.BlockSpec((rows, TILE, None, head_dim), lambda *at: (at[2], at[axis], at[3], 0))

    def numbers(axis: int) -> pl.BlockSpec:
        return pl.BlockSpec((rows, None, TILE), lambda *at: (at[2], at[3], at[axis]))

    def segments(axis: int) -> pl.BlockSpec:
        return pl.BlockSpec((rows, TILE), lambda *at: (at[2], at[axis]))

    of_parts = _run(
        _bias_program,
        (in_queries, in_keys, parts, heads),
        [
            vectors(0),
            vectors(1),
            vectors(1),
            pl.BlockSpec((None, TILE, TILE), lambda i, j, part, h: (h, i, j)),
            None if factors.kept is None else numbers(1),
            segments(0),
            segments(1),
            pl.BlockSpec((2, None, None, None), lambda i, j, part, h: (0, part, i, j)),
            vectors(0),
            numbers(0),
            numbers(0),
        ],
        pl.BlockSpec((None, None, TILE, TILE), lambda i, j, part, h: (part, h, i, j)),
        jax.ShapeDtypeStruct((parts, heads, length, num_keys), jnp.float32),
        interpret,
    )(
        *factors,
        tiles.query_segments,
        tiles.key_segments,
        first_and_end(jnp.moveaxis(shared, 1, -1)),
        *sent,
    )
    return jnp.sum(of_parts, axis=0)


def _parts(batch: int, programs: int) -> int:
    """Into how many equal parts a batch is cut, so that many programs are not over `_FILLING`."""
    return max(
        part
        for part in range(1, batch + 1)
        if batch % part == 0 and (part == 1 or part * programs <= _FILLING)
    )


def _forward_program(
    query: Ref,
    key: Ref,
    value: Ref,
    bias: Ref | None,
    kept: Ref | None,
    query_segments: Ref,
    key_segments: Ref,
    walk: Ref,
    result: Ref,
    log_sums: Ref,
) -> None:
    own, own_segments = query[...], query_segments[...][:, None]

    def visit(j: Array, so_far: tuple[Array, ...]) -> tuple[Array, ...]:
        mixed, best, total = so_far
        at = pl.ds(j * TILE, TILE)
        scores = _scores(own, key[at, :], None if bias is None else bias[:, at])
        scores = jnp.where(own_segments == key_segments[at][None, :], scores, -jnp.inf)
        new_best = jnp.maximum(best, jnp.max(scores, axis=1))
        fade = jnp.exp2(best - new_best)
        weights = jnp.exp2(scores - new_best[:, None])
        total = total * fade + jnp.sum(weights, axis=1)
        if kept is not None:
            weights = weights * kept[at][None, :].astype(jnp.float32)
        values = value[at, :]
        mixed = mixed * fade[:, None] + plgpu.dot(weights.astype(values.dtype), values)
        return mixed, new_best, total

    start = (
        jnp.zeros(own.shape, jnp.float32),
        jnp.full(own.shape[:1], _LOWEST, jnp.float32),
        jnp.zeros(own.shape[:1], jnp.float32),
    )
    mixed, best, total = lax.fori_loop(walk[0], walk[1], visit, start)
    total = jnp.where(total > 0.0, total, 1.0)
    result[...] = (mixed / total[:, None]).astype(result.dtype)
    log_sums[...] = best + jnp.log2(total)


def _query_program(
    query: Ref,
    key: Ref,
    value: Ref,
    bias: Ref | None,
    kept: Ref | None,
    query_segments: Ref,
    key_segments: Ref,
    walk: Ref,
    grad: Ref,
    log_sums: Ref,
    products: Ref,
    query_grad: Ref,
) -> None:
    own, own_segments, own_grad = query[...], query_segments[...][:, None], grad[...]
    own_sums, own_products = log_sums[...][:, None], products[...][:, None]

    def visit(j: Array, so_far: Array) -> Array:
        at = pl.ds(j * TILE, TILE)
        keys = key[at, :]
        scores = _scores(own, keys, None if bias is None else bias[:, at])
        same = own_segments == key_segments[at][None, :]
        weights = jnp.where(same, jnp.exp2(scores - own_sums), 0.0)
        change = plgpu.dot(own_grad, value[at, :].T)
        if kept is not None:
            change = change * kept[at][None, :].astype(jnp.float32)
        change = weights * (change - own_products)
        return so_far + plgpu.dot(change.astype(keys.dtype), keys)

    start = jnp.zeros(own.shape, jnp.float32)
    query_grad[...] = lax.fori_loop(walk[0], walk[1], visit, start).astype(query_grad.dtype)


def _key_program(
    query: Ref,
    key: Ref,
    value: Ref,
    turned_bias: Ref | None,
    kept: Ref | None,
    query_segments: Ref,
    key_segments: Ref,
    walk: Ref,
    grad: Ref,
    log_sums: Ref,
    products: Ref,
    key_grad: Ref,
    value_grad: Ref,
) -> None:
    own, own_segments, own_values = key[...], key_segments[...][:, None], value[...]
    own_kept = None if kept is None else kept[...][:, None].astype(jnp.float32)

    def visit(i: Array, so_far: tuple[Array, Array]) -> tuple[Array, Array]:
        of_keys, of_values = so_far
        at = pl.ds(i * TILE, TILE)
        queries, grads = query[at, :], grad[at, :]
        scores = _scores(own, queries, None if turned_bias is None else turned_bias[:, at])
        same = own_segments == query_segments[at][None, :]
        weights = jnp.where(same, jnp.exp2(scores - log_sums[at][None, :]), 0.0)
        change = plgpu.dot(own_values, grads.T)
        left = weights
        if own_kept is not None:
            change, left = change * own_kept, weights * own_kept
        of_values += plgpu.dot(left.astype(grads.dtype), grads)
        change = weights * (change - products[at][None, :])
        return of_keys + plgpu.dot(change.astype(queries.dtype), queries), of_values

    start = jnp.zeros(own.shape, jnp.float32)
    of_keys, of_values = lax.fori_loop(walk[0], walk[1], visit, (start, start))
    key_grad[...] = of_keys.astype(key_grad.dtype)
    value_grad[...] = of_values.astype(value_grad.dtype)


def _bias_program(
    query: Ref,
    key: Ref,
    value: Ref,
    bias: Ref,
    kept: Ref | None,
    query_segments: Ref,
    key_segments: Ref,
    walk: Ref,
    grad: Ref,
    log_sums: Ref,
    products: Ref,
    bias_grad: Ref,
) -> None:
    tile = bias[...]

    def visit(row: Array, so_far: Array) -> Array:
        scores = _scores(query[row], key[row], tile)
        same = query_segments[row][:, None] == key_segments[row][None, :]
        weights = jnp.where(same, jnp.exp2(scores - log_sums[row][:, None]), 0.0)
        change = plgpu.dot(grad[row], value[row].T)
        if kept is not None:
            change = change * kept[row][None, :].astype(jnp.float32)
        return so_far + weights * (change - products[row][:, None])

    bias_grad[...] = lax.fori_loop(walk[0], walk[1], visit, jnp.zeros(tile.shape, jnp.float32))


def _scores(own: Array, others: Array, bias: Array | None) -> Array:
    """Of each of `own` with each of `others`, in units of log 2."""
    scores = plgpu.dot(own, others.T)
    return (scores if bias is None else scores + bias.astype(jnp.float32)) * _LOG2_E


def _own(i: int) -> int:
    return i


def _all(i: int) -> int:
    del i
    return 0


def _positions(length: int, at: Callable[[int], int]) -> int:
    """Of a tile, or of the whole row."""
    return TILE if at is _own else length


def _vectors(x: Array, at: Callable[[int], int]) -> pl.BlockSpec:
    """A head's vectors: of the program's own tile, or of all positions."""
    _, length, _, head_dim = x.shape
    shape = (None, _positions(length, at), None, head_dim)
    return pl.BlockSpec(shape, lambda i, b, h: (b, at(i), h, 0))


def _numbers(length: int, at: Callable[[int], int]) -> pl.BlockSpec:
    """A number for each position of a head, as `_vectors`."""
    return pl.BlockSpec((None, None, _positions(length, at)), lambda i, b, h: (b, h, at(i)))


def _segments(length: int, at: Callable[[int], int]) -> pl.BlockSpec:
    """The segment of each position, as `_vectors`."""
    return pl.BlockSpec((None, _positions(length, at)), lambda i, b, h: (b, at(i)))


def _rows_of_bias(bias: Array | None) -> pl.BlockSpec | None:
    """The bias of the program's own tile with all others."""
    if bias is None:
        return None
    return pl.BlockSpec((None, TILE, bias.shape[2]), lambda i, b, h: (h, i, 0))


def _walk() -> pl.BlockSpec:
    """The first tile to visit, and the end."""
    return pl.BlockSpec((2, None, None), lambda i, b, h: (0, b, i))


def _specs_of_queries(factors: Factors, tiles: Tiles) -> list[pl.BlockSpec | None]:
    """What a program with a tile of queries is given, but for what is sent back."""
    keys = tiles.key_segments.shape[1]
    all_keys = _vectors(factors.key, _all)
    return [
        _vectors(factors.query, _own),
        all_keys,
        all_keys,
        _rows_of_bias(factors.bias),
        None if factors.kept is None else _numbers(keys, _all),
        _segments(tiles.query_segments.shape[1], _own),
        _segments(keys, _all),
        _walk(),
    ]


def _like(x: Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(x.shape, x.dtype)


def _run(
    program: Callable[..., None],
    grid: tuple[int, ...],
    in_specs: Any,
    out_specs: Any,
    out_shape: Any,
    interpret: bool,
) -> Callable[..., Any]:
    return pl.pallas_call(
        program,
        grid=grid,
        in_specs=in_specs,
        out_specs=out_specs,
        out_shape=out_shape,
        compiler_params=plgpu.CompilerParams(num_warps=_WARPS, num_stages=_STAGES),
        interpret=interpret,
        name="attention" + program.__name__.removesuffix("_program"),
    )
