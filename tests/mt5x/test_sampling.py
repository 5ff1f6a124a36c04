"""Sampling against the exact distribution, and free of what shares the batch."""

from functools import partial

import jax
import numpy as np
import pytest
from scipy import stats

from mt5x import decoding
from mt5x.decoding.sampling import draw
from tests.mt5x.networks import logits_of, random_examples, unpacked_batch
from tests.mt5x.stopping import steps_of, stopping

sample = jax.jit(decoding.sample, static_argnums=(0, 3, 6, 7, 8, 9))
greedy = jax.jit(decoding.greedy_decode, static_argnums=(0, 3))
KEY = jax.random.key(11)
# What chance alone gives once in ten thousand runs; the seeds are fixed, so it never does.
RARE = 1e-4


def sources(seed: int, count: int = 5) -> np.ndarray:
    return unpacked_batch(random_examples(seed, count, 9, 3), 9, 3)["encoder_input_tokens"]


def exact(logits: np.ndarray, temperature: float, top_k: int | None, top_p: float | None):
    """The distribution to draw from, token by token with Python's loops."""
    weights = np.exp(logits.astype(np.float64) / temperature)
    order = sorted(range(len(logits)), key=lambda token: (-logits[token], token))
    kept = order[: top_k or len(order)]
    if top_p is not None:
        total, mass, nucleus = weights[kept].sum(), 0.0, []
        for token in kept:
            nucleus.append(token)
            mass += weights[token] / total
            if mass >= top_p:
                break
        kept = nucleus
    probabilities = np.zeros(len(logits))
    probabilities[kept] = weights[kept] / weights[kept].sum()
    return probabilities


SETTINGS = [
    (1.0, None, None),
    (0.5, None, None),
    (2.0, None, None),
    (1.0, 5, None),
    (1.0, None, 0.7),
    (1.5, 6, 0.8),
    (1.0, 1, None),
    (1.0, None, 1e-6),
]


@pytest.mark.parametrize(("temperature", "top_k", "top_p"), SETTINGS)
def test_draws_follow_the_exact_distribution(temperature, top_k, top_p):
    count, logits = 20_000, np.random.default_rng(0).normal(0, 1.5, 12).astype(np.float32)
    keys = jax.random.split(KEY, count)
    settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    drawn = jax.jit(partial(draw, **settings))(keys, np.broadcast_to(logits, (count, 12)))
    seen = np.bincount(drawn, minlength=12)
    expected = exact(logits, temperature, top_k, top_p)
    assert seen[expected == 0].sum() == 0
    if (expected > 0).sum() > 1:
        test = stats.chisquare(seen[expected > 0], count * expected[expected > 0])
        assert test.pvalue > RARE


@pytest.mark.parametrize(("top_k", "top_p"), [(12, None), (None, 0.95)])
def test_tokens_that_rounding_ranks_otherwise_are_drawn_alike(top_k, top_p):
    """All twelve remain, for eleven do not sum to 0.95; only their order differs."""
    keys = jax.random.split(KEY, 200)
    settings = {"temperature": 1.0, "top_k": top_k, "top_p": top_p}
    rising = np.broadcast_to(np.linspace(0, 1e-6, 12, dtype=np.float32), (200, 12))
    draw_all = jax.jit(partial(draw, **settings))
    drawn = draw_all(keys, rising)
    np.testing.assert_array_equal(draw_all(keys, rising[:, ::-1]), drawn)
    assert len(set(np.asarray(drawn))) == 12


