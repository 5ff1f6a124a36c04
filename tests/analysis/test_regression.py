"""Least squares against statsmodels; MRQAP's level where a feature is only a shadow of another."""

import numpy as np
import pytest

from analysis.regression import regress
from tests.analysis.matrices import matrix, random_matrix


def test_coefficients_and_inflation_are_statsmodels():
    import statsmodels.api as sm
    from statsmodels.stats.outliers_influence import variance_inflation_factor

    rng = np.random.default_rng(0)
    scores, first = random_matrix(rng, 7), random_matrix(rng, 7)
    second = matrix(first.values + 0.5 * random_matrix(rng, 7).values)
    found = regress(scores, {"first": first, "second": second}, permutations=3)
    known = scores.off_diagonal()
    columns = [m.values[known] for m in (first, second)]
    standard = [(c - c.mean()) / c.std() for c in columns]
    y = scores.values[known]
    design = sm.add_constant(np.column_stack(standard))
    fitted = sm.OLS((y - y.mean()) / y.std(), design).fit()
    for number, name in enumerate(("first", "second"), start=1):
        term = found.terms[name]
        assert term.beta == pytest.approx(fitted.params[number], abs=1e-8)
        assert term.t == pytest.approx(fitted.tvalues[number], abs=1e-8)
        assert term.inflation == pytest.approx(variance_inflation_factor(design, number), abs=1e-8)
    held = sm.add_constant(columns[1])
    left = [sm.OLS(values, held).fit().resid for values in (columns[0], y)]
    partial = found.terms["first"].partial
    assert partial == pytest.approx(np.corrcoef(left[0], left[1])[0, 1], abs=1e-8)
    assert found.r_squared == pytest.approx(fitted.rsquared, abs=1e-8)
    assert found.pairs == 42


def one_study(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores that follow `cause`, and languages' levels; `shadow` goes with the cause alone."""
    n = 10
    place = rng.normal(size=(n, 2))
    cause = place @ place.T
    shadow = cause + (other := rng.normal(size=(n, 2))) @ other.T
    levels = rng.normal(size=(n, 1)) + rng.normal(size=n)
    return 0.7 * cause + levels + rng.normal(size=(n, n)), cause, shadow


def test_a_shadow_of_the_cause_is_found_no_more_than_by_chance():
    rng = np.random.default_rng(1)
    trials, shadows, causes, alone = 1000, 0, 0, 0
    for _ in range(trials):
        scores, cause, shadow = map(matrix, one_study(rng))
        found = regress(scores, {"cause": cause, "shadow": shadow}, permutations=199).terms
        shadows += found["shadow"].p <= 0.05
        causes += found["cause"].p <= 0.05
        alone += regress(scores, {"shadow": shadow}, permutations=199).terms["shadow"].p <= 0.05
    print(f"of {trials}: shadow {shadows}, cause {causes}, the shadow without its cause {alone}")
    assert 0.035 <= shadows / trials <= 0.065
    assert causes > 0.8 * trials
    assert alone > 0.3 * trials


def test_what_takes_no_part_is_named():
    rng = np.random.default_rng(2)
    scores, one = random_matrix(rng, 6), random_matrix(rng, 6)
    gaps = one.values.copy()
    gaps[0, 1] = np.nan
    features = {
        "one": one,
        "gaps": matrix(gaps),
        "flat": matrix(np.ones((6, 6))),
        "again": matrix(3 - 2 * one.values),
    }
    found = regress(scores, features, permutations=9)
    assert list(found.terms) == ["one"]
    assert found.left_out == {
        "gaps": "unknown for 1 of 30 pairs",
        "flat": "the same for all pairs",
        "again": "a sum of the features before it",
    }


@pytest.mark.parametrize(
    ("scores", "features", "reason"),
    [
        (np.ones((5, 5)), {"x": np.eye(5)}, "too few different scores"),
        (np.full((5, 5), np.nan), {"x": np.eye(5)}, "too few different scores"),
        (np.arange(25.0).reshape(5, 5), {"x": np.ones((5, 5))}, "no feature is known"),
        (np.arange(25.0).reshape(5, 5), {}, "no feature is known"),
    ],
)
def test_degenerate_input_has_a_reason(scores, features, reason):
    found = regress(matrix(scores), {name: matrix(x) for name, x in features.items()})
    assert reason in str(found.reason)
    assert not found.terms
