"""The fused kernel's arithmetic against masked attention; on a GPU, the kernel itself."""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt5x import losses, partitioning, target
from mt5x.errors import UserError
from mt5x.model import T5Config, Transformer, attention_kernels, attention_tiles, fused_attention
from mt5x.model.fused_attention import Segments
from mt5x.target import Target
from tests.mt5x.networks import SMALL, initial_params, packed_batch, random_examples

ON_GPU = jax.default_backend() == "gpu"
DTYPE, TOLERANCE = (jnp.bfloat16, 1e-2) if ON_GPU else (jnp.float32, 1e-5)
BATCH, QUERIES, KEYS, HEADS, HEAD_DIM = 2, 128, 192, 2, 16
FUSED = dataclasses.replace(SMALL, attention_kernel="fused", head_dim=HEAD_DIM)


def factors(queries: int, keys: int, biased: bool = True) -> list[Any]:
    """Queries, keys, values, and a bias or None."""
    random = [jax.random.key(seed) for seed in range(4)]
    rows = [
        jax.random.normal(key, (BATCH, length, HEADS, HEAD_DIM))
        for key, length in zip(random, (queries, keys, keys), strict=False)
    ]
    bias = 3.0 * jax.random.normal(random[3], (1, HEADS, queries, keys))
    return [None if x is None else x.astype(DTYPE) for x in (*rows, bias if biased else None)]


def masked(query, key, value, bias, segments, kept=None):
    """Attention as it is defined, in float32; zero where there is nothing to attend to."""
    query, key, value = (x.astype(jnp.float32) for x in (query, key, value))
    scores = jnp.einsum("bqhd,bkhd->bhqk", query, key, precision="highest")
    if bias is not None:
        scores = scores + jnp.tile(bias.astype(jnp.float32), (BATCH, 1, 1, 1))
    seen = segments.query[:, None, :, None] == segments.key[:, None, None, :]
    seen &= segments.query[:, None, :, None] > 0
    if segments.causal:
        seen &= np.tri(query.shape[1], dtype=bool)[None, None]
    weights = jnp.where(seen, jax.nn.softmax(jnp.where(seen, scores, -1e30)), 0.0)
    if kept is not None:
        weights = weights * kept[:, :, None, :].astype(jnp.float32)
    return jnp.einsum("bhqk,bkhd->bqhd", weights, value, precision="highest")


def assert_same(arrays: list[Any], segments: Segments, kept: Any = None) -> None:
    """Result and gradients of all factors."""
    fixed = {"segments": segments, "kept": kept}
    wanted, pull = jax.vjp(partial(masked, **fixed), *arrays)
    found, pull_fused = jax.vjp(partial(fused_attention.attend, **fixed), *arrays)
    sent = jax.random.normal(jax.random.key(9), wanted.shape)
    pairs = [(found, wanted)]
    pairs += zip(pull_fused(sent.astype(found.dtype)), pull(sent), strict=True)
    for one, other in (pair for pair in pairs if pair[1] is not None):
        difference = np.linalg.norm(np.asarray(one, np.float32) - np.asarray(other, np.float32))
        assert difference <= TOLERANCE * max(float(jnp.linalg.norm(other)), 1.0)


def numbered(*lengths: int, of: int, numbers: list[int] | None = None) -> np.ndarray:
    """A row of segments 1, 2, ... of these lengths, then padding."""
    row = np.repeat(numbers or np.arange(1, len(lengths) + 1), lengths)
    return np.pad(row, (0, of - len(row)))


LAYOUTS = {
    "one segment": (numbered(QUERIES, of=QUERIES), numbered(KEYS, of=KEYS)),
    "packed, padded": (numbered(50, 30, 20, of=QUERIES), numbered(70, 64, 10, of=KEYS)),
    "a tile of padding": (numbered(60, of=QUERIES), numbered(60, of=KEYS)),
    "no keys": (numbered(100, of=QUERIES), np.zeros(KEYS)),
    "queries without keys": (numbered(40, 40, 40, of=QUERIES), numbered(90, 0, 90, of=KEYS)),
    "nothing": (np.zeros(QUERIES), np.zeros(KEYS)),
    "a token each": (np.arange(1, QUERIES + 1), np.arange(1, KEYS + 1)),
    "numbers that fall": (
        numbered(70, 50, of=QUERIES, numbers=[9, 2]),
        numbered(64, 65, 20, of=KEYS, numbers=[2, 70, 9]),
    ),
}


