"""Differences over languages: the test holds its level, the interval covers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.paired import difference, paired


def outcome(values) -> Any:
    return paired(named(values))


def named(values) -> dict[str, float]:
    return {f"l{number}": float(value) for number, value in enumerate(values)}


def test_it_is_scipys_interval_and_an_enumeration_of_all_sign_flips():
    values = np.array([1.2, -0.3, 2.5, 0.9, 1.7, 0.1])
    found = outcome(values)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-8)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    means = np.abs((signs * values).mean(axis=1))
    assert found.p == pytest.approx((means >= abs(values.mean()) - 1e-12).mean(), abs=1e-8)
    assert found.p_wilcoxon == pytest.approx(stats.wilcoxon(values).pvalue, abs=1e-8)


@pytest.mark.parametrize(
    ("values", "reason"),
    [([], "no language"), ([1.0], "only one language"), ([1.0, 2.0], "only 2 languages")],
)
def test_too_few_languages_have_a_reason(values, reason):
    found = outcome(values)
    assert reason in str(found.reason)
    assert found.low is None
    assert found.p is None
    assert found.mean == (None if not values else pytest.approx(np.mean(values)))


@given(st.lists(st.floats(-100, 100), min_size=3, max_size=9))
def test_any_differences_give_numbers_and_turned_round_the_same(values):
    one, other = outcome(values), outcome([-x for x in values])
    assert one.low is not None
    assert one.high is not None
    assert one.p is not None
    assert one.low - 1e-9 <= one.mean <= one.high + 1e-9
    assert 0 < one.p <= 1
    assert one.p == pytest.approx(other.p)
    assert one.mean == pytest.approx(-other.mean)


def test_no_difference_at_all_is_no_evidence():
    found = outcome([0.0] * 5)
    assert (found.mean, found.p, found.p_wilcoxon) == (0.0, 1.0, None)


def test_only_languages_of_both_are_compared():
    assert difference({"en": 3.0, "sw": 1.0}, {"sw": 4.0, "fi": 2.0}) == {"sw": -3.0}


@pytest.mark.slow
def test_it_rejects_five_percent_of_nothing_and_covers_what_is_there():
    rng = np.random.default_rng(0)
    trials = 2000
    rejected = covered = 0
    for _ in range(trials):
        nothing = outcome(rng.normal(0, 3, 10))
        rejected += nothing.p <= 0.05
        something = outcome(rng.normal(2, 3, 10))
        covered += something.low <= 2 <= something.high
    assert 0.035 < rejected / trials < 0.065
    assert 0.93 < covered / trials < 0.97
