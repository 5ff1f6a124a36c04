"""LM statistics against a slow implementation: one example at a time, no cache, no batch."""

import jax
import numpy as np
import pytest
from flax import linen as nn

from analysis import lm_job
from analysis.lm_statistics import LmStatistics, measure
from mt5x import partitioning
from mt5x.model import T5Config, Transformer

INPUT, TARGET, EOS, VOCABULARY = 12, 8, 1, 13


@pytest.fixture(scope="module")
def model():
    return Transformer(
        T5Config(
            vocab_size=VOCABULARY,
            emb_dim=16,
            num_heads=2,
            head_dim=8,
            num_encoder_layers=1,
            num_decoder_layers=1,
            mlp_dim=24,
            dropout_rate=0.0,
        )
    )


@pytest.fixture(scope="module")
def params(model):
    ids = np.ones((1, 4), np.int32)
    boxed = jax.jit(lambda key: model.init(key, ids, ids, ids, enable_dropout=False))(
        jax.random.key(3)
    )
    return nn.meta.unbox(boxed)["params"]


@pytest.fixture(scope="module")
def logits(model, params):
    """(input ids, decoder input ids) -> logits, padded to one shape so that it compiles once."""

    forward = jax.jit(
        lambda source, so_far: model.apply(
            {"params": params}, source, so_far, np.ones((1, 9), np.int32), enable_dropout=False
        )
    )

    def apply(inputs, so_far):
        batch = [np.pad(ids, (0, n - len(ids)))[None] for ids, n in ((inputs, INPUT), (so_far, 9))]
        return np.asarray(forward(*batch)[0, : len(so_far)], np.float64)

    return apply


def greedy(logits, inputs):
    decoded: list[int] = []
    while len(decoded) < TARGET:
        decoded.append(int(logits(inputs, np.array([0, *decoded]))[-1].argmax()))
        if decoded[-1] == EOS:
            break
    return decoded


@pytest.fixture(scope="module")
def examples(logits):
    """Random references, and among them what the model itself would write: whole hits."""
    rng = np.random.default_rng(0)
    inputs, targets = [], []
    for number in range(11):
        ids = np.append(rng.integers(2, VOCABULARY, rng.integers(3, INPUT)), EOS).astype(np.int32)
        inputs.append(ids)
        if number % 3 == 0:
            targets.append(np.array(greedy(logits, ids), np.int32))
        else:
            length = rng.integers(1, TARGET)
            targets.append(np.append(rng.integers(2, VOCABULARY, length), EOS).astype(np.int32))
    return inputs, targets


@pytest.fixture(scope="module")
def batches(examples):
    inputs, targets = examples
    return list(lm_job.batches(inputs, targets, {"inputs": INPUT, "targets": TARGET}, 8))


def slow(logits, inputs, targets):
    nll, exact, hits, tokens = 0.0, 0, 0, 0
    for ids, reference in zip(inputs, targets, strict=True):
        rows = logits(ids, np.array([0, *reference[:-1]]))
        for row, token in zip(rows, reference, strict=True):
            nll -= row[token] - np.log(np.exp(row - row.max()).sum()) - row.max()
        decoded = greedy(logits, ids) + [0] * TARGET
        met = [x == s for x, s in zip(decoded, reference, strict=False)]
        exact += all(met)
        hits += sum(met)
        tokens += len(reference)
    return {
        "lm_nll": nll / tokens,
        "lm_em": 100 * exact / len(inputs),
        "lm_token_em": 100 * hits / tokens,
    }


def test_equal_to_the_slow_implementation(model, params, logits, examples, batches):
    statistics = measure(model, params, batches)
    expected = slow(logits, *examples)
    assert 0 < expected["lm_em"] < 100  # Both outcomes occur, or the test shows little.
    assert expected["lm_token_em"] > expected["lm_em"] / 2
    assert statistics.metrics() == pytest.approx(expected, abs=1e-6)
    assert statistics.num_examples == len(examples[0])


def test_the_same_over_several_devices(model, params, batches):
    mesh = partitioning.make_mesh(4, 1)
    seen: list[int] = []
    spread = measure(model, params, batches, mesh, seen.append)
    alone = measure(model, params, batches)
    assert spread.metrics() == pytest.approx(alone.metrics(), abs=1e-6)
    assert sum(seen) == 11


def test_rows_of_padding_are_not_counted(model, params, batches):
    padding = {name: np.zeros_like(array) for name, array in batches[0].items()}
    statistics = measure(model, params, [*batches, padding])
    assert statistics.metrics() == measure(model, params, batches).metrics()


def test_packed_or_empty_input_is_refused(model, params, batches):
    with pytest.raises(ValueError, match="packed"):
        measure(model, params, [{**batches[0], "decoder_segment_ids": np.ones((8, TARGET))}])
    with pytest.raises(ValueError, match="no sequence"):
        measure(model, params, [])


def test_the_definitions_by_hand():
    statistics = LmStatistics(
        nll=np.array([2.0, 6.0]), tokens=np.array([2, 6]), hits=np.array([2, 3])
    )
    assert statistics.metrics() == {"lm_nll": 1.0, "lm_em": 50.0, "lm_token_em": 62.5}