@pytest.mark.parametrize("seed", range(8))
def test_only_the_top_k_and_the_nucleus_are_drawn(seed):
    """For random logits, k and p, ties included."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, random.uniform(0.1, 5), 40).astype(np.float32)
    if seed % 4 == 0:
        logits = np.round(logits)  # ties
    top_k, top_p = int(random.integers(1, 41)), float(random.uniform(0.05, 1))
    allowed = exact(logits, 1.0, top_k, top_p) > 0
    keys = jax.random.split(jax.random.key(seed), 500)
    draw_all = jax.jit(draw, static_argnums=(2, 3, 4))
    drawn = draw_all(keys, np.broadcast_to(logits, (500, 40)), 1.0, top_k, top_p)
    assert set(np.asarray(drawn).tolist()) <= set(np.flatnonzero(allowed).tolist())


def test_the_first_tokens_follow_the_model(small):
    model, params = small
    source, count = sources(0, count=1), 4000
    rows = np.arange(count, dtype=np.int32)
    ids, _ = sample(model, params, np.tile(source, (count, 1)), 1, KEY, rows, 2, 1.0, None, None)
    features = {
        "encoder_input_tokens": source,
        "decoder_input_tokens": np.zeros((1, 1), np.int32),
        "decoder_target_tokens": np.ones((1, 1), np.int32),
    }
    logits = np.asarray(logits_of(model, params, features))[0, 0]
    expected = exact(logits, 1.0, None, None) * 2 * count
    seen = np.bincount(np.asarray(ids).ravel(), minlength=len(expected))
    # Tokens too rare for the test's approximation are counted together.
    rare = expected < 5
    seen = np.append(seen[~rare], seen[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    assert expected[-1] > 5
    assert len(seen) > 20
    assert stats.chisquare(seen, expected).pvalue > RARE


def test_scores_are_the_log_probabilities_of_the_samples(small):
    """Of the model itself: neither temperature nor top k takes part."""
    model, params = small
    source, rows = sources(1), np.arange(5, dtype=np.int32)
    ids, scores = map(np.asarray, sample(model, params, source, 6, KEY, rows, 3, 0.7, 20, None))
    assert len({tuple(one) for one in ids.reshape(-1, 6).tolist()}) > 5
    for number in range(3):
        targets = ids[:, number]
        features = {
            "encoder_input_tokens": source,
            "decoder_input_tokens": np.pad(targets[:, :-1], [(0, 0), (1, 0)]),
            "decoder_target_tokens": np.ones_like(targets),
        }
        log_probs = np.asarray(jax.nn.log_softmax(logits_of(model, params, features)))
        of_tokens = np.take_along_axis(log_probs, targets[..., None], axis=-1)[..., 0]
        # Up to and with the end; before it a network without training may draw the padding, too.
        ended = np.cumsum(targets == 1, axis=1) - (targets == 1)
        expected = (of_tokens * (ended == 0)).sum(axis=1)
        np.testing.assert_allclose(scores[:, number], expected, atol=1e-4)


def test_a_row_draws_the_same_in_any_batch(small):
    model, params = small
    source, rows = sources(2, count=6), np.arange(6, dtype=np.int32)
    settings = (2, 1.0, None, 0.9)
    together, _ = sample(model, params, source, 6, KEY, rows, *settings)
    order = np.array([4, 0, 5, 2, 1, 3])
    shuffled, _ = sample(model, params, source[order], 6, KEY, rows[order], *settings)
    np.testing.assert_array_equal(np.asarray(together)[order], shuffled)
    for row in range(6):
        alone, _ = sample(model, params, source[[row]], 6, KEY, rows[[row]], *settings)
        np.testing.assert_array_equal(alone[0], together[row])


def test_rows_samples_and_seeds_differ(small):
    model, params = small
    source = np.tile(sources(3, count=1), (4, 1))
    rows = np.arange(4, dtype=np.int32)
    first, _ = sample(model, params, source, 6, KEY, rows, 4, 1.0, None, None)
    assert len({tuple(one) for one in np.asarray(first).reshape(16, 6).tolist()}) > 12
    other, _ = sample(model, params, source, 6, jax.random.key(12), rows, 4, 1.0, None, None)
    assert (np.asarray(first) != np.asarray(other)).any()
    again, _ = sample(model, params, source, 6, KEY, rows, 4, 1.0, None, None)
    np.testing.assert_array_equal(first, again)


def test_top_one_is_greedy(small):
    model, params = small
    source, rows = sources(4), np.arange(5, dtype=np.int32)
    ids, scores = sample(model, params, source, 6, KEY, rows, 1, 3.0, 1, None)
    expected, expected_scores = greedy(model, params, source, 6)
    np.testing.assert_array_equal(np.asarray(ids)[:, 0], expected)
    np.testing.assert_allclose(np.asarray(scores)[:, 0], expected_scores, atol=1e-5)


def test_it_stops_when_all_samples_have_ended(small):
    model, params = small
    source, rows = sources(5, count=3), np.arange(3, dtype=np.int32)
    arguments = (30, KEY, rows, 2, 1.0, None, None)
    (ids, _), steps = steps_of(sample, stopping(model, 4), params, source, *arguments)
    assert steps == 4
    assert (np.asarray(ids)[:, :, 3] == 1).all()
    assert not np.asarray(ids)[:, :, 4:].any()
    _, steps = steps_of(sample, stopping(model, 4), params, 0 * source, *arguments)
    assert steps == 0
