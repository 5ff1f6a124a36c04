"""Our statistics on data sets that everyone has, against scipy, statsmodels and published values.

The data sets are no pairs of languages: their rows are laid into the cells of pairs, in order.
"""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.outliers_influence import variance_inflation_factor

from analysis import correlation, mrqap, rank_correlation
from analysis.multiplicity import adjusted
from analysis.pairs import PairMatrix
from tests.analysis.matrices import matrix


def exactly(value):
    return pytest.approx(value, rel=1e-8, abs=1e-8)


def as_pairs(column) -> PairMatrix:
    """Lays numbers into the cells of as few languages as hold them; other cells are unknown."""
    column = np.asarray(column, np.float64)
    n = next(n for n in range(2, 100) if n * (n - 1) >= len(column))
    sources, targets = np.nonzero(~np.eye(n, dtype=bool))
    values = np.full((n, n), np.nan)
    values[sources[: len(column)], targets[: len(column)]] = column
    return matrix(values)


@pytest.fixture(scope="module")
def longley():
    data = sm.datasets.longley.load_pandas()
    return data.endog.to_numpy(), data.exog


@pytest.fixture(scope="module")
def grunfeld():
    return sm.datasets.grunfeld.load_pandas().data


ANSCOMBE_X = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
ANSCOMBE = [  # Anscombe (1973): x, y, and Pearson's r as R prints it.
    (ANSCOMBE_X, [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68], 0.8164205),
    (ANSCOMBE_X, [9.14, 8.14, 8.74, 8.77, 9.26, 8.10, 6.13, 3.10, 9.13, 7.26, 4.74], 0.8162365),
    (ANSCOMBE_X, [7.46, 6.77, 12.74, 7.11, 7.81, 8.84, 6.08, 5.39, 8.15, 6.42, 5.73], 0.8162867),
    (
        [8, 8, 8, 8, 8, 8, 8, 19, 8, 8, 8],
        [6.58, 5.76, 7.71, 8.84, 8.47, 7.04, 5.25, 12.50, 5.56, 7.91, 6.89],
        0.8165214,
    ),
]


@pytest.mark.parametrize(("x", "y", "published"), ANSCOMBE)
def test_anscombe_s_quartet(x, y, published):
    found = correlation.correlate(as_pairs(y), as_pairs(x), 9, 0)
    assert found.r == pytest.approx(published, abs=5e-8)
    assert (found.r, found.p_naive) == exactly(tuple(stats.pearsonr(x, y)))


def test_every_column_of_longley(longley):
    """Columns far from zero, one of them years: what centring is for. Fewer than 150 pairs."""
    y, x = longley
    for column in x.columns:
        _is_scipy_s(y, x[column].to_numpy())


def test_every_column_of_grunfeld(grunfeld):
    """More than 150 pairs, and ties."""
    for column in ("value", "capital", "year"):
        _is_scipy_s(grunfeld.invest.to_numpy(), grunfeld[column].to_numpy())


def _is_scipy_s(y, x):
    r = correlation.correlate(as_pairs(y), as_pairs(x), 9, 0)
    assert (r.r, r.p_naive) == exactly(tuple(stats.pearsonr(x, y)))
    ranks = rank_correlation.rank_correlate(as_pairs(y), as_pairs(x), 9)
    assert ranks.rho == exactly(stats.spearmanr(x, y).statistic)
    assert ranks.tau == exactly(stats.kendalltau(x, y).statistic)


# NIST's certified values (Statistical Reference Datasets, Longley), in statsmodels' order.
CERTIFIED = {
    "GNPDEFL": 15.0618722713733,
    "GNP": -0.358191792925910e-01,
    "UNEMP": -2.02022980381683,
    "ARMED": -1.03322686717359,
    "POP": -0.511041056535807e-01,
    "YEAR": 1829.15146461355,
}
CERTIFIED_R2 = 0.995479004577296


def test_longley_s_regression_is_what_nist_certifies_and_statsmodels_finds(longley):
    y, x = longley
    found = mrqap.regress(as_pairs(y), {key: as_pairs(x[key]) for key in x.columns}, 9)
    fitted = sm.OLS(y, sm.add_constant(x)).fit()
    design = sm.add_constant(x).to_numpy()
    assert found.r2 == exactly(CERTIFIED_R2)
    for number, key in enumerate(x.columns, 1):
        one = found.coefficients[key]
        assert one.beta is not None
        unit = float(np.std(y) / np.std(x[key].to_numpy()))
        assert one.beta * unit == pytest.approx(CERTIFIED[key], rel=1e-8)
        assert one.p_naive == exactly(fitted.pvalues[key])
        assert one.vif == pytest.approx(variance_inflation_factor(design, number), rel=1e-8)
        # A partial correlation is t over the root of t squared and the degrees of freedom.
        t = fitted.tvalues[key]
        assert one.partial_r == exactly(t / np.sqrt(t * t + fitted.df_resid))


# The fifteen p-values of Benjamini and Hochberg (1995): theirs keeps four, Bonferroni's three.
FIFTEEN = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
    0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip


def test_benjamini_and_hochberg_s_own_example():
    shuffled = np.random.default_rng(0).permutation(FIFTEEN)
    rate = adjusted(shuffled.tolist(), "fdr_bh")
    assert rate == exactly(stats.false_discovery_control(shuffled).tolist())
    holm = adjusted(shuffled.tolist(), "holm")
    assert holm == exactly(multipletests(shuffled, method="holm")[1].tolist())
    assert sum(p <= 0.05 for p in rate if p is not None) == 4
    assert sum(p <= 0.05 for p in holm if p is not None) == 3
