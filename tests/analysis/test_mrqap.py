"""MRQAP: statsmodels' numbers, its definition written out, and a level that holds."""

import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.outliers_influence import variance_inflation_factor

from analysis import mrqap
from tests.analysis.matrices import matrix, random_matrix


def regress(*arguments, **options):
    """Untyped, so that a result's numbers need no None check in every test."""
    return mrqap.regress(*arguments, **options)


def columns(scores, features):
    """The outcome `[pairs]` and the features `[pairs, k]` over the pairs that all know."""
    both = np.logical_and.reduce([m.off_diagonal() for m in (scores, *features.values())])
    return scores.values[both], np.column_stack([f.values[both] for f in features.values()])


def correlated(rng, n, known=1.0):
    """Scores and three features that go together."""
    a, b, c = (random_matrix(rng, n, known).values for _ in range(3))
    features = {"a": matrix(a), "b": matrix(50 + a + 0.5 * b), "c": matrix(1e3 * (c - b))}
    return matrix(a + 0.3 * c + rng.normal(size=(n, n))), features


@pytest.mark.parametrize("known", [1.0, 0.85])
def test_it_is_statsmodels_least_squares(known):
    scores, features = correlated(np.random.default_rng(0), 8, known)
    found = regress(scores, features, permutations=5)
    y, x = columns(scores, features)
    standardised = (x - x.mean(0)) / x.std(0)
    fitted = sm.OLS((y - y.mean()) / y.std(), sm.add_constant(standardised)).fit()
    assert found.pairs == len(y)
    assert found.r2 == pytest.approx(fitted.rsquared, abs=1e-8)
    assert found.condition == pytest.approx(np.linalg.cond(standardised), abs=1e-8)
    for number, key in enumerate(features, 1):
        one = found.coefficients[key]
        assert one.beta == pytest.approx(fitted.params[number], abs=1e-8)
        assert one.p_naive == pytest.approx(fitted.pvalues[number], abs=1e-8)
        assert one.vif == pytest.approx(
            variance_inflation_factor(sm.add_constant(x), number), abs=1e-8
        )
        # Partial correlation as its definition has it: residuals of both on the others.
        others = sm.add_constant(np.delete(x, number - 1, axis=1))
        left = [sm.OLS(side, others).fit().resid for side in (y, x[:, number - 1])]
        assert one.partial_r == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-8)


@pytest.mark.parametrize("known", [1.0, 0.9])
def test_p_is_the_share_of_all_relabellings_written_out_slowly(known):
    scores, features = correlated(np.random.default_rng(1), 5, known)
    found = regress(scores, features, permutations=500)
    both = np.logical_and.reduce([m.off_diagonal() for m in (scores, *features.values())])
    y, x = columns(scores, features)
    cells = list(zip(*np.nonzero(both), strict=True))
    orders = list(itertools.permutations(range(5)))

    for number, key in enumerate(features):
        others = sm.add_constant(np.delete(x, number, axis=1))
        left = dict(zip(cells, sm.OLS(x[:, number], others).fit().resid, strict=True))
        rs = []
        for order in orders:
            moved = [left.get((order[i], order[j])) for i, j in cells]
            rows = [row for row, value in enumerate(moved) if value is not None]
            sides = (y[rows], np.array([moved[row] for row in rows]))
            rest = [sm.OLS(side, others[rows]).fit().resid for side in sides]
            rs.append(abs(np.corrcoef(*rest)[0, 1]))
        assert found.coefficients[key].p == pytest.approx(np.mean(np.array(rs) >= rs[0] - 1e-9))

    r2s = []
    score = dict(zip(cells, y, strict=True))
    for order in orders:
        moved = [score.get((order[i], order[j])) for i, j in cells]
        rows = [row for row, value in enumerate(moved) if value is not None]
        ys = np.array([moved[row] for row in rows])
        r2s.append(sm.OLS(ys, sm.add_constant(x[rows])).fit().rsquared)
    assert found.r2_p == pytest.approx(np.mean(np.array(r2s) >= r2s[0] - 1e-9))


def test_the_permutation_test_holds_its_level_where_the_textbook_does_not():
    """A score goes with one feature, which goes with another; languages matter for all three."""
    rng = np.random.default_rng(2)
    n, trials = 10, 1000
    rejected = naive = 0

    def levels():
        return rng.normal(size=(n, 1)) + rng.normal(size=n)

    for _ in range(trials):
        cause = levels() + 0.5 * rng.normal(size=(n, n))
        bystander = 0.5 * cause + levels() + 0.5 * rng.normal(size=(n, n))
        score = cause + levels() + 0.5 * rng.normal(size=(n, n))
        features = {"bystander": matrix(bystander), "cause": matrix(cause)}
        one = regress(matrix(score), features, permutations=199).coefficients["bystander"]
        rejected += one.p <= 0.05
        naive += one.p_naive <= 0.05
    print(f"of {trials} null data sets MRQAP rejects {rejected}, the textbook {naive}")
    assert 0.035 <= rejected / trials <= 0.065
    assert naive > 2.5 * rejected


def test_one_source_permutes_the_targets_only():
    rng = np.random.default_rng(3)
    values = np.full((7, 7), np.nan)
    values[0] = rng.normal(size=7)
    features = {"a": random_matrix(rng, 7), "b": random_matrix(rng, 7)}
    found = regress(matrix(values), features, permutations=719, seed=0)
    assert found.pairs == 6
    # All 6! relabellings, so that nothing is drawn; of 7! some would be.
    assert found == regress(matrix(values), features, permutations=719, seed=1)


GRID = np.arange(25.0).reshape(5, 5) ** 2 % 7


@pytest.mark.parametrize(
    ("scores", "features", "reason"),
    [
        (np.full((3, 3), np.nan), [GRID[:3, :3]], "no pair"),
        (GRID, [np.full((5, 5), np.nan)], "no pair"),
        (GRID, [], "no feature is known"),
        (GRID, [np.ones((5, 5))], "every feature is the same"),
        (np.ones((5, 5)), [GRID], "score is the same"),
        (GRID[:2, :2], [np.array([[0, 1.0], [2.0, 0]])], "only 2 pairs"),
    ],
)
def test_degenerate_input_has_a_reason_and_no_number(scores, features, reason):
    found = regress(matrix(scores), {str(i): matrix(f) for i, f in enumerate(features)})
    assert reason in found.reason
    assert found.r2 is None


def test_a_feature_without_a_coefficient_of_its_own_says_why():
    rng = np.random.default_rng(4)
    a, b, c = (random_matrix(rng, 6) for _ in range(3))
    features = {"a": a, "b": b, "sum": matrix(a.values + b.values), "c": c}
    features["one"] = matrix(np.ones((6, 6)))
    found = regress(random_matrix(rng, 6), features, permutations=99)
    assert all("combination" in found.coefficients[key].reason for key in ("a", "b", "sum"))
    assert "same for all" in found.coefficients["one"].reason
    assert found.coefficients["c"].p is not None
    assert found.condition is None