def masks(keys: int) -> jax.Array:
    """Dropout of the weights of half of the keys."""
    kept = jax.random.bernoulli(jax.random.key(7), 0.5, (BATCH, HEADS, keys))
    return (2.0 * kept).astype(DTYPE)


@pytest.mark.parametrize("biased", [True, False], ids=["biased", "plain"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_result_and_gradients_are_those_of_masked_attention(layout, biased):
    query, key = (
        jnp.asarray(np.stack([row, LAYOUTS["packed, padded"][side]]), jnp.int32)
        for side, row in enumerate(LAYOUTS[layout])
    )
    kept = masks(KEYS) if biased else None
    assert_same(factors(QUERIES, KEYS, biased), Segments(query, key, causal=False), kept)


def test_causal_attention_sees_nothing_later():
    rows = [numbered(QUERIES, of=QUERIES), numbered(50, 30, 20, of=QUERIES)]
    segments = jnp.asarray(np.stack(rows), jnp.int32)
    assert_same(factors(QUERIES, QUERIES), Segments(segments, segments, causal=True))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=8, max_size=8), st.randoms(use_true_random=False))
def test_no_tile_that_shares_a_segment_is_left_out(numbers, random):
    """Whatever the numbers and their order; and none is visited where they ascend and differ."""
    of_keys = random.sample(numbers, 8)
    query, key = (np.repeat(row, 32)[None].astype(np.int32) for row in (numbers, of_keys))
    tiles = attention_tiles.cut(jnp.asarray(query), jnp.asarray(key))
    cut_query, cut_key = (x.reshape(-1, attention_tiles.TILE) for x in (query, key))
    for i, own in enumerate(cut_query):
        for j, other in enumerate(cut_key):
            common = {*own} & {*other} - {0}
            if common:
                assert tiles.shared[0, i, j]
                assert tiles.of_queries[0, 0, i] <= j < tiles.of_queries[1, 0, i]
                assert tiles.of_keys[0, 0, j] <= i < tiles.of_keys[1, 0, j]


def test_the_bias_s_gradient_is_the_same_from_parts_of_a_batch(monkeypatch):
    rows = np.stack([numbered(50, 30, 20, of=QUERIES), numbered(QUERIES, of=QUERIES)])
    segments = jnp.asarray(rows, jnp.int32)
    monkeypatch.setattr(attention_kernels, "_FILLING", 0)
    assert_same(factors(QUERIES, QUERIES), Segments(segments, segments, causal=False))


def test_of_packed_rows_only_the_diagonal_is_visited():
    rows = jnp.asarray(np.repeat(np.arange(1, 5), 256)[None], jnp.int32)
    tiles = attention_tiles.cut(rows, rows)
    visited = np.asarray(tiles.of_queries[1] - tiles.of_queries[0])
    assert visited.sum() * attention_tiles.TILE**2 == 4 * 256**2


def loss_and_gradients(config: T5Config, params: Any, batch: Any) -> Any:
    model = Transformer(config)

    def loss(params: Any) -> jax.Array:
        return losses.loss_fn(model, params, batch, jax.random.key(3))[0]

    return jax.jit(jax.value_and_grad(loss))(params)


