"""Labels that share a prefix share its softmax, and score as they did."""

from functools import partial

import jax
import numpy as np
import pytest

from mt5x import scoring
from tests.mt5x.networks import random_examples, unpacked_batch

LABELS = {
    "XNLI's": ([[5, 1], [6, 1], [7, 1]], 4),
    "one begins another": ([[9, 10, 11, 1], [9, 1], [12, 13, 1], [9, 10, 1]], 6),
    "a single label": ([[4, 5, 1]], 3),
}


@pytest.mark.parametrize(("labels", "count"), LABELS.values(), ids=LABELS)
def test_each_prefix_once(small, labels, count):
    model, params = small
    length = max(map(len, labels))
    label_ids = np.array([label + [0] * (length - len(label)) for label in labels], np.int32)
    prefixes = scoring.distinct_prefixes(label_ids)
    assert prefixes.first.shape == (count,)
    for label, row in zip(labels, prefixes.of_token, strict=True):
        for position in range(len(label)):
            found, at = divmod(int(prefixes.first[row[position]]), length)
            assert at == position
            assert labels[found][:position] == label[:position]
    source = unpacked_batch(random_examples(2, 5, 9, 3), 9, 3)["encoder_input_tokens"]
    score = jax.jit(partial(scoring.score_labels, model))
    shared = score(params, source, label_ids, prefixes)
    np.testing.assert_allclose(shared, score(params, source, label_ids), atol=1e-5)
