"""Greedy decoding against T5X's beam of one and against decoding without a cache."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mt5x import decoding
from mt5x.model import Transformer
from tests.mt5x.networks import SMALL, initial_params, logits_of, random_examples, unpacked_batch
from tests.mt5x.stopping import steps_of, stopping

greedy = jax.jit(decoding.greedy_decode, static_argnums=(0, 3, 4))


def test_ids_and_scores_equal_t5x(unpacked_golden):
    golden = unpacked_golden
    source = golden.batch["encoder_input_tokens"]
    ids, scores = greedy(golden.model, golden.tree("params_step0"), source, 12)
    np.testing.assert_array_equal(ids, golden.arrays["beam1_ids"])
    t5x_scores = scores / decoding.brevity_penalty(ids)
    np.testing.assert_allclose(t5x_scores, golden.arrays["beam1_scores"], atol=1e-4)


def full_recomputation(model, params, source, length, eos_id):
    """The same by running the whole decoder for each token."""
    batch = len(source)
    targets = np.zeros((batch, length + 1), np.int32)
    scores, done = np.zeros(batch), np.zeros(batch, bool)
    for position in range(length):
        features = {
            "encoder_input_tokens": source,
            "decoder_input_tokens": targets[:, :-1],
            # Says that every position is real.
            "decoder_target_tokens": np.ones((batch, length), np.int32),
        }
        logits = np.asarray(logits_of(model, params, features))[:, position]
        tokens = np.where(done, 0, logits.argmax(axis=-1))
        log_probs = logits.max(axis=-1) - np.asarray(jax.nn.logsumexp(logits, axis=-1))
        scores += np.where(done, 0.0, log_probs)
        targets[:, position + 1] = tokens
        done |= tokens == eos_id
    return targets[:, 1:], scores


@pytest.mark.parametrize("seed", range(3))
def test_caches_change_nothing(small, seed):
    model, params = small
    source = unpacked_batch(random_examples(seed, 6, 9, 3), 9, 3)["encoder_input_tokens"]
    free, _ = greedy(model, params, source, 10)
    # An end token that this model does write, so that rows end at different places.
    eos_id = int(np.bincount(np.asarray(free).ravel(), minlength=SMALL.vocab_size)[1:].argmax()) + 1
    ids, scores = greedy(model, params, source, 10, eos_id)
    expected, expected_scores = full_recomputation(model, params, source, 10, eos_id)
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-4)
    ended = np.cumsum(np.asarray(ids) == eos_id, axis=1) - (np.asarray(ids) == eos_id) > 0
    assert ended.any()
    assert (np.asarray(ids)[ended] == 0).all()


def test_a_row_of_padding_is_done_at_once(small):
    model, params = small
    source = np.array([[5, 6, 1], [0, 0, 0]], np.int32)
    ids, scores = greedy(model, params, source, 4)
    assert (np.asarray(ids)[1] == 0).all()
    assert scores[1] == 0
    alone, _ = greedy(model, params, source[:1], 4)
    np.testing.assert_array_equal(ids[:1], alone)


@pytest.mark.parametrize("end", [1, 4])
def test_it_stops_when_all_rows_have_ended(small, end):
    model, params = small
    source = unpacked_batch(random_examples(5, 3, 9, 3), 9, 3)["encoder_input_tokens"]
    (ids, _), steps = steps_of(greedy, stopping(model, end), params, source, 30)
    assert steps == end
    assert (np.asarray(ids)[:, end - 1] == 1).all()
    assert not np.asarray(ids)[:, end:].any()
    (ids, _), steps = steps_of(greedy, stopping(model, end), params, 0 * source, 30)
    assert steps == 0
    assert not np.asarray(ids).any()


def test_one_token_decodes(small):
    model, params = small
    ids, _ = greedy(model, params, np.array([[5, 1]], np.int32), 1)
    assert ids.shape == (1, 1)


def test_decoding_over_eight_devices_is_the_same(small):
    model, params = small
    source = unpacked_batch(random_examples(3, 8, 9, 3), 9, 3)["encoder_input_tokens"]
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    ids, _ = greedy(model, params, jax.device_put(source, rows), 10)
    expected, _ = greedy(model, params, source, 10)
    np.testing.assert_array_equal(ids, expected)


def test_bfloat16_decodes():
    model = Transformer(dataclasses.replace(SMALL, dtype="bfloat16"))
    ids, scores = greedy(model, initial_params(model, 0), np.array([[5, 1]], np.int32), 3)
    assert ids.dtype == jnp.int32
    assert scores.dtype == jnp.float32


def test_brevity_penalty():
    ids = np.array([[7, 8, 1, 0], [7, 8, 9, 10], [1, 0, 0, 0]], np.int32)
    penalty = partial(decoding.brevity_penalty, ids)
    np.testing.assert_allclose(penalty(), [(8 / 6) ** 0.6, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(penalty(alpha=0.0), [1, 1, 1])
