"""Crossed random effects: planted effects are recovered, and what is degenerate has a reason."""

import numpy as np
import pytest

from analysis import mixed_effects as module
from tests.analysis.matrices import matrix, random_matrix

N, SIZE = 10, 0.5


def mixed_effects(*arguments):
    """Untyped, so that a result's numbers need no None check in every test."""
    return module.mixed_effects(*arguments)


def planted(rng, kind, reciprocal, n=N, size=SIZE):
    """Scores with levels and noise, some of it of both directions, and a feature."""
    place = rng.normal(size=(n, 2))
    feature = {
        "similarity": lambda: place @ place.T,
        "crossed": lambda: rng.normal(size=(n, 1)) + rng.normal(size=(n, n)),
        "of the source": lambda: np.tile(rng.normal(size=(n, 1)), n),
    }[kind]()
    levels = rng.normal(size=(n, 1)) + 2 * rng.normal(size=n)
    shared = rng.normal(size=(n, n)) / 2**0.5
    noise = rng.normal(size=(n, n)) + reciprocal * (shared + shared.T)
    return matrix(50 + size * feature + levels + noise), matrix(feature)


def unit(feature):
    """The feature's standard deviation, for which an effect is told."""
    return feature.values[feature.off_diagonal()].std()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["similarity", "crossed", "of the source"])
@pytest.mark.parametrize("reciprocal", [0.0, 1.0])
def test_planted_effects_lie_in_their_intervals(kind, reciprocal):
    rng = np.random.default_rng(1)
    held, trials = 0, 2000
    for _ in range(trials):
        scores, feature = planted(rng, kind, reciprocal)
        one = mixed_effects(scores, {"x": feature}).effects["x"]
        held += one.low <= SIZE * unit(feature) <= one.high
    print(f"{kind}, {reciprocal}: {100 * held / trials:.1f}% of the intervals hold the effect")
    assert 0.93 <= held / trials <= 0.97


def test_planted_effects_and_spreads_are_recovered():
    rng = np.random.default_rng(2)
    effects, squares, held = [], [], 0
    for _ in range(200):
        scores, feature = planted(rng, "similarity", 1.0)
        found = mixed_effects(scores, {"x": feature, "y": random_matrix(rng, N)})
        effects.append(found.effects["x"].value / unit(feature))
        squares.append([spread**2 for spread in found.spreads.values()])
        held += found.effects["y"].low <= 0 <= found.effects["y"].high
    assert list(found.spreads) == [module.SOURCE, module.TARGET, module.BOTH_WAYS, module.REST]
    assert np.mean(effects) == pytest.approx(SIZE, abs=0.03)
    assert np.mean(squares, axis=0) == pytest.approx([1, 4, 1, 1], rel=0.2)
    assert 0.9 <= held / 200 <= 0.99


def test_a_feature_of_the_source_is_as_uncertain_as_there_are_sources():
    """Every pair repeats it, and least squares would take it for ninety observations."""
    rng = np.random.default_rng(3)
    scores, feature = planted(rng, "of the source", 0.0)
    one = mixed_effects(scores, {"x": feature}).effects["x"]
    assert one.degrees == pytest.approx(N - 2, abs=0.5)


def test_scores_one_way_have_no_effect_of_both_ways():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(8, 8))
    values[3:, :] = np.nan  # Three sources, which no other is scored against.
    values[:, :3] = np.nan
    found = mixed_effects(matrix(values), {"x": random_matrix(rng, 8)})
    assert list(found.spreads) == [module.SOURCE, module.TARGET, module.REST]
    assert found.pairs == 15
    assert found.effects["x"].p is not None


def test_a_feature_without_an_effect_of_its_own_says_why():
    rng = np.random.default_rng(5)
    a, b, c = (random_matrix(rng, 6) for _ in range(3))
    features = {"a": a, "one": matrix(np.ones((6, 6))), "twice": matrix(2 * a.values + 1), "c": c}
    found = mixed_effects(b, features)
    assert list(found.effects) == list(features)
    assert "combination" in found.effects["a"].reason
    assert "combination" in found.effects["twice"].reason
    assert "the same for all" in found.effects["one"].reason
    assert found.effects["c"].reason is None


GRID = np.arange(25.0).reshape(5, 5) ** 2 % 7
ADDITIVE = np.add.outer(np.arange(5.0), np.arange(5.0) ** 2)


@pytest.mark.parametrize(
    ("scores", "features", "reason"),
    [
        (GRID, [], "no feature is known"),
        (np.full((5, 5), np.nan), [GRID], "no pair"),
        (np.ones((5, 5)), [GRID], "score is the same"),
        (GRID, [np.ones((5, 5))], "no feature has an effect"),
        (np.where(np.arange(5)[:, None] == 0, GRID, np.nan), [GRID.T], "several sources"),
        (GRID[:3, :3], [GRID[:3, :3].T, GRID[1:4, :3]], "too few"),
        (ADDITIVE, [GRID], "exactly"),
    ],
)
def test_degenerate_input_has_a_reason_and_no_number(scores, features, reason):
    found = mixed_effects(matrix(scores), {str(i): matrix(f) for i, f in enumerate(features)})
    assert reason in found.reason
    assert not found.spreads
    assert all(one.value is None for one in found.effects.values())
