"""REML against statsmodels on a data set that it ships, and against closed forms."""

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

from analysis import reml


@pytest.fixture(scope="module")
def grunfeld():
    """Investment of 11 firms in 20 years (Grunfeld 1958): crossed, and balanced."""
    data = sm.datasets.grunfeld.load_pandas().data
    firm, year = (data[key].astype("category").cat.codes.to_numpy() for key in ("firm", "year"))
    random = {"firm": np.eye(11)[firm], "year": np.eye(20)[year]}
    x = np.column_stack([np.ones(len(data)), data.value, data.capital])
    return data.invest.to_numpy(), x, random


def statsmodels_model(y, x, random):
    names = [[[str(i) for i in range(z.shape[1])]] for z in random.values()]
    spec = VCSpec(list(random), names, [[z] for z in random.values()])
    return MixedLM(y, x, groups=np.ones(len(y)), exog_vc=spec)


def covariance(found, random):
    n = len(next(iter(random.values())))
    return found.variances[reml.REST] * np.eye(n) + sum(
        found.variances[key] * z @ z.T for key, z in random.items()
    )


def test_at_its_variances_the_effects_are_statsmodels_generalised_least_squares(grunfeld):
    y, x, random = grunfeld
    found = reml.fit(y, x, random)
    fitted = sm.GLS(y, x, sigma=covariance(found, random)).fit(cov_type="fixed scale")
    np.testing.assert_allclose(found.effects, fitted.params, rtol=1e-8)
    np.testing.assert_allclose(found.covariance, fitted.cov_params(), rtol=1e-8)


def test_statsmodels_finds_the_same_and_nothing_more_likely(grunfeld):
    y, x, random = grunfeld
    found = reml.fit(y, x, random)
    rest = found.variances[reml.REST]
    model = statsmodels_model(y, x, random)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = model.fit(reml=True)
        # The likelihood that statsmodels gives our numbers, and whether it would move them.
        ours = fitted.params_object.copy()
        ours.fe_params = found.effects
        ours.vcomp = np.array([found.variances[key] / rest for key in random])
        likelihood = model.loglike(ours, profile_fe=False)
        slopes = model.score(ours, profile_fe=True)
    assert likelihood >= fitted.llf - 1e-8
    assert np.abs(slopes).max() < 1e-6
    # This is how far its optimiser comes, not how exact ours is.
    assert found.effects == pytest.approx(fitted.fe_params, rel=1e-4)
    assert [found.variances[key] for key in random] == pytest.approx(fitted.vcomp, rel=1e-3)
    assert rest == pytest.approx(fitted.scale, rel=1e-4)


def test_differences_of_likelihood_are_statsmodels(grunfeld):
    """Its constant is another, so that differences are compared: two models of the same x."""
    y, x, random = grunfeld
    likelihoods = []
    for key in random:
        one = {key: random[key]}
        found = reml.fit(y, x, one)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = statsmodels_model(y, x, one).fit(reml=True, gtol=1e-9)
        likelihoods.append((found.log_likelihood, fitted.llf))
    (a, their_a), (b, their_b) = likelihoods
    assert a - b == pytest.approx(their_a - their_b, abs=1e-8)


def test_of_balanced_levels_the_variances_are_those_of_the_analysis_of_variance(grunfeld):
    y, x, random = grunfeld
    found = reml.fit(y, x[:, :1], random)
    table = np.zeros((11, 20))
    firm, year = (random[key].argmax(axis=1) for key in ("firm", "year"))
    table[firm, year] = y
    firms, years = table.mean(axis=1), table.mean(axis=0)
    left = table - firms[:, None] - years + table.mean()
    rest = (left**2).sum() / (10 * 19)
    wanted = {
        "firm": firms.var(ddof=1) - rest / 20,
        "year": years.var(ddof=1) - rest / 11,
        reml.REST: rest,
    }
    assert found.variances == pytest.approx(wanted, rel=1e-8)
    assert found.effects == pytest.approx([y.mean()], rel=1e-8)


def test_of_one_balanced_level_a_mean_has_the_textbook_s_degrees(grunfeld):
    y, x, random = grunfeld
    found = reml.fit(y, x[:, :1], {"firm": random["firm"]})
    firms = y @ random["firm"] / 20
    assert found.degrees == pytest.approx([10], rel=1e-6)
    assert found.covariance[0, 0] == pytest.approx(stats.sem(firms) ** 2, rel=1e-8)


def test_a_variance_that_is_none_is_zero_and_the_rest_is_least_squares():
    rng = np.random.default_rng(0)
    level = np.repeat(np.arange(6), 5)
    y = rng.normal(size=30)
    for one in range(6):  # All levels have the same mean: less than chance would give.
        y[level == one] -= y[level == one].mean()
    x = np.column_stack([np.ones(30), rng.normal(size=30)])
    found = reml.fit(y, x, {"level": np.eye(6)[level]})
    fitted = sm.OLS(y, x).fit()
    assert found.variances["level"] == 0
    np.testing.assert_allclose(found.effects, fitted.params, atol=1e-8)
    np.testing.assert_allclose(found.covariance, fitted.cov_params(), rtol=1e-8)
    np.testing.assert_allclose(found.degrees, 28, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_units_do_not_matter(grunfeld, scale):
    y, x, random = grunfeld
    found, scaled = reml.fit(y, x, random), reml.fit(scale * y, x, random)
    np.testing.assert_allclose(scaled.effects, scale * found.effects, rtol=1e-7)
    np.testing.assert_allclose(scaled.degrees, found.degrees, rtol=1e-6)
