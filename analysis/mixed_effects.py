"""Transfer on several features at once, the languages of the study standing for others.

score = constant + effects of the features + what the source gives + what the target takes
+ what is the two languages' own in both directions + what is left. All but the features are
random effects with variances that are estimated (crossed random effects; Baayen, Davidson and
Bates 2008; for pairs scored both ways, the social relations model, Kenny and La Voie 1984).
Unlike a fixed level for each language, this leaves a feature of the source or target alone, such
as LM(source), its effect, and pays for it with the few languages there are.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy import stats

from analysis import reml
from analysis.correlation import constant
from analysis.pairs import PairMatrix

LEVEL = 0.95

SOURCE, TARGET, BOTH_WAYS, REST = "source", "target", "pair, both ways", reml.REST
"""The random effects: what the spread of scores between the features' lines comes of."""

_ROUNDING = 1e-10


@dataclasses.dataclass(frozen=True)
class Effect:
    """What goes with one feature, the others held.

    Attributes:
      value: points of score for one standard deviation of the feature; None where there is none.
      low, high: 95% interval, Student's with Satterthwaite's degrees of freedom.
      p: two-sided p-value of no effect.
      degrees: degrees of freedom.
      reason: why there are no numbers.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    degrees: float | None = None
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class MixedEffects:
    """The regression over the ordered pairs of different languages that all features know.

    Attributes:
      pairs: how many these are.
      effects: feature -> its effect.
      spreads: random effect -> its standard deviation in points of score; only those that the
        pairs can tell.
      reason: why nothing can be fitted.
    """

    pairs: int
    effects: Mapping[str, Effect] = dataclasses.field(default_factory=dict)
    spreads: Mapping[str, float] = dataclasses.field(default_factory=dict)
    reason: str | None = None


def mixed_effects(scores: PairMatrix, features: Mapping[str, PairMatrix]) -> MixedEffects:
    """Fits the scores on all features at once, by restricted maximum likelihood.

    A feature that is the same for all pairs, or a linear combination of the others, has a reason
    instead of numbers; the others are fitted without the former.
    """
    known = {key: feature.reordered(scores.languages) for key, feature in features.items()}
    complete = np.logical_and.reduce(
        [scores.off_diagonal(), *(f.off_diagonal() for f in known.values())]
    )
    pairs = int(complete.sum())
    if not known:
        return MixedEffects(pairs, reason="no feature is known")
    if not pairs:
        return MixedEffects(pairs, reason="no pair has a score and all features")
    y = scores.values[complete]
    if constant(y):
        return MixedEffects(pairs, reason="the score is the same for all pairs")

    effects, columns = _columns({key: f.values[complete] for key, f in known.items()})
    if not columns:
        return MixedEffects(pairs, effects, reason="no feature has an effect of its own")
    x = np.column_stack([np.ones(pairs), *columns.values()])
    sources, targets = np.nonzero(complete)
    random = _random(sources, targets)
    reason = _unfit(y, x, random)
    if reason:
        return MixedEffects(pairs, reason=reason)

    fitted = reml.fit(y, x, random)
    for number, key in enumerate(columns, 1):
        effects[key] = _effect(
            float(fitted.effects[number]),
            float(np.sqrt(fitted.covariance[number, number])),
            float(fitted.degrees[number]),
        )
    return MixedEffects(
        pairs,
        {key: effects[key] for key in features},
        {name: float(np.sqrt(variance)) for name, variance in fitted.variances.items()},
    )


def _columns(
    features: Mapping[str, np.ndarray],
) -> tuple[dict[str, Effect], dict[str, np.ndarray]]:
    """Standardises the features `[pairs]`; those without an effect of their own get a reason."""
    varying = {key: (x - x.mean()) / x.std() for key, x in features.items() if not constant(x)}
    effects = {
        key: Effect(reason="the feature is the same for all pairs")
        for key in features
        if key not in varying
    }
    columns = {}
    for key, x in varying.items():
        others = [np.ones(len(x)), *(o for other, o in varying.items() if other != key)]
        if _left(np.column_stack(others), x) <= _ROUNDING:
            effects[key] = Effect(reason="the feature is a linear combination of the others")
        else:
            columns[key] = x
    return effects, columns


def _left(design: np.ndarray, y: np.ndarray) -> float:
    """The share of y's squares that a design leaves."""
    rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(rest @ rest) / float(y @ y)


def _random(sources: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    """The random effects that the pairs can tell apart from what is left: `[pairs, levels]`."""
    ends = np.sort(np.stack([sources, targets], axis=1), axis=1)
    both_ways = np.unique(ends, axis=0, return_inverse=True)[1].ravel()
    found = {}
    for name, of in ((SOURCE, sources), (TARGET, targets), (BOTH_WAYS, both_ways)):
        levels, number = np.unique(of, return_inverse=True)
        if 1 < len(levels) < len(of):
            found[name] = np.eye(len(levels))[number.ravel()]
    return found


def _unfit(y: np.ndarray, x: np.ndarray, random: Mapping[str, np.ndarray]) -> str | None:
    """Returns why the model cannot be fitted, or None."""
    if SOURCE not in random or TARGET not in random:
        return "it takes several sources with several targets each"
    fixed = np.hstack([x, random[SOURCE], random[TARGET]])
    if len(y) - int(np.linalg.matrix_rank(fixed)) < 1:
        return f"{len(y)} pairs are too few for {x.shape[1] - 1} features and the languages' levels"
    if _left(fixed, y - y.mean()) <= _ROUNDING:
        return "the features and the languages' levels give every score exactly"
    return None


def _effect(value: float, error: float, degrees: float) -> Effect:
    reach = float(stats.t.ppf((1 + LEVEL) / 2, degrees)) * error
    p = float(2 * stats.t.sf(abs(value) / error, degrees))
    return Effect(value, value - reach, value + reach, p, degrees)