@pytest.mark.skipif(ON_GPU, reason="in float32, which the kernel of a GPU does not take")
@pytest.mark.parametrize("packed", [True, False])
def test_the_network_s_loss_and_gradients_are_the_same(packed):
    """Encoder, decoder and the attention between them; padded rows, with dropout."""
    examples = random_examples(0, 6, 9, 5)
    rows = [examples[:3], examples[3:5]] if packed else [[example] for example in examples[:2]]
    batch = packed_batch(rows, 64, 64)
    if not packed:
        batch = {name: array for name, array in batch.items() if "segment" not in name}
    plain = dataclasses.replace(FUSED, attention_kernel="xla", dropout_rate=0.1)
    params = initial_params(Transformer(plain), seed=0)
    wanted = loss_and_gradients(plain, params, batch)
    found = loss_and_gradients(dataclasses.replace(plain, attention_kernel="fused"), params, batch)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert np.linalg.norm(one - other) <= 2e-5 * np.linalg.norm(other)


@pytest.mark.skipif(ON_GPU, reason="of the eight devices that a CPU can be")
@pytest.mark.parametrize("sizes", [(8, 1), (2, 2, 2), (2, 4)], ids=["8x1x1", "2x2x2", "2x1x4"])
def test_several_devices_compute_their_rows_and_heads(sizes, monkeypatch):
    """Result and gradients as on one; of 2 heads on 4 devices, each computes both."""
    mesh = partitioning.make_mesh(*sizes)
    seen, forward = set(), attention_kernels.forward

    def noting(factors: Any, *rest: Any) -> Any:
        seen.add(factors.query.shape)
        return forward(factors, *rest)

    rows = random_examples(0, 16, 9, 5)
    batch = packed_batch([rows[i : i + 2] for i in range(0, 16, 2)], 64, 64)
    params = initial_params(Transformer(FUSED), seed=0)
    wanted = loss_and_gradients(FUSED, params, batch)
    monkeypatch.setattr(attention_kernels, "forward", noting)
    with partitioning.on_mesh(mesh):
        placed = jax.device_put(batch, partitioning.batch_sharding(mesh))
        everywhere = jax.device_put(params, partitioning.replicated(mesh))
        found = loss_and_gradients(FUSED, everywhere, placed)
    heads = HEADS // sizes[1] or HEADS
    assert seen == {(8 // partitioning.batch_parts(mesh), 64, heads, HEAD_DIM)}
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert np.linalg.norm(one - other) <= 2e-5 * np.linalg.norm(other)


def test_it_serves_where_it_was_faster():
    half = dataclasses.replace(SMALL, dtype="bfloat16", head_dim=64)
    assert fused_attention.serves(half, 1024, 1024) == ON_GPU
    with target.planned(Target("gpu", compute_capability=8.0)):
        assert not fused_attention.serves(half, 1024, 1024)
    with target.planned(Target("gpu", compute_capability=9.0)):
        assert fused_attention.serves(half, 1024, 1024)
        assert not fused_attention.serves(half, 1000, 1024)
        assert not fused_attention.serves(half, 64, 64)
        for change in ({"dtype": "float32"}, {"head_dim": 48}, {"attention_kernel": "xla"}):
            assert not fused_attention.serves(dataclasses.replace(half, **change), 1024, 1024)
        asked = dataclasses.replace(half, attention_kernel="fused")
        assert fused_attention.serves(asked, 64, 64)
        assert not fused_attention.serves(asked, 1, 64)


def test_what_the_kernel_of_a_gpu_does_not_take_is_refused_there():
    refused = pytest.raises(UserError, match=r"needs DTYPE='bfloat16'.*not float32 and 16")
    with target.planned(Target("gpu")), refused:
        fused_attention.serves(FUSED, 1024, 1024)


@pytest.mark.skipif(ON_GPU, reason="what runs elsewhere")
def test_elsewhere_it_is_taken_where_it_is_asked_for():
    assert fused_attention.serves(FUSED, 1024, 1024)
    assert not fused_attention.serves(dataclasses.replace(FUSED, attention_kernel="auto"), 64, 64)


def test_an_unknown_kernel_is_refused():
    with pytest.raises(UserError, match=r"attention_kernel must be one of auto, xla, fused"):
        T5Config(vocab_size=8, attention_kernel="flash")
