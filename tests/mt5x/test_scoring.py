"""Scores of targets and labels against T5X's and against each other."""

import jax
import numpy as np
import pytest

from mt5x import decoding, losses, scoring
from tests.mt5x.networks import (
    logits_of,
    loss_and_grads,
    packed_batch,
    random_examples,
    unpacked_batch,
)

score_batch = jax.jit(scoring.score_batch, static_argnums=0)
score_labels = jax.jit(scoring.score_labels, static_argnums=0)
token_log_probs = jax.jit(scoring.token_log_probs, static_argnums=0)


def test_score_batch_equals_t5x(unpacked_golden):
    golden = unpacked_golden
    scores = score_batch(golden.model, golden.tree("params_step0"), golden.batch)
    np.testing.assert_allclose(scores, golden.arrays["score_batch"], atol=1e-4)


@pytest.mark.parametrize("positions_at_once", [2, 100])
def test_token_log_probs_are_those_of_the_softmax(small, monkeypatch, positions_at_once):
    model, params = small
    vocab = model.config.vocab_size
    monkeypatch.setattr(losses, "LOGITS_BYTES", positions_at_once * 4 * vocab * 4)
    batch = unpacked_batch(random_examples(0, 4, 9, 6), 9, 7)
    log_probs = np.asarray(jax.nn.log_softmax(logits_of(model, params, batch)))
    expected = np.take_along_axis(log_probs, batch["decoder_target_tokens"][..., None], axis=-1)
    ours = jax.jit(lambda p: scoring.token_log_probs(model, p, batch))(params)
    np.testing.assert_allclose(ours, expected[..., 0], atol=1e-5)


def test_scores_sum_to_the_cross_entropy(small):
    model, params = small
    examples = random_examples(1, 5, 7, 5)
    batch = packed_batch([examples[:3], examples[3:]], 21, 15)
    (_, metrics), _ = loss_and_grads(model, params, batch)
    total = score_batch(model, params, batch).sum()
    np.testing.assert_allclose(-total, metrics["cross_entropy"][0], rtol=1e-5)


LABEL_SETS = {
    "one token each": [[5, 1], [6, 1], [7, 1]],
    "different lengths": [[9, 10, 11, 1], [9, 1], [12, 13, 1], [9, 10, 1]],
    "a single label": [[4, 5, 1]],
}


@pytest.mark.parametrize("labels", LABEL_SETS.values(), ids=LABEL_SETS)
def test_label_scores_equal_the_score_of_each_label(small, labels):
    model, params = small
    sources = [source for source, _ in random_examples(2, 5, 9, 3)]
    length = max(map(len, labels))
    label_ids = np.array([label + [0] * (length - len(label)) for label in labels], np.int32)
    encoder_input = unpacked_batch([(s, [1]) for s in sources], 9, 1)["encoder_input_tokens"]
    scores = score_labels(model, params, encoder_input, label_ids)
    assert scores.shape == (5, len(labels))
    for number, label in enumerate(labels):
        batch = unpacked_batch([(source, label) for source in sources], 9, length)
        np.testing.assert_allclose(scores[:, number], score_batch(model, params, batch), atol=1e-4)


def test_the_greedy_decode_as_label_has_its_score(small):
    model, params = small
    source = unpacked_batch(random_examples(3, 4, 9, 3), 9, 3)["encoder_input_tokens"]
    ids, scores = jax.jit(decoding.greedy_decode, static_argnums=(0, 3))(model, params, source, 6)
    of_labels = score_labels(model, params, source, np.asarray(ids))
    np.testing.assert_allclose(np.diag(of_labels), scores, atol=1e-4)
