"""Gold scores 100 against itself, and shuffled gold what chance predicts: seeds are fixed.

What chance predicts is computed, not measured: for a random permutation of the gold, the
expectation and the variance of a mean over positions are known in closed form.
"""

import collections
import math
from collections.abc import Sequence

import numpy as np
import pytest

from tasks import metrics
from tasks.postprocessors import Answers, Sentence

COUNT = 3000
# Of a normal variable, once in 15,000 seeds is outside; the seeds here are fixed.
DEVIATIONS = 4.0


def shuffled(gold: Sequence, seed: int) -> list:
    return [gold[index] for index in np.random.default_rng(seed).permutation(len(gold))]


def drawn(choices: Sequence[str], shares: Sequence[float], seed: int = 0) -> list[str]:
    return list(np.random.default_rng(seed).choice(choices, COUNT, p=shares))


def chance(similarity: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Expectation and deviation of the mean similarity of gold to its random permutation.

    Args:
      similarity: [kinds, kinds] score of a prediction of one kind for gold of another.
      counts: [kinds] how often gold has the kind.
    """
    n = counts.sum()
    mean = counts @ similarity @ counts / n**2
    # Hoeffding's combinatorial theorem: doubly centred scores.
    rows = (similarity @ counts / n)[:, None]
    columns = (counts @ similarity / n)[None, :]
    centred = (similarity - rows - columns + mean) ** 2
    return mean, math.sqrt(counts @ centred @ counts / (n - 1)) / n


@pytest.mark.parametrize("shares", [(1 / 3, 1 / 3, 1 / 3), (0.8, 0.15, 0.05)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_accuracy(shares, seed) -> None:
    gold = drawn(list("012"), shares)
    assert metrics.accuracy(gold, gold) == {"accuracy": 100.0}
    assert metrics.macro_f1("0 1 2".split())(gold, gold) == {"macro_f1": 100.0}
    assert metrics.positive_f1("1")(gold, gold) == {"positive_f1": 100.0}
    counts = np.array([gold.count(label) for label in "012"])
    mean, deviation = chance(np.eye(3), counts)
    score = metrics.accuracy(gold, shuffled(gold, seed))["accuracy"] / 100
    assert abs(score - mean) < DEVIATIONS * deviation
    # A shuffle claims a label as often as gold has it: its F1 is the share of hits in its places.
    for label, count in zip("012", counts, strict=True):
        is_label = np.array([[1.0, 0.0], [0.0, 0.0]])
        mean, deviation = chance(is_label, np.array([count, COUNT - count]))
        score = metrics.positive_f1(label)(gold, shuffled(gold, seed))["positive_f1"] / 100
        assert abs(score - mean * COUNT / count) < DEVIATIONS * deviation * COUNT / count


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_spans_tags_and_answers(seed) -> None:
    """Every example is one of few kinds, so the chance of each score follows from the kinds."""
    kinds = {
        "span_f1": ["PER: a", "LOC: b", "PER: অ", "None"],
        "tag_accuracy": ["DET NOUN", "NOUN VERB", "DET ADJ"],
        "f1": ["the red cat", "red dog", "बिल्ली", "القطة نائمة"],
    }
    score_of = {
        "span_f1": metrics.span_f1,
        "tag_accuracy": metrics.tag_scores,
        "f1": lambda t, p: metrics.squad([[one] for one in t], p),
    }
    for name, texts in kinds.items():
        gold = drawn(texts, [1 / len(texts)] * len(texts))
        metric = score_of[name]
        assert metric(gold, gold)[name] == pytest.approx(100)
        counts = np.array([gold.count(text) for text in texts])
        if name == "span_f1":
            # Micro: hits over spans, and both sides hold as many.
            similarity = np.diag([float(":" in text) for text in texts])
            spans = sum(":" in text for text in gold)
        else:
            similarity = np.array([[metric([t], [p])[name] / 100 for p in texts] for t in texts])
            spans = COUNT
        mean, deviation = chance(similarity, counts)
        found = metric(gold, shuffled(gold, seed))[name] / 100
        assert abs(found - mean * COUNT / spans) < DEVIATIONS * deviation * COUNT / spans


@pytest.mark.parametrize("language", ["ar", "de", "en", "es", "hi", "vi", "zh"])
def test_mlqa(language) -> None:
    texts = ["القطة نائمة", "die rote Katze", "red cat", "hai con mèo", "红猫睡觉", "लाल बिल्ली"]
    gold = drawn(texts, [1 / len(texts)] * len(texts))
    metric = metrics.mlqa(language)
    answers = [Answers([text], text) for text in gold]
    assert metric(answers, gold) == {"em": pytest.approx(100), "f1": pytest.approx(100)}
    assert metrics.not_in_context(answers, gold) == {"not_in_context": 0.0}
    counts = np.array([gold.count(text) for text in texts])
    mean, deviation = chance(np.eye(len(texts)), counts)
    found = metric(answers, shuffled(gold, 1))["em"] / 100
    assert abs(found - mean) < DEVIATIONS * deviation


def test_chunks_are_permuted_with_their_sentences() -> None:
    gold = drawn(["DET NOUN NOUN", "NOUN VERB", "SYM SYM"], [0.5, 0.3, 0.2])
    assert metrics.chunk_f1(gold, gold) == {"chunk_f1": 100.0}
    # Each sentence is of two chunks, and no two kinds of sentences share one.
    kinds = collections.Counter(gold)
    mean, deviation = chance(np.eye(len(kinds)), np.array(list(kinds.values())))
    found = metrics.chunk_f1(gold, shuffled(gold, 1))["chunk_f1"] / 100
    assert abs(found - mean) < DEVIATIONS * deviation


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_retrieval(seed) -> None:
    """A permutation has one fixed point on average, as a Poisson variable: rarely more than 5."""
    gold = [Sentence("source", f"f{i}", f"e{i}") for i in range(400)]
    gold += [Sentence("target", f"e{i}", f"f{i}") for i in range(400)]
    vectors = list(np.random.default_rng(0).normal(size=(400, 32)).astype(np.float32))
    assert set(metrics.retrieval_accuracy(gold, vectors * 2).values()) == {100.0}
    assert set(metrics.mining_f1(gold, vectors * 2).values()) == {100.0}
    elsewhere = shuffled(vectors, seed)
    fixed = sum(one is other for one, other in zip(vectors, elsewhere, strict=True))
    assert fixed <= 5
    assert set(metrics.retrieval_accuracy(gold, vectors + elsewhere).values()) == {fixed / 4}
    # All pairs of equal vectors score the same: taken all, or none.
    assert metrics.mining_f1(gold, vectors + elsewhere)["mining_f1"] <= 5
