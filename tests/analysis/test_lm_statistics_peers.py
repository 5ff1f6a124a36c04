"""LM statistics against transformers' mT5 with the same weights: its logits, live and stored."""

import numpy as np
import pytest
from scipy.special import log_softmax

from analysis.lm_statistics import measure
from tests.mt5x.make_huggingface_golden import (
    STORED,
    Reference,
    compute,
    load,
    make_batch,
    random_weights,
)
from tests.mt5x.test_huggingface_parity import CASES, our_model, our_tree


@pytest.fixture(scope="module", params=["stored", *CASES])
def reference(request) -> Reference:
    if request.param == "stored":
        return load(STORED)
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    sizes, source, target, padded = CASES[request.param]
    batch = make_batch(3, sizes["vocab_size"], source, target, padded)
    return compute(sizes, random_weights(sizes, seed=3), batch)


def test_log_likelihoods_are_those_of_transformers(reference):
    batch, targets = reference.batch, reference.batch["decoder_target_tokens"]
    found = measure(our_model(reference.sizes), our_tree(reference.weights), [batch])
    theirs = log_softmax(reference.logits.astype(np.float64), axis=-1)
    real = targets > 0
    each = np.take_along_axis(theirs, targets[:, :, None], axis=-1)[:, :, 0]
    assert found.nll == pytest.approx(-np.where(real, each, 0).sum(axis=1), abs=1e-4, rel=0)
    assert found.metrics()["lm_nll"] == pytest.approx(reference.loss, abs=1e-4)
    hits = (theirs.argmax(axis=-1) == targets) & real
    assert found.forced_hits.tolist() == hits.sum(axis=1).tolist()
