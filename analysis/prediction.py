"""Could the transfer of a language be foretold, before one trains on it or scores in it?

Each language in turn is held out: all pairs that it is part of. A ridge regression on features of
pairs, which learns from the other languages alone, foretells the held-out pairs, beside baselines
that need no features. What a pair's other language is like is known, so all of them may use it: a
pair from a new source starts from its target's mean over the other sources, and so the other way
round. The penalty is chosen within the languages that are learned from, by efficient
leave-one-out; missing features are filled with their mean there.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from analysis.pairs import PairMatrix

RESAMPLES = 2_000
FEWEST_LANGUAGES = 5

MEAN, LEVELS, RIDGE = "mean of all pairs", "level of the other language", "that and the features"

_PENALTIES = np.logspace(-2, 4, 25)


@dataclasses.dataclass(frozen=True)
class Skill:
    """How well one way foretells pairs of languages that it has not seen.

    Attributes:
      error: mean absolute error, in points of score.
      low, high: 95% percentile interval of the error over the held-out languages.
      r_squared: 1 less the squared error relative to that of `MEAN`; 0 or less is no skill.
    """

    error: float
    low: float
    high: float
    r_squared: float


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Transfer of held-out languages, foretold.

    Attributes:
      skills: by way: `MEAN`, `LEVELS`, `RIDGE`.
      pairs: predictions that were made: a pair counts for each language that it was held out with.
      languages: held out in turn.
      filled: share of the features' cells that were unknown and filled.
      reason: why there is none.
    """

    skills: Mapping[str, Skill]
    pairs: int = 0
    languages: int = 0
    filled: float = 0.0
    reason: str | None = None


def foretell(
    scores: PairMatrix,
    features: Mapping[str, PairMatrix],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Prediction:
    """Holds each language out in turn and foretells its zero-shot scores.

    Args:
      scores: transfer; the diagonal takes no part.
      features: of pairs, from which alone the ridge regression learns beside the levels.
      resamples: draws of held-out languages for the intervals.
      seed: of the draws.
    """
    known = scores.off_diagonal()
    taking_part = np.flatnonzero(known.any(axis=0) | known.any(axis=1))
    if len(taking_part) < FEWEST_LANGUAGES:
        return Prediction({}, reason=f"fewer than {FEWEST_LANGUAGES} languages")
    sources, targets = np.nonzero(known)
    y = scores.values[known]
    if np.ptp(y) == 0:
        return Prediction({}, reason="the score is the same for all pairs")
    columns = [one.reordered(scores.languages).values[known] for one in features.values()]
    if not columns:
        return Prediction({}, reason="no feature is known")
    x = np.stack(columns, axis=1)
    errors: dict[str, list[np.ndarray]] = {MEAN: [], LEVELS: [], RIDGE: []}
    for language in taking_part:
        out = (sources == language) | (targets == language)
        if out.all():
            return Prediction({}, reason="every pair has the same language on one side")
        other = np.where(sources == language, targets, sources)[out]
        as_source = (sources == language)[out]
        level = _levels(sources[~out], targets[~out], y[~out])
        starting = np.array([level(o, not s) for o, s in zip(other, as_source, strict=True)])
        rest = y[~out] - _own_starts(sources[~out], targets[~out], y[~out])
        found = {
            MEAN: np.full(out.sum(), y[~out].mean()),
            LEVELS: starting,
            RIDGE: starting + _ridge(x[~out], rest, x[out]),
        }
        for way, predicted in found.items():
            errors[way].append(predicted - y[out])
    return Prediction(
        skills=_skills(errors, resamples, seed),
        pairs=sum(map(len, errors[MEAN])),
        languages=len(taking_part),
        filled=float(np.isnan(x).mean()),
    )


def _levels(
    sources: np.ndarray, targets: np.ndarray, y: np.ndarray
) -> Callable[[int, bool], float]:
    """Returns level(language, as source): its mean in the part that it plays, or that of all."""

    def level(language: int, as_source: bool) -> float:
        mine = y[(sources if as_source else targets) == language]
        return float(mine.mean() if len(mine) else y.mean())

    return level


def _own_starts(sources: np.ndarray, targets: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What each learned pair would start from if one of its languages were new, on average.

    The pair itself takes no part in the means, so that they are as uncertain as they will be.
    """
    starts = np.empty_like(y)
    for pair in range(len(y)):
        others = np.arange(len(y)) != pair
        level = _levels(sources[others], targets[others], y[others])
        starts[pair] = (level(sources[pair], True) + level(targets[pair], False)) / 2
    return starts


def _ridge(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Learns y from x and returns what it makes of `new`; both are filled and scaled as x is."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps = SimpleImputer(keep_empty_features=True), StandardScaler(), RidgeCV(alphas=_PENALTIES)
    found: np.ndarray = make_pipeline(*steps).fit(x, y).predict(new)
    return found


def _skills(errors: Mapping[str, list[np.ndarray]], resamples: int, seed: int) -> dict[str, Skill]:
    """Sums the errors up, and draws held-out languages for how sure that is."""
    counts = np.array([len(one) for one in errors[MEAN]])
    squares = {way: np.array([one @ one for one in each]) for way, each in errors.items()}
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(counts), (resamples, len(counts)))
    skills = {}
    for way, each in errors.items():
        sums = np.array([np.abs(one).sum() for one in each])
        means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        skills[way] = Skill(
            error=float(sums.sum() / counts.sum()),
            low=float(low),
            high=float(high),
            r_squared=1 - float(squares[way].sum() / squares[MEAN].sum()),
        )
    return skills
