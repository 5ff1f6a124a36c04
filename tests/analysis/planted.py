"""Made-up studies whose true effect is known: scores of pairs that depend by sharing languages.

Every kind gives the score an effect of the feature, a level for each source, one for each target,
and noise; they differ in what the feature is.
"""

import functools
from collections.abc import Callable

import numpy as np

from analysis.pairs import PairMatrix
from tests.analysis.matrices import matrix

World = tuple[np.ndarray, np.ndarray]
"""Feature and scores, both `[n, n]`."""


def _levels(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.normal(size=(n, 1)) + rng.normal(size=n)


def _scores(rng: np.random.Generator, feature: np.ndarray, effect: float) -> np.ndarray:
    n = len(feature)
    return effect * feature + _levels(rng, n) + rng.normal(size=(n, n))


def crossed(rng: np.random.Generator, n: int, effect: float) -> World:
    """The feature, too, has a level for each source and each target, and its own part."""
    feature = _levels(rng, n) + rng.normal(size=(n, n))
    return feature, _scores(rng, feature, effect)


def distance(rng: np.random.Generator, n: int, effect: float) -> World:
    """The feature is a similarity of places: symmetric, with central and remote languages."""
    place = rng.normal(size=(n, 3))
    apart = np.linalg.norm(place[:, None] - place[None], axis=-1)
    feature = 6 * np.exp(-apart / 2)
    return feature, _scores(rng, feature, effect)


def of_source(rng: np.random.Generator, n: int, effect: float) -> World:
    """The feature is a number of the source, such as LM(source)."""
    feature = np.tile(rng.normal(size=(n, 1)), n)
    return feature, _scores(rng, feature, effect)


def of_pairs(rng: np.random.Generator, n: int, effect: float) -> World:
    """Neither side knows languages: pairs are independent after all."""
    feature = rng.normal(size=(n, n))
    return feature, effect * feature + rng.normal(size=(n, n))


KINDS: dict[str, Callable[[np.random.Generator, int, float], World]] = {
    "crossed": crossed,
    "distance": distance,
    "of_source": of_source,
    "of_pairs": of_pairs,
}


def study(kind: str, rng: np.random.Generator, n: int, effect: float) -> tuple[PairMatrix, ...]:
    """Scores and feature of one study."""
    feature, scores = KINDS[kind](rng, n, effect)
    return matrix(scores), matrix(feature)


@functools.cache
def true_r(kind: str, effect: float) -> float:
    """Pearson's r over the pairs of all languages there could be, as good as."""
    n, found = 1000, []
    for seed in range(6):
        feature, scores = KINDS[kind](np.random.default_rng([seed, 9]), n, effect)
        off = ~np.eye(n, dtype=bool)
        found.append(np.corrcoef(feature[off], scores[off])[0, 1])
    return float(np.mean(found))
