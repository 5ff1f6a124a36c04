"""Held-out languages: a planted effect is foretold, noise is not, and nothing leaks."""

import numpy as np
import pytest

from analysis.prediction import LEVELS, MEAN, RIDGE, foretell
from tests.analysis.matrices import matrix


def world(seed: int, effect: float, n: int = 10) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    place = rng.normal(size=(n, 3))
    alike = place @ place.T
    noise = rng.normal(size=(n, n))
    levels = rng.normal(0, 2, (n, 1)) + rng.normal(0, 2, n)
    features = {"alike": alike, "nothing": rng.normal(size=(n, n))}
    return 50 + effect * alike + levels + noise, features


def skills(scores, features):
    found = foretell(matrix(scores), {name: matrix(x) for name, x in features.items()}, 200)
    assert found.reason is None
    return found.skills


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_effect_is_foretold_for_languages_never_seen(seed):
    found = skills(*world(seed, effect=3.0))
    assert found[RIDGE].error < 0.7 * found[LEVELS].error
    assert found[RIDGE].r_squared > 0.4
    assert found[RIDGE].low < found[RIDGE].error < found[RIDGE].high


def test_without_an_effect_features_give_no_skill():
    gained = []
    for seed in range(12):
        found = skills(*world(seed, effect=0.0))
        gained.append(found[LEVELS].error / found[RIDGE].error - 1)
    assert abs(np.mean(gained)) < 0.05


def test_the_held_out_language_s_scores_are_never_seen():
    """Whatever they are, what is foretold stays the same: the errors move as the scores do."""
    scores, features = world(0, effect=3.0)
    seen: list[np.ndarray] = []
    for shift in (0.0, 40.0):
        changed = scores.copy()
        changed[3] += shift
        changed[:, 3] += shift
        found = foretell(matrix(changed), {n: matrix(x) for n, x in features.items()}, 10)
        seen.append(np.array([found.skills[way].error for way in (MEAN, LEVELS, RIDGE)]))
    # The errors of the language itself alone grow, by nearly 40 points each.
    pairs = 18 / 180
    assert (seen[1] - seen[0] > 25 * pairs).all()


def test_unknown_features_are_filled_and_counted():
    scores, features = world(1, effect=3.0)
    features["alike"][0, 1:5] = np.nan
    found = foretell(matrix(scores), {n: matrix(x) for n, x in features.items()}, 10)
    assert found.filled == pytest.approx(4 / 180)
    assert found.languages == 10
    assert found.pairs == 180


@pytest.mark.parametrize(
    ("scores", "features", "reason"),
    [
        (np.arange(9.0).reshape(3, 3), {"x": np.eye(3)}, "fewer than 5 languages"),
        (np.ones((6, 6)), {"x": np.eye(6)}, "the same for all pairs"),
        (np.arange(36.0).reshape(6, 6), {}, "no feature"),
        (np.where(np.arange(6)[:, None] == 0, np.arange(6.0), np.nan), {"x": np.eye(6)}, "side"),
    ],
)
def test_degenerate_input_has_a_reason(scores, features, reason):
    found = foretell(matrix(scores), {name: matrix(x) for name, x in features.items()})
    assert reason in str(found.reason)
    assert not found.skills
