"""Spearman and Kendall against scipy; their permutation tests against their definition."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.rank_correlation import kendall, rank_correlate, spearman
from tests.analysis.matrices import matrix, random_matrix


@settings(max_examples=30)
@given(
    n=st.integers(4, 8),
    known=st.floats(0.7, 1.0),
    digits=st.sampled_from([0, 1, 8]),
    seed=st.integers(0, 2**32 - 1),
)
def test_they_are_scipys_over_the_known_pairs(n, known, digits, seed):
    """With few digits there are ties."""
    rng = np.random.default_rng(seed)
    scores, feature = random_matrix(rng, n, known), random_matrix(rng, n, known)
    scores, feature = matrix(scores.values.round(digits)), matrix(feature.values.round(digits))
    both = scores.off_diagonal() & feature.off_diagonal()
    found = rank_correlate(scores, feature, permutations=3)
    if found.reason:
        return
    x, y = feature.values[both], scores.values[both]
    assert found.rho == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-8)
    assert found.tau == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-8)


def test_p_is_the_share_of_all_relabellings_written_out_slowly():
    rng = np.random.default_rng(3)
    scores, feature = random_matrix(rng, 5), random_matrix(rng, 5, known=0.9)
    found = rank_correlate(scores, feature, permutations=500)

    def both(order):
        pairs = [
            (feature.values[order[i], order[j]], scores.values[i, j])
            for i, j in itertools.permutations(range(5), 2)
        ]
        xs, ys = zip(*[pair for pair in pairs if not np.isnan(pair[0])], strict=True)
        return stats.spearmanr(xs, ys).statistic, stats.kendalltau(xs, ys).statistic

    every = np.abs([both(order) for order in itertools.permutations(range(5))])
    expected = np.mean(every >= every[0] - 1e-9, axis=0)
    assert (found.rho_p, found.tau_p) == pytest.approx(tuple(expected))


def test_rows_are_computed_alike_however_many_come_together(monkeypatch):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(7, 12)), rng.normal(size=12)
    x[2, 3] = np.nan
    whole = kendall(x, y)
    monkeypatch.setattr("analysis.rank_correlation._HELD", 1)
    np.testing.assert_array_equal(kendall(x, y), whole)


def test_a_side_that_does_not_vary_has_no_coefficient():
    x, y = np.ones((1, 5)), np.arange(5.0)
    assert np.isnan(spearman(x, y)).all()
    assert np.isnan(kendall(x, y)).all()
    assert "the same" in str(rank_correlate(matrix(np.ones((4, 4))), matrix(np.eye(4))).reason)


def test_sorting_and_comparing_agree(monkeypatch):
    """Ties on both sides, and pairs unknown in some rows."""
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 30, (9, 200)).astype(float), rng.integers(0, 30, 200).astype(float)
    x[:5][rng.random((5, 200)) < 0.1] = np.nan
    sorted_ = kendall(x, y)
    monkeypatch.setattr("analysis.rank_correlation._MOST_COMPARED", 200)
    np.testing.assert_allclose(kendall(x, y), sorted_, atol=1e-12)


@pytest.mark.slow
def test_forty_languages_take_seconds():
    rng = np.random.default_rng(6)
    scores, feature = random_matrix(rng, 40), random_matrix(rng, 40, 0.97)
    start = time.process_time()
    rank_correlate(scores, feature)
    took = time.process_time() - start
    print(f"1,560 pairs of 40 languages took {took:.1f} s of one core")
    assert took < 20
