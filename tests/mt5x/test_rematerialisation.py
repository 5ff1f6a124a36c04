"""Recomputation and scan over layers change what is kept, not what is computed."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mt5x import losses, partitioning
from mt5x.errors import UserError
from mt5x.model import T5Config, Transformer
from tests.mt5x.networks import (
    SMALL,
    initial_params,
    largest_difference,
    packed_batch,
    random_examples,
)

DEEP = dataclasses.replace(SMALL, num_encoder_layers=3, num_decoder_layers=2)
WAYS = [("none", True), ("minimal", False), ("full", False), ("minimal", True), ("full", True)]


def batch(rows: int = 2) -> dict[str, np.ndarray]:
    examples = random_examples(3, 3 * rows, 6, 4)
    return packed_batch([examples[3 * i : 3 * i + 3] for i in range(rows)], 20, 12)


def loss_of(config: T5Config, key: jax.Array | None):
    def loss(params: Any, batch: Any) -> jax.Array:
        value, _ = losses.loss_fn(Transformer(config), params, batch, key)
        return value

    return loss


def gradients(config: T5Config, params: Any) -> tuple[Any, Any]:
    """Loss and gradients with dropout."""
    function = jax.jit(jax.value_and_grad(loss_of(config, jax.random.key(5))))
    return jax.device_get(function(params, batch()))


@pytest.mark.parametrize("per_layer_bias", [False, True], ids=["mt5", "umt5"])
def test_losses_and_gradients_are_the_same_with_the_same_masks(per_layer_bias):
    config = dataclasses.replace(DEEP, relative_bias_per_layer=per_layer_bias)
    params = initial_params(Transformer(config), seed=0)
    expected, expected_grads = gradients(config, params)
    scale = max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(expected_grads))
    ways = WAYS if not per_layer_bias else [("full", True)]
    for policy, scan in ways:
        changed = dataclasses.replace(config, remat_policy=policy, scan_layers=scan)
        loss, grads = gradients(changed, params)
        assert loss == pytest.approx(expected, rel=1e-5), (policy, scan)
        assert largest_difference(grads, expected_grads) <= 1e-5 * scale, (policy, scan)


@pytest.mark.parametrize(("policy", "scan"), WAYS)
def test_the_parameters_and_their_names_are_the_same(policy, scan):
    config = dataclasses.replace(DEEP, remat_policy=policy, scan_layers=scan)
    plain, other = initial_params(Transformer(DEEP), 0), initial_params(Transformer(config), 0)
    assert jax.tree.map(jnp.shape, plain) == jax.tree.map(jnp.shape, other)
    assert largest_difference(plain, other) == 0.0


def kept_for_backward(policy: str) -> int:
    """Bytes that the forward pass leaves for the backward pass, by shapes alone."""
    config = dataclasses.replace(DEEP, remat_policy=policy)
    params = jax.eval_shape(lambda: initial_params(Transformer(config), 0))
    loss = loss_of(config, None)
    _, backward = jax.eval_shape(lambda p: jax.vjp(lambda q: loss(q, batch()), p), params)
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(backward))


def test_each_policy_keeps_less_than_the_one_before():
    none, minimal, full = (kept_for_backward(policy) for policy in ("none", "minimal", "full"))
    assert none > minimal > full


def test_several_gpus_are_told_to_keep_in_step(monkeypatch):
    """Each layer but the last has a barrier, forward and backward; nothing else changes."""
    config = dataclasses.replace(DEEP, remat_policy="full")
    params, mesh = initial_params(Transformer(config), 0), partitioning.make_mesh(1, 1, 2)
    expected, expected_grads = gradients(config, params)

    def barriers() -> int:
        function = jax.value_and_grad(loss_of(config, jax.random.key(5)))
        return str(jax.make_jaxpr(function)(params, batch())).count("optimization_barrier")

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    alone = barriers()
    with partitioning.on_mesh(mesh):
        assert barriers() >= alone + 2 * (2 + 1)
        placed = jax.device_put(params, partitioning.replicated(mesh))
        loss, grads = gradients(config, placed)
    assert loss == pytest.approx(expected, rel=1e-5)
    scale = max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(expected_grads))
    assert largest_difference(grads, expected_grads) <= 1e-5 * scale


def test_bfloat16_computes_with_float32_parameters_and_gradients():
    for policy, scan in [("none", False), ("full", True)]:
        config = dataclasses.replace(
            DEEP, dtype=jnp.bfloat16, remat_policy=policy, scan_layers=scan
        )
        params = initial_params(Transformer(config), 0)
        loss, grads = gradients(config, params)
        hidden = jax.eval_shape(
            lambda p, c=config: losses.hidden_and_kernel(Transformer(c), p, batch(), None)[0],
            params,
        )
        assert hidden.dtype == jnp.bfloat16
        assert loss.dtype == np.float32
        assert np.isfinite(loss)
        assert {leaf.dtype.name for leaf in jax.tree.leaves((params, grads))} == {"float32"}


def test_what_cannot_work_is_refused_in_one_sentence():
    with pytest.raises(UserError, match="none, minimal, full, not 'minmal'; did you mean minimal"):
        T5Config(vocab_size=8, remat_policy="minmal")
    with pytest.raises(UserError, match="not 'float16', in which T5's activations overflow"):
        T5Config(vocab_size=8, dtype="float16")
