"""Intervals over languages: the textbook's where it applies, and coverage of planted effects."""

import numpy as np
import pytest
from scipy import stats

from analysis import correlation, language_jackknife
from tests.analysis.matrices import matrix
from tests.analysis.planted import study, true_r


def mean_spread(sources, targets, values):
    """Untyped, so that a result's numbers need no None check in every test."""

    def mean(weights):
        return (weights * values).sum(axis=1) / weights.sum(axis=1)

    return language_jackknife.spread(sources, targets, values - values.mean(), mean)


def all_pairs(n):
    return np.nonzero(~np.eye(n, dtype=bool))


def test_of_one_source_s_pairs_it_is_the_textbook_s_error_of_a_mean():
    values = np.random.default_rng(0).normal(size=8)
    found = mean_spread(np.zeros(8, int), np.arange(1, 9), values)
    assert found.error == pytest.approx(stats.sem(values), abs=1e-12)
    assert found.degrees == 7
    low, high = stats.t.interval(0.95, 7, values.mean(), stats.sem(values))
    assert found.interval(values.mean()) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize("n", [6, 10, 20])
def test_its_square_is_the_variance_of_a_mean_or_somewhat_more(n):
    """Of levels alone exactly; a pair's own noise, left out with either language, counts once more
    by a little than it should, which errs to the safe side."""
    rng = np.random.default_rng(2)
    sources, targets = all_pairs(n)
    for level, own, most in ((1.0, 0.0, 1.05), (0.0, 1.0, 2 * n / (n - 2)), (1.0, 1.0, 1.3)):
        means, squares = [], []
        for _ in range(2000):
            values = level * (rng.normal(size=n)[sources] + rng.normal(0, 2, n)[targets])
            reciprocal = rng.normal(size=(n, n))
            values += own * (reciprocal + reciprocal.T + rng.normal(size=(n, n)))[sources, targets]
            means.append(values.mean())
            squares.append(mean_spread(sources, targets, values).error ** 2)
        assert 0.9 < np.mean(squares) / np.var(means) < 1.1 * most


def test_without_a_language_that_is_needed_there_is_none():
    sources, targets = np.array([0, 0, 1, 2]), np.array([1, 2, 0, 0])
    assert mean_spread(sources, targets, np.arange(4.0)) is None
    assert mean_spread(np.array([0]), np.array([1]), np.ones(1)) is None


def interval(scores, feature):
    off = scores.off_diagonal()
    sources, targets = np.nonzero(off)
    return correlation.interval(sources, targets, feature.values[off], scores.values[off])


@pytest.mark.parametrize("effect", [0.0, 0.5, 1.0, 2.0])
def test_planted_correlations_lie_in_their_intervals(effect):
    """Ten languages; levels of source and target in both feature and score. 95% plus or minus 2."""
    rng = np.random.default_rng(3)
    true, trials, held = true_r("crossed", effect), 3000, 0
    for _ in range(trials):
        low, high = interval(*study("crossed", rng, 10, effect))
        held += low <= true <= high
    print(f"r = {true:.2f}: {100 * held / trials:.1f}% of the intervals hold it")
    assert 0.93 <= held / trials <= 0.97


# What the report's method says of other kinds of features, where the interval is not exact.
OTHERS = {"distance": (0.95, 0.98), "of_source": (0.92, 0.95), "of_pairs": (0.97, 0.995)}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("effect", [0.0, 1.0])
def test_of_other_features_the_intervals_hold_what_the_method_says(kind, effect):
    rng = np.random.default_rng(4)
    true, trials, held = true_r(kind, effect), 2000, 0
    for _ in range(trials):
        low, high = interval(*study(kind, rng, 10, effect))
        held += low <= true <= high
    print(f"{kind}, r = {true:.2f}: {100 * held / trials:.1f}% of the intervals hold it")
    least, most = OTHERS[kind]
    assert least <= held / trials <= most


def test_a_perfect_line_is_certain_and_finite():
    feature = matrix(np.random.default_rng(6).normal(size=(6, 6)))
    low, high = interval(matrix(3 * feature.values + 1), feature)
    assert 1 - 1e-9 < low <= high <= 1
