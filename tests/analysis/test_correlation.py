"""Pearson against scipy, the permutation test against its definition and its level."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis import correlation
from tests.analysis.matrices import matrix, random_matrix


def correlate(*arguments, **options):
    """Untyped, so that a result's numbers need no None check in every test."""
    return correlation.correlate(*arguments, **options)


@settings(max_examples=40)
@given(
    n=st.integers(4, 9),
    known=st.floats(0.7, 1.0),
    scale=st.sampled_from([1e-3, 1.0, 1e4]),
    shift=st.sampled_from([0.0, 50.0, 1e5]),
    seed=st.integers(0, 2**32 - 1),
)
def test_r_is_scipys_over_the_known_pairs(n, known, scale, shift, seed):
    rng = np.random.default_rng(seed)
    scores, feature = random_matrix(rng, n, known), random_matrix(rng, n, known)
    feature = matrix(feature.values * scale + shift)
    result = correlate(scores, feature, permutations=3, resamples=0)
    both = scores.off_diagonal() & feature.off_diagonal()
    if both.sum() < 4:
        assert result.r is None
        assert result.reason
        return
    expected = stats.pearsonr(feature.values[both], scores.values[both])
    assert result.r == pytest.approx(expected.statistic, abs=1e-8)
    assert result.p_naive == pytest.approx(expected.pvalue, abs=1e-8)
    assert result.pairs == both.sum()


def test_p_is_the_share_of_all_relabellings_written_out_slowly():
    rng = np.random.default_rng(3)
    scores, feature = random_matrix(rng, 5), random_matrix(rng, 5, known=0.9)
    result = correlate(scores, feature, permutations=500, resamples=0)

    def r(order):
        xs, ys = [], []
        for i, j in itertools.permutations(range(5), 2):
            x, y = feature.values[order[i], order[j]], scores.values[i, j]
            if not np.isnan(x):
                xs.append(x)
                ys.append(y)
        return stats.pearsonr(xs, ys).statistic

    all_rs = np.array([r(order) for order in itertools.permutations(range(5))])
    assert result.exhaustive
    assert result.relabellings == 120
    assert result.p == pytest.approx(np.mean(np.abs(all_rs) >= abs(all_rs[0]) - 1e-9))


def test_drawn_relabellings_come_close_to_all_of_them():
    rng = np.random.default_rng(4)
    scores, feature = random_matrix(rng, 6), random_matrix(rng, 6)
    exact = correlate(scores, feature, permutations=719, resamples=0)
    drawn = correlate(scores, feature, permutations=700, resamples=0)
    assert exact.exhaustive
    assert not drawn.exhaustive
    assert drawn.relabellings == 701
    assert drawn.p == pytest.approx(exact.p, abs=0.06)


def test_the_same_seed_gives_the_same_numbers():
    rng = np.random.default_rng(5)
    scores, feature = random_matrix(rng, 9), random_matrix(rng, 9)
    assert correlate(scores, feature, 200, 50, seed=1) == correlate(
        scores, feature, 200, 50, seed=1
    )
    assert correlate(scores, feature, 200, 50, seed=1) != correlate(
        scores, feature, 200, 50, seed=2
    )


def test_the_permutation_test_holds_its_level_where_the_textbook_does_not():
    """Null data in which languages matter, for the feature and the score, but pairs do not."""
    rng = np.random.default_rng(6)
    n, trials = 10, 1000
    rejected = naive = 0
    for _ in range(trials):
        place = rng.normal(size=(n, 2))
        feature = place @ place.T + rng.normal(size=(n, 1)) + rng.normal(size=n)
        score = rng.normal(size=(n, 1)) + rng.normal(size=n) + 0.5 * rng.normal(size=(n, n))
        result = correlate(matrix(score), matrix(feature), permutations=199, resamples=0)
        rejected += result.p <= 0.05
        naive += result.p_naive <= 0.05
    print(f"of {trials} null data sets Mantel rejects {rejected}, the textbook {naive}")
    assert 0.035 <= rejected / trials <= 0.065
    assert naive > 2.5 * rejected


def test_a_planted_effect_is_found_and_lies_in_its_interval():
    rng = np.random.default_rng(7)
    feature = random_matrix(rng, 10)
    scores = matrix(feature.values + 0.8 * rng.normal(size=(10, 10)))
    result = correlate(scores, feature)
    assert result.p < 0.01
    assert result.low < result.r < result.high
    assert result.low > 0.3


def test_one_source_permutes_the_targets_only():
    rng = np.random.default_rng(8)
    values = np.full((6, 6), np.nan)
    values[0] = rng.normal(size=6)
    result = correlate(matrix(values), random_matrix(rng, 6), resamples=0)
    assert result.exhaustive
    assert result.relabellings == 120  # 5!, not 6!.
    assert result.pairs == 5


NAN3 = np.full((3, 3), np.nan)


@pytest.mark.parametrize(
    ("scores", "feature", "reason"),
    [
        (np.array([[1.0]]), np.array([[1.0]]), "no zero-shot pair"),
        (np.arange(9.0).reshape(3, 3), np.ones((3, 3)), "feature is the same"),
        (np.full((3, 3), 0.1), np.arange(9.0).reshape(3, 3), "score is the same"),
        (NAN3, np.arange(9.0).reshape(3, 3), "no zero-shot pair"),
        (np.arange(9.0).reshape(3, 3), NAN3, "known for none"),
        (np.arange(4.0).reshape(2, 2), np.arange(4.0).reshape(2, 2), "only 2 pairs"),
    ],
)
def test_degenerate_input_has_a_reason_and_no_number(scores, feature, reason):
    result = correlate(matrix(scores), matrix(feature))
    assert reason in result.reason
    assert result.r is None
    assert result.p is None


@settings(max_examples=40)
@given(n=st.integers(1, 5), seed=st.integers(0, 1000), levels=st.integers(1, 3))
def test_there_is_never_a_nan(n, seed, levels):
    """Few languages, few distinct values, many gaps: the worst that a small study brings."""
    rng = np.random.default_rng(seed)

    def coarse():
        values = rng.integers(0, levels, size=(n, n)).astype(float)
        values[rng.random((n, n)) < 0.3] = np.nan
        return matrix(values)

    result = correlate(coarse(), coarse(), permutations=50, resamples=50)
    numbers = [result.r, result.p, result.p_naive, result.low, result.high]
    assert all(x is None or np.isfinite(x) for x in numbers)
    assert (result.r is None) == (result.reason is not None)
