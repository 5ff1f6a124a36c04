"""Retrieval against brute force over all pairs in float64, and worlds whose answer is known."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import metrics
from tasks.errors import DataError
from tasks.metrics import neighbours, retrieval
from tasks.postprocessors import Sentence


def world(seed: int, pairs: int, alone: int = 0, noise: float = 0.5, size: int = 16):
    """Pairs of noisy translations and sentences without partner, both sides, in any order."""
    rng = np.random.default_rng(seed)
    gold, vectors = [], []
    for index in range(pairs):
        meaning = rng.normal(size=size)
        for side, other in (("source", "e"), ("target", "f")):
            own = "f" if side == "source" else "e"
            gold.append(Sentence(side, f"{own}{index}", f"{other}{index}"))
            vectors.append(meaning + noise * rng.normal(size=size))
    for index in range(alone):
        for side in ("source", "target"):
            gold.append(Sentence(side, f"alone{index}", ""))
            vectors.append(rng.normal(size=size))
    order = rng.permutation(len(gold))
    return [gold[i] for i in order], [vectors[i].astype(np.float32) for i in order]


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one.astype(np.float64), other.astype(np.float64)
    return float(one @ other / math.sqrt((one @ one) * (other @ other)))


def of_side(gold, vectors, side):
    return [(g, v) for g, v in zip(gold, vectors, strict=True) if g.side == side]


def brute_accuracy(one, side, other) -> float:
    gold, vectors = one
    queries, candidates = of_side(gold, vectors, side), of_side(gold, vectors, other)
    hits = [
        max(candidates, key=lambda one: cosine(vector, one[1]))[0].id == query.partner
        for query, vector in queries
        if query.partner
    ]
    return 100 * sum(hits) / len(hits) if hits else 0.0


def brute_mining(one, scoring) -> dict[str, float]:
    """Every threshold is tried, every mean taken over a sorted list."""
    gold, vectors = one
    sources, targets = of_side(gold, vectors, "source"), of_side(gold, vectors, "target")
    table = {(s.id, t.id): cosine(v, w) for (s, v), (t, w) in itertools.product(sources, targets)}
    near_s = {
        s.id: sorted((t.id for t, _ in targets), key=lambda t: -table[s.id, t])[:4]
        for s, _ in sources
    }
    near_t = {
        t.id: sorted((s.id for s, _ in sources), key=lambda s: -table[s, t.id])[:4]
        for t, _ in targets
    }

    def score(s: str, t: str) -> float:
        if scoring == "cosine":
            return table[s, t]
        mean_s = sum(table[s, other] for other in near_s[s]) / len(near_s[s])
        mean_t = sum(table[other, t] for other in near_t[t]) / len(near_t[t])
        average = (mean_s + mean_t) / 2
        return table[s, t] / average if average > 0 else 0.0

    candidates = {(s, max(near, key=lambda t: score(s, t))) for s, near in near_s.items()}
    candidates |= {(max(near, key=lambda s: score(s, t)), t) for t, near in near_t.items()}
    taken: list[tuple[str, str]] = []
    for s, t in sorted(candidates, key=lambda pair: -score(*pair)):
        if score(s, t) > 0 and all(s != a and t != b for a, b in taken):
            taken.append((s, t))
    wanted = {(g.id, g.partner) for g, _ in sources if g.partner}
    best = (0.0, 0.0, 0.0)
    for threshold in {score(*pair) for pair in taken}:
        kept = [pair for pair in taken if score(*pair) >= threshold]
        right = len(wanted & set(kept))
        if right:
            precision, recall = right / len(kept), right / len(wanted)
            f1 = 2 * precision * recall / (precision + recall)
            best = max(best, (100 * f1, 100 * precision, 100 * recall))
    return dict(zip(("mining_f1", "mining_precision", "mining_recall"), best, strict=True))


WORLDS = st.builds(
    world,
    seed=st.integers(0, 10**6),
    pairs=st.integers(1, 12),
    alone=st.integers(0, 6),
    noise=st.sampled_from([0.1, 0.7, 1.5]),
    size=st.sampled_from([2, 8]),
)


@settings(max_examples=150)
@given(WORLDS)
def test_retrieval_agrees_with_brute_force(one) -> None:
    assert metrics.retrieval_accuracy(*one) == {
        "retrieval_accuracy": pytest.approx(brute_accuracy(one, "source", "target"), abs=1e-9),
        "retrieval_accuracy_to_source": pytest.approx(
            brute_accuracy(one, "target", "source"), abs=1e-9
        ),
    }


@settings(max_examples=150)
@given(WORLDS)
def test_mining_agrees_with_brute_force(one) -> None:
    found = metrics.mining_f1(*one)
    expected = brute_mining(one, "ratio")
    assert found["mining_f1"] == pytest.approx(expected["mining_f1"], abs=1e-9)
    found = metrics.mining_f1_cosine(*one)
    expected = brute_mining(one, "cosine")
    assert found["mining_f1_cosine"] == pytest.approx(expected["mining_f1"], abs=1e-9)
    assert metrics.mining_scores(*one) == metrics.mining_f1(*one) | found


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("k", [1, 4])
def test_blocks_change_nothing(block, k, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    # Whole numbers: many equal similarities, and sums that are exact.
    queries, candidates = (rng.integers(-2, 3, (n, 3)).astype(np.float32) for n in (23, 17))
    table = queries @ candidates.T
    expected = np.argsort(-table, axis=1, kind="stable")[:, :k]
    monkeypatch.setattr(neighbours, "_BLOCK", block)
    indices, cosines = neighbours.nearest(queries, candidates, k)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(cosines, np.take_along_axis(table, expected, axis=1))


def one_hot(count: int) -> list[np.ndarray]:
    return list(np.eye(count, dtype=np.float32))


def test_gold_vectors_score_100() -> None:
    gold = [Sentence("source", f"f{i}", f"e{i}") for i in range(9)]
    gold += [Sentence("target", f"e{i}", f"f{i}") for i in range(9)]
    vectors = one_hot(9) * 2
    for metric in (metrics.retrieval_accuracy, metrics.mining_f1, metrics.mining_f1_cosine):
        assert set(metric(gold, vectors).values()) == {100.0}


def test_a_margin_is_not_fooled_by_a_hub() -> None:
    """A sentence near to all is nearest to some; its margin is low, for it is near to the rest."""
    gold = [Sentence("source", f"f{i}", f"e{i}") for i in range(5)]
    gold += [Sentence("target", f"e{i}", f"f{i}") for i in range(5)]
    gold.append(Sentence("target", "hub", ""))
    own = np.eye(6, dtype=np.float32)[:5]
    hub = np.eye(6, dtype=np.float32)[5]
    sources = list(own + 2 * hub)
    targets = [*(own + 0.05), hub + 0.3 * own.sum(axis=0)]
    assert metrics.retrieval_accuracy(gold, sources + targets)["retrieval_accuracy"] == 0
    assert metrics.mining_f1(gold, sources + targets)["mining_f1"] == 100


def test_equal_scores_are_taken_together() -> None:
    """No threshold can tell two right pairs from two wrong ones of the same score."""
    gold = [Sentence("source", f"f{i}", f"e{i}" if i < 2 else "") for i in range(4)]
    gold += [Sentence("target", f"e{i}", f"f{i}" if i < 2 else "") for i in range(4)]
    scores = metrics.mining_f1(gold, one_hot(4) * 2)
    assert list(scores.values()) == pytest.approx([200 / 3, 50, 100])


def test_which_of_equal_vectors_is_found_is_no_matter(monkeypatch) -> None:
    """Products of equal vectors may differ in the last bit by where in a block they stand."""
    gold = [Sentence("source", f"f{i}", f"e{i}") for i in range(4)]
    gold += [Sentence("target", f"e{i}", f"f{i}") for i in range(4)]
    same = [np.ones(2, np.float32)] * 8
    monkeypatch.setattr(
        retrieval, "nearest", lambda queries, _, k: (np.full((len(queries), k), 3), None)
    )
    assert metrics.retrieval_accuracy(gold, same)["retrieval_accuracy"] == 25


def test_directions_differ() -> None:
    gold = [
        Sentence("source", "a", "x"),
        Sentence("source", "b", "y"),
        Sentence("target", "x", "a"),
        Sentence("target", "y", "b"),
    ]
    # a and b are both nearest to x; x is nearest to a, and y to b.
    vectors = list(np.array([[1, 0], [0.9, 0.4], [1, 0.1], [0, 1]], np.float32))
    assert metrics.retrieval_accuracy(gold, vectors) == {
        "retrieval_accuracy": 50.0,
        "retrieval_accuracy_to_source": 100.0,
    }


def test_a_model_that_tells_nothing_apart_scores_as_chance() -> None:
    gold, _ = world(0, pairs=50)
    for vector in (np.ones(4), np.zeros(4), np.full(4, np.nan), np.full(4, np.inf)):
        scores = metrics.retrieval_accuracy(gold, [vector.astype(np.float32)] * len(gold))
        assert scores["retrieval_accuracy"] == 2.0
        assert scores["retrieval_accuracy_to_source"] == 2.0
        assert metrics.mining_f1(gold, [vector] * len(gold))["mining_f1"] <= 100 * 3 / 50


def test_the_length_of_a_vector_is_nothing() -> None:
    gold, vectors = world(3, pairs=40, noise=1.0)
    scales = np.random.default_rng(0).choice([1e-30, 1e-3, 1.0, 1e30], len(vectors))
    scaled = [vector * np.float32(s) for vector, s in zip(vectors, scales, strict=True)]
    for metric in (metrics.retrieval_accuracy, metrics.mining_f1):
        assert metric(gold, scaled) == pytest.approx(metric(gold, vectors))
    assert metrics.retrieval_accuracy(gold, [v.astype(np.float64) * 1e300 for v in vectors])


@settings(max_examples=40)
@given(WORLDS, st.sampled_from(["ratio", "cosine"]))
def test_the_threshold_says_what_was_taken(one, scoring) -> None:
    gold, vectors = one
    threshold = metrics.best_threshold(gold, vectors, scoring)
    scores = metrics.mining_f1_at(threshold, scoring)(gold, vectors)
    chosen = metrics.mining_f1 if scoring == "ratio" else metrics.mining_f1_cosine
    best = chosen(gold, vectors)
    assert list(scores.values()) == pytest.approx(list(best.values()))
    pairs = metrics.mined_pairs(gold, vectors, scoring)
    assert len({pair.source for pair in pairs}) == len({pair.target for pair in pairs})
    assert [pair.score for pair in pairs] == sorted((p.score for p in pairs), reverse=True)


def test_one_side_alone_and_nothing_at_all() -> None:
    for metric in (metrics.retrieval_accuracy, metrics.mining_f1, metrics.mining_f1_cosine):
        assert set(metric([], []).values()) == {0.0}
        alone = [Sentence("source", "a", "x"), Sentence("source", "b", "")]
        assert set(metric(alone, one_hot(2)).values()) == {0.0}
    assert metrics.best_threshold([], []) == float("inf")
    assert metrics.mining_f1_at(float("inf"))(*world(0, pairs=3))["mining_precision"] == 0.0


@pytest.mark.parametrize(
    ("gold", "vectors", "reason"),
    [
        ([Sentence("source", "a", "x")], [], "1 sentences, 0 vectors"),
        ([Sentence("left", "a", "x")], one_hot(1), "'source' or 'target', got 'left'"),
        ([Sentence("source", "a", "x")] * 2, one_hot(2), "'a' occurs twice"),
        (
            [Sentence("source", "a", "x"), Sentence("target", "x", "a")],
            [np.ones(2), np.ones(3)],
            r"one length, got the shapes \[\(2,\), \(3,\)\]",
        ),
        ([Sentence("source", "a", "x")], ["x"], r"got the shapes \[\(\)\]"),
    ],
)
def test_what_is_not_retrieval(gold, vectors, reason) -> None:
    with pytest.raises(DataError, match=reason):
        metrics.retrieval_accuracy(gold, vectors)


def test_a_scoring_that_is_none() -> None:
    with pytest.raises(DataError, match="'ratio' or 'cosine', got 'margin'"):
        metrics.mined_pairs([], [], "margin")  # type: ignore[arg-type]


def test_memory_does_not_grow_with_the_square(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    vectors = neighbours.unit(list(rng.normal(size=(6000, 8)).astype(np.float32)))
    monkeypatch.setattr(neighbours, "_BLOCK", 512)
    tracemalloc.start()
    neighbours.nearest(vectors, vectors, 4)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20 < 6000**2 * 4
