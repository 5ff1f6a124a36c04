"""What teacher forcing settles is what a greedy decode of every sequence would have found."""

import jax
import numpy as np
import pytest
from flax import linen as nn

from analysis import lm_job, lm_statistics
from mt5x import decoding
from mt5x.model import T5Config, Transformer

INPUT, TARGET, EOS, VOCABULARY = 12, 8, 1, 16
ROWS = 16

greedy = jax.jit(decoding.greedy_decode, static_argnums=(0, 3))


@pytest.fixture(scope="module")
def model():
    return Transformer(
        T5Config(
            vocab_size=VOCABULARY,
            emb_dim=8,
            num_heads=2,
            head_dim=4,
            num_encoder_layers=1,
            num_decoder_layers=1,
            mlp_dim=8,
        )
    )


def parameters(model, seed):
    """Fresh ones, in whose logits each token from 8 on equals one of those below."""
    ids = np.ones((1, 4), np.int32)
    init = jax.jit(lambda key: model.init(key, ids, ids, ids, enable_dropout=False))
    params = nn.meta.unbox(init(jax.random.key(seed)))["params"]
    kernel = params["decoder"]["logits_dense"]["kernel"]
    half = VOCABULARY // 2
    tied = kernel.at[:, half:].set(kernel[:, :half])
    params["decoder"]["logits_dense"]["kernel"] = tied
    return params


def examples(model, params, seed):
    """Inputs, and targets that the model writes: whole, but for one token, or with another end."""
    random = np.random.default_rng(seed)
    inputs = [
        np.append(random.integers(2, VOCABULARY, random.integers(3, INPUT)), EOS).astype(np.int32)
        for _ in range(3 * ROWS)
    ]
    sources = np.zeros((len(inputs), INPUT), np.int32)
    for row, ids in enumerate(inputs):
        sources[row, : len(ids)] = ids
    written = np.asarray(greedy(model, params, sources, TARGET)[0])
    targets = []
    for row, ids in enumerate(written):
        target = ids[: random.integers(1, TARGET + 1)].copy()
        if row % 3:
            place = random.integers(len(target))
            tie = (target[place] + VOCABULARY // 2) % VOCABULARY
            target[place] = [random.integers(2, VOCABULARY), max(tie, 1)][row % 2]
        if row % 4 == 0:
            target[-1] = EOS
        targets.append(np.maximum(target, 1))
    return inputs, targets, written


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_decoding_everything(model, seed, monkeypatch):
    params = parameters(model, seed)
    inputs, targets, written = examples(model, params, seed)
    hits = [
        int((ids[: len(target)] == target).sum())
        for ids, target in zip(written, targets, strict=True)
    ]
    decoded = []
    plain = lm_statistics._decoded_hits

    def noting(*arguments):
        decoded.extend(arguments[3])
        return plain(*arguments)

    monkeypatch.setattr(lm_statistics, "_decoded_hits", noting)
    batches = lm_job.batches(inputs, targets, {"inputs": INPUT, "targets": TARGET}, ROWS)
    found = lm_statistics.measure(model, params, batches)
    np.testing.assert_array_equal(found.hits, hits)
    np.testing.assert_array_equal(found.tokens, [len(target) for target in targets])
    # At least those that were restored were not decoded.
    assert len(decoded) <= len(inputs) - (found.hits == found.tokens).sum()
