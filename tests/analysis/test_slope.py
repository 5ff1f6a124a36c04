"""The slope between the languages' levels: statsmodels' numbers, and an interval that holds."""

import numpy as np
import pytest

from analysis import slope as module
from tests.analysis.matrices import matrix, random_matrix

N, SLOPE = 10, 12.0


def slope(*arguments):
    """Untyped, so that a result's numbers need no None check in every test."""
    return module.slope(*arguments)


def test_it_is_statsmodels_least_squares():
    import pandas as pd
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(0)
    scores, feature = random_matrix(rng, 7, 0.9), random_matrix(rng, 7, 0.9)
    found = slope(scores, feature)
    both = scores.off_diagonal() & feature.off_diagonal()
    source, target = np.nonzero(both)
    columns = {"y": scores.values[both], "x": feature.values[both], "s": source, "t": target}
    fitted = smf.ols("y ~ C(s) + C(t) + x", pd.DataFrame(columns)).fit()
    low, high = fitted.conf_int().loc["x"]
    wanted = (fitted.params["x"], low, high, fitted.pvalues["x"], fitted.df_resid)
    assert (found.value, found.low, found.high, found.p, found.degrees) == pytest.approx(
        wanted, abs=1e-8
    )
    assert not found.averaged


def planted(rng: np.random.Generator, symmetric: bool, size: float) -> tuple[np.ndarray, ...]:
    """Scores and a feature that goes with the levels of its languages, as real ones do.

    Where the feature is symmetric, the noise of the two directions goes together.
    """
    place = rng.normal(size=(N, 2))
    feature = place @ place.T if symmetric else place @ rng.normal(size=(2, N))
    givers, takers = 4 * place[:, 0] + rng.normal(0, 3, N), 4 * place[:, 1] + rng.normal(0, 3, N)
    noise = rng.normal(0, 5, (N, N))
    if symmetric:
        noise = noise + 1.5 * noise.T
    return givers[:, None] + takers[None, :] + size * feature + noise, feature


@pytest.mark.parametrize("symmetric", [True, False])
def test_planted_slopes_lie_in_their_intervals(symmetric):
    rng = np.random.default_rng(1)
    held, trials = 0, 4000
    for _ in range(trials):
        scores, feature = planted(rng, symmetric, SLOPE)
        found = slope(matrix(scores), matrix(feature))
        assert found.averaged == symmetric
        held += found.low <= SLOPE <= found.high
    print(f"{100 * held / trials:.1f}% of the intervals hold the planted slope")
    assert 0.93 <= held / trials <= 0.97


@pytest.mark.parametrize("symmetric", [True, False])
def test_without_a_slope_one_in_twenty_is_found(symmetric):
    rng = np.random.default_rng(2)
    trials = 4000
    ps = [slope(*map(matrix, planted(rng, symmetric, 0.0))).p for _ in range(trials)]
    assert 0.035 <= np.mean(np.array(ps) <= 0.05) <= 0.065


@pytest.mark.parametrize(
    ("scores", "feature", "reason"),
    [
        (np.full((3, 3), np.nan), np.ones((3, 3)), "no pair"),
        (np.arange(4.0).reshape(2, 2), np.arange(4.0).reshape(2, 2), "too few pairs"),
        (np.arange(25.0).reshape(5, 5), np.add.outer(np.arange(5.0), np.arange(5.0)), "a sum of"),
    ],
)
def test_degenerate_input_has_a_reason_and_no_number(scores, feature, reason):
    found = slope(matrix(scores), matrix(feature))
    assert reason in found.reason
    assert found.value is None
