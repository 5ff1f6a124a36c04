"""Ridge and lasso: their definitions at the chosen penalty, what they keep, what they never see."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from analysis import regularised as module
from analysis.regularised import LASSO, RIDGE
from tests.analysis.matrices import matrix, random_matrix


def regularise(*arguments, **options):
    """Untyped, so that a result's numbers need no None check in every test."""
    return module.regularise(*arguments, **options)


def planted(rng, n=10, effect=1.0):
    """One feature that counts, one that goes with it, three that do not."""
    cause = rng.normal(size=(n, n))
    features = {"cause": cause, "shadow": cause + 0.7 * rng.normal(size=(n, n))}
    features |= {f"noise {i}": rng.normal(size=(n, n)) for i in range(3)}
    levels = rng.normal(0, 0.5, (n, 1)) + rng.normal(0, 0.5, n)
    scores = 50 + effect * cause + levels + rng.normal(0, 0.5, (n, n))
    return matrix(scores), {key: matrix(x) for key, x in features.items()}


def standardised(scores, features):
    off = scores.off_diagonal()
    columns = np.column_stack([f.values[off] for f in features.values()])
    y = scores.values[off]
    return (columns - columns.mean(0)) / columns.std(0), (y - y.mean()) / y.std()


def betas(found):
    return np.array([one.beta for one in found.features.values()])


def test_ridge_is_its_closed_form():
    scores, features = planted(np.random.default_rng(0))
    found = regularise(scores, features)
    x, y = standardised(scores, features)
    wanted = np.linalg.solve(x.T @ x + found.penalty * np.eye(5), x.T @ y)
    np.testing.assert_allclose(betas(found), wanted, atol=1e-8)


def test_lasso_meets_the_conditions_of_its_optimum():
    scores, features = planted(np.random.default_rng(1))
    found = regularise(scores, features, LASSO)
    x, y = standardised(scores, features)
    pull = x.T @ (y - x @ betas(found)) / len(y)
    kept = betas(found) != 0
    assert 0 < kept.sum() < 5
    np.testing.assert_allclose(pull[kept], found.penalty * np.sign(betas(found)[kept]), atol=1e-6)
    assert (np.abs(pull[~kept]) <= found.penalty + 1e-6).all()


def test_the_penalty_is_the_one_that_scikit_learn_chooses_with_languages_left_out():
    scores, features = planted(np.random.default_rng(2), effect=0.4)
    found = regularise(scores, features)
    x, y = standardised(scores, features)
    sources, targets = np.nonzero(scores.off_diagonal())
    folds = []
    for language in range(10):
        out = (sources == language) | (targets == language)
        folds.append((np.flatnonzero(~out), np.flatnonzero(out)))
    chosen = RidgeCV(np.logspace(-2, 5, 36), cv=folds, scoring="neg_mean_squared_error").fit(x, y)
    assert found.penalty == pytest.approx(chosen.alpha_)
    mean = [((y[learned].mean() - y[out]) ** 2).mean() for learned, out in folds]
    assert found.explained == pytest.approx(1 + chosen.best_score_ / np.mean(mean))


@pytest.mark.parametrize("kind", [RIDGE, LASSO])
def test_what_counts_is_found_and_stays_whichever_language_is_left_out(kind):
    found = regularise(*planted(np.random.default_rng(3)), kind)
    strength = {key: abs(one.beta) for key, one in found.features.items()}
    assert max(strength, key=lambda key: strength[key]) == "cause"
    assert found.features["cause"].stays == 1
    assert found.explained > 0.4


def test_lasso_leaves_it_to_the_cause_and_drops_most_noise():
    kept = {"shadow": 0, "noise": 0}
    for seed in range(20):
        found = regularise(*planted(np.random.default_rng(seed)), LASSO)
        kept["shadow"] += abs(found.features["shadow"].beta) > 0.2
        kept["noise"] += sum(abs(found.features[f"noise {i}"].beta) > 0.1 for i in range(3))
    assert kept["shadow"] <= 2
    assert kept["noise"] <= 6


@pytest.mark.parametrize("kind", [RIDGE, LASSO])
def test_without_an_effect_nothing_is_explained(kind):
    explained = []
    for seed in range(12):
        scores, features = planted(np.random.default_rng(seed), effect=0.0)
        explained.append(regularise(scores, features, kind).explained)
    assert abs(np.mean(explained)) < 0.05


def test_two_of_the_same_feature_share_its_coefficient():
    scores, features = planted(np.random.default_rng(4))
    features = {"a": features["cause"], "b": matrix(3 * features["cause"].values - 1)}
    found = regularise(scores, features)
    assert found.features["a"].beta == pytest.approx(found.features["b"].beta)


GRID = np.arange(36.0).reshape(6, 6) ** 2 % 7


@pytest.mark.parametrize(
    ("scores", "features", "reason"),
    [
        (GRID, [], "no feature is known"),
        (np.full((6, 6), np.nan), [GRID], "no pair"),
        (GRID[:4, :4], [GRID[:4, :4].T], "fewer than 5"),
        (np.ones((6, 6)), [GRID], "score is the same"),
        (GRID, [np.ones((6, 6))], "every feature is the same"),
        (np.where(np.arange(6)[:, None] == 0, GRID, np.nan), [GRID.T], "without one of"),
    ],
)
@pytest.mark.parametrize("kind", [RIDGE, LASSO])
def test_degenerate_input_has_a_reason_and_no_number(scores, features, reason, kind):
    found = regularise(matrix(scores), {str(i): matrix(f) for i, f in enumerate(features)}, kind)
    assert reason in found.reason
    assert not found.features


def test_a_constant_feature_says_so_and_the_others_are_fitted():
    rng = np.random.default_rng(5)
    found = regularise(
        random_matrix(rng, 6), {"one": matrix(np.ones((6, 6))), "x": random_matrix(rng, 6)}
    )
    assert "the same for all" in found.features["one"].reason
    assert found.features["x"].beta is not None
