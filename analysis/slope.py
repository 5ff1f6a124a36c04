"""How much more transfer goes with a feature, with the languages' own levels taken out.

Some languages are easy targets and some are good sources, whatever they are paired with. So the
score of a pair is taken as the level of its source, plus that of its target, plus the slope times
the feature, plus noise: y_ij = a_i + b_j + slope x_ij + e_ij. The slope is that of least squares
with a level for every source and every target, and its interval is Student's, which holds exactly
where the noise of the pairs is independent and normal; the dependence that pairs have by sharing
a language is in the levels. A similarity is the same in both directions, and the noise of the two
may go together: then the two directions are averaged first, which leaves one observation for each
pair of languages, and the interval holds for any dependence within it.
"""

import dataclasses

import numpy as np
from scipy import stats

from analysis.pairs import PairMatrix

LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Slope:
    """The slope of transfer on a feature between the languages' levels.

    Attributes:
      value: points of score for one unit of the feature; None where it cannot be computed.
      low, high: Student's 95% interval.
      p: two-sided p-value of no slope.
      degrees: degrees of freedom.
      averaged: whether the two directions were averaged first.
      reason: why there is none.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    degrees: int = 0
    averaged: bool = False
    reason: str | None = None


def slope(scores: PairMatrix, feature: PairMatrix) -> Slope:
    """Fits the slope over the ordered pairs of different languages that both know."""
    feature = feature.reordered(scores.languages)
    known = scores.off_diagonal() & feature.off_diagonal()
    if not known.any():
        return Slope(reason="no pair has both a score and the feature")
    x, y = feature.values, scores.values
    both_ways = known & known.T
    symmetric = bool(both_ways.any()) and np.allclose(x[both_ways], x.T[both_ways], rtol=1e-9)
    averaged = symmetric and bool((known == known.T).all())
    if averaged:
        sources, targets = np.nonzero(np.triu(known))
        outcome = (y[sources, targets] + y[targets, sources]) / 2
        levels = _indicators(len(y), sources) + _indicators(len(y), targets)
    else:
        sources, targets = np.nonzero(known)
        outcome = y[sources, targets]
        levels = np.hstack([_indicators(len(y), sources), _indicators(len(y), targets)])
    return _fit(levels, x[sources, targets], outcome, averaged)


def _indicators(languages: int, chosen: np.ndarray) -> np.ndarray:
    """`[pairs, languages]` with a one at each pair's language."""
    return np.eye(languages)[chosen]


def _fit(levels: np.ndarray, x: np.ndarray, y: np.ndarray, averaged: bool) -> Slope:
    """Least squares of y on the levels and x, by the residuals of both (Frisch and Waugh 1933)."""
    degrees = len(y) - int(np.linalg.matrix_rank(levels)) - 1
    if degrees < 1:
        return Slope(reason="too few pairs for a level of each language and a slope")
    x_left, y_left = (v - levels @ np.linalg.lstsq(levels, v, rcond=None)[0] for v in (x, y))
    spread = float(x_left @ x_left)
    if spread <= 1e-16 * max(float(x @ x), 1e-300):
        return Slope(reason="the feature is a sum of a number for each language")
    value = float(x_left @ y_left) / spread
    noise = y_left - value * x_left
    error = float(np.sqrt(noise @ noise / degrees / spread))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, degrees)) * error
    p = float(2 * stats.t.sf(abs(value) / error, degrees)) if error > 0 else 0.0
    return Slope(value, value - reach, value + reach, p, degrees, averaged)
