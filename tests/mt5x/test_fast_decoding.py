"""What makes a decode step fast changes nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mt5x import decoding
from mt5x.decoding import caches
from mt5x.decoding.likeliest import likeliest
from tests.mt5x.networks import random_examples, unpacked_batch

ROWS = 3
compiled_likeliest = jax.jit(likeliest, static_argnums=1)


@settings(max_examples=40)
@given(st.sampled_from([1, 13, 96, 512]), st.integers(0, 2**32 - 1))
def test_the_likeliest_token_is_the_first_of_the_largest(vocabulary, seed):
    random = np.random.default_rng(seed)
    # Few values: most rows have their largest several times.
    logits = random.integers(0, 4, (ROWS, vocabulary)).astype(np.float32)
    expected = np.asarray(jax.nn.log_softmax(logits)).max(axis=1)
    for tokens, log_probs in (compiled_likeliest(logits, 1), compiled_likeliest(logits.T, 0)):
        np.testing.assert_array_equal(tokens, logits.argmax(axis=1))
        np.testing.assert_allclose(log_probs, expected, atol=1e-5)


def decode(model, source, kind, **settings):
    config = decoding.DecodeConfig(kind, max_length=7, **settings)
    key, rows = jax.random.key(0), jnp.arange(len(source))
    return jax.jit(lambda params, source: decoding.decode(model, params, source, config, key, rows))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("greedy", {}), ("beam", {"num_decodes": 2}), ("sample", {"num_decodes": 2})],
)
def test_a_turned_kernel_changes_nothing(small, monkeypatch, kind, settings):
    model, params = small
    source = unpacked_batch(random_examples(0, 4, 9, 3), 9, 3)["encoder_input_tokens"]
    plain = decode(model, source, kind, **settings)(params, source)
    monkeypatch.setattr(caches, "WORTH_TURNING", 1)
    turned = decode(model, source, kind, **settings)(params, source)
    np.testing.assert_array_equal(turned.ids, plain.ids)
    np.testing.assert_allclose(turned.scores, plain.scores, atol=1e-5)


@pytest.mark.parametrize(("length", "turned"), [(2, False), (64, True)])
def test_only_a_long_decode_turns_the_kernel(small, length, turned):
    model, params = small
    source = jnp.array([[5, 1]], jnp.int32)
    cache = jax.eval_shape(lambda params: caches.start(model, params, source, length), params)
    assert (cache.turned_kernel is not None) == turned
