"""The benchmarks' baselines of evaluation and decoding find what mt5x finds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mt5x import decoding, prediction, steps, train_state
from mt5x.benchmarks import padded_evaluation, recomputing_decode
from mt5x.benchmarks.evaluation import XNLI_LABELS, Digits, like_xnli
from mt5x.partitioning import make_mesh
from tests.mt5x import toy
from tests.mt5x.networks import random_examples, unpacked_batch

LANGUAGES, ROWS, LENGTH = 3, 16, 48


def examples(random, count):
    """Inputs whose first token tells the label, and the labels' places."""
    answers = random.integers(0, len(XNLI_LABELS), count)
    inputs = [
        np.concatenate([[100 + answer], random.integers(3, 99, random.integers(2, 40)), [1]])
        for answer in answers
    ]
    return [ids.astype(np.int32) for ids in inputs], answers


@pytest.fixture(scope="module")
def trained():
    """A network that has learned to write the labels."""
    model, mesh = toy.model(), make_mesh(1, 1)
    label_ids = prediction.encode_labels(XNLI_LABELS, Digits())
    state = train_state.init_state(model, mesh, seed=0)
    step = steps.train_step(model, mesh)
    random = np.random.default_rng(0)
    for _ in range(150):
        inputs, answers = examples(random, 32)
        source = np.zeros((32, LENGTH), np.int32)
        for row, ids in enumerate(inputs):
            source[row, : len(ids)] = ids
        targets = label_ids[answers]
        batch = {
            "encoder_input_tokens": source,
            "decoder_input_tokens": np.pad(targets[:, :-1], [(0, 0), (1, 0)]),
            "decoder_target_tokens": targets,
            "decoder_loss_weights": np.ones_like(targets, np.float32),
        }
        state, _ = step(state, steps.place(batch, mesh), jax.random.key(0), jnp.float32(0.02))
    return model, state.params, mesh


def test_where_labels_are_written_they_are_what_is_scored(trained):
    random = np.random.default_rng(1)
    languages, answers = zip(*(examples(random, 21) for _ in range(LANGUAGES)), strict=True)
    vocabulary = Digits()
    label_ids = prediction.encode_labels(XNLI_LABELS, vocabulary)
    model, params, mesh = trained
    decoded = padded_evaluation.decoded_ids(
        model, params, mesh, languages, ROWS, LENGTH, label_ids.shape[1]
    )
    written = [
        [int(np.flatnonzero((label_ids == row).all(axis=1))[0]) for row in rows] for rows in decoded
    ]
    flat = [ids for inputs in languages for ids in inputs]
    scored = prediction.predict_labels(model, params, mesh, flat, XNLI_LABELS, vocabulary, ROWS)
    assert [XNLI_LABELS[place] for rows in written for place in rows] == scored
    accuracy = np.mean(np.concatenate(written) == np.concatenate(answers))
    assert accuracy > 0.9  # It has learned: the labels are not all one.


@pytest.mark.parametrize("length", [6, 20])
def test_recomputing_keys_and_values_changes_nothing(small, length):
    model, params = small
    source = unpacked_batch(random_examples(0, 4, 9, 3), 9, 3)["encoder_input_tokens"]
    greedy = jax.jit(decoding.greedy_decode, static_argnums=(0, 3, 4))
    ids, scores = greedy(model, params, source, length, -1)
    others, other_scores = greedy(recomputing_decode.of(model), params, source, length, -1)
    np.testing.assert_array_equal(ids, others)
    np.testing.assert_allclose(scores, other_scores, atol=1e-4)


def test_made_up_inputs_are_as_long_as_those_of_xnli():
    languages = like_xnli(15, 500, 1000)
    lengths = [len(ids) for language in languages for ids in language]
    assert len(lengths) == 7500
    assert np.mean(lengths) == pytest.approx(64.2, abs=1.5)
    assert 20 <= min(lengths) <= max(lengths) <= 231
    assert all(language[0][-1] == 1 for language in languages)
