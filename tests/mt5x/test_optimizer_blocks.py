"""Adafactor block by block gives what it gives over whole matrices."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mt5x import optimizers, partitioning
from mt5x.optimizers import blocks


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "LEAST_SIZE", 1)
    monkeypatch.setattr(blocks, "BLOCK_SIZE", 160 * 20)
    monkeypatch.setattr(blocks, "LONG_ROW", 200)


def two_steps(optimizer, shape):
    keys = jax.random.split(jax.random.key(0), 3)
    params = {"kernel": jax.random.normal(keys[0], shape), "scale": jnp.ones(7)}
    state = optimizer.init(params)
    step = jax.jit(lambda *arguments: optimizer.measured_update(*arguments, 0.1))
    for key in keys[1:]:
        grads = {"kernel": 3 * jax.random.normal(key, shape), "scale": jnp.arange(7.0)}
        before = params
        params, state, squares = step(grads, state, params)
    return before, grads, params, state, squares


@pytest.mark.parametrize("shape", [(240, 160), (130, 256)])
@pytest.mark.parametrize("settings", [{}, {"clipping_threshold": None}])
def test_blocks_change_nothing(monkeypatch, request, shape, settings):
    optimizer = optimizers.Adafactor(**settings)
    assert optimizer.parts(shape) == 1
    whole = two_steps(optimizer, shape)
    request.getfixturevalue("small_blocks")
    assert optimizer.parts(shape) == {240: 12, 130: 1}[shape[0]]
    assert optimizer.has_long_rows(shape) == (shape[1] == 256)
    parts = two_steps(optimizer, shape)
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize(
    "optimizer",
    [
        optimizers.Adafactor(),
        optimizers.Adafactor(global_norm_clip_threshold=2.0),
        optimizers.Adafactor(beta1=0.9, weight_decay_rate=0.01),
        optimizers.AdamW(),
    ],
)
def test_squares_are_those_of_the_step(small_blocks, optimizer):
    keys = jax.random.split(jax.random.key(1), 2)
    params = {"kernel": jax.random.normal(keys[0], (240, 160)), "scale": jnp.ones(7)}
    grads = {"kernel": jax.random.normal(keys[1], (240, 160)), "scale": jnp.arange(7.0)}
    after, _, squares = jax.jit(optimizer.measured_update)(
        grads, optimizer.init(params), params, 0.1
    )
    changes = jax.tree.map(jnp.subtract, after, params)
    for found, tree in zip(squares, (grads, after, changes), strict=True):
        expected = sum(float(np.sum(np.square(leaf, dtype=np.float64))) for leaf in tree.values())
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(250112, 512), (768, 250112)])
def test_the_vocabulary_matrices_are_updated_in_place(shape):
    optimizer = optimizers.Adafactor()
    params = {"kernel": jax.ShapeDtypeStruct(shape, jnp.float32)}
    state = jax.eval_shape(optimizer.init, params)
    update = jax.jit(partial(optimizer.measured_update, learning_rate=0.1), donate_argnums=(1, 2))
    memory: Any = update.lower(params, state, params).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 2**23


def test_a_matrix_over_devices_stays_whole(small_blocks):
    assert blocks.count((240, 160)) == 12
    with partitioning.on_mesh(partitioning.abstract_mesh(2, 1)):
        assert blocks.count((240, 160)) == 1
