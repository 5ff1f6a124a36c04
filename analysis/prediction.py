"""Could a transfer score be foretold, before one trains on a language or scores in it?

Two questions, each with its baselines, which need no features:

- *unseen languages*: each language in turn is held out with all pairs that it is part of. What a
  pair's other language is like is known, so all may use it: a pair from a new source starts from
  its target's mean over the other sources, and so the other way round.
- *unseen pairs*: each pair of languages in turn is held out, in both directions. Both languages
  are known from their other pairs, so a pair starts from a level of its source and of its target.

A ridge regression on features of pairs foretells what these starts leave. Its penalty is chosen
within what is learned from, by efficient leave-one-out; missing features are filled with their
mean there. Whether it is better than a start is told with an interval over languages, as all
pairs of a language are foretold well or badly together (`analysis.language_jackknife`).
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from analysis.correlation import constant
from analysis.language_jackknife import spread
from analysis.pairs import PairMatrix

FEWEST_LANGUAGES = 5

LANGUAGES, PAIRS = "languages", "pairs"
"""What is not seen."""

MEAN, RIDGE = "mean of all pairs", "that and the features"
LEVELS = {LANGUAGES: "level of the other language", PAIRS: "level of the source and of the target"}

_PENALTIES = np.logspace(-2, 4, 25)

_LEAST = 1e-300

Interval = tuple[float, float] | None
"""95%, over languages; None where there are too few."""


@dataclasses.dataclass(frozen=True)
class Skill:
    """How well one way foretells what it has not seen.

    Attributes:
      error: mean absolute error, in points of score.
      interval: of the error.
      gain: share of the levels' error that is gone, 0 for these themselves; None where they have
        no error.
      gain_interval: of the gain: above 0, the way is better; None for the levels, too.
      r_squared: 1 less the squared error relative to that of `MEAN`; 0 or less is no skill.
    """

    error: float
    interval: Interval
    gain: float | None
    gain_interval: Interval
    r_squared: float


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Transfer of held-out languages or pairs, foretold.

    Attributes:
      skills: by way: `MEAN`, the levels, `RIDGE`.
      pairs: predictions that were made; of unseen languages, a pair counts for each language that
        it was held out with.
      languages: that take part.
      filled: share of the features' cells that were unknown and filled.
      reason: why there is none.
    """

    skills: Mapping[str, Skill]
    pairs: int = 0
    languages: int = 0
    filled: float = 0.0
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class _Pairs:
    """What is known: languages as numbers `[pairs]`, score `[pairs]`, features `[pairs, k]`."""

    sources: np.ndarray
    targets: np.ndarray
    y: np.ndarray
    x: np.ndarray

    def part(self, chosen: np.ndarray) -> "_Pairs":
        return _Pairs(*(each[chosen] for each in dataclasses.astuple(self)))


Foretold = tuple[np.ndarray, Mapping[str, np.ndarray]]
"""Which pairs were held out, `[pairs]` bool, and what each way says of them."""


def foretell(
    scores: PairMatrix, features: Mapping[str, PairMatrix], unseen: str = LANGUAGES
) -> Prediction:
    """Holds out each language or each pair in turn and foretells its zero-shot scores.

    Args:
      scores: transfer; the diagonal takes no part.
      features: of pairs, from which alone the ridge regression learns beside the levels.
      unseen: `LANGUAGES` or `PAIRS`.
    """
    known = scores.off_diagonal()
    languages = int((known.any(axis=0) | known.any(axis=1)).sum())
    if languages < FEWEST_LANGUAGES:
        return Prediction({}, reason=f"fewer than {FEWEST_LANGUAGES} languages")
    if constant(scores.values[known]):
        return Prediction({}, reason="the score is the same for all pairs")
    if not features:
        return Prediction({}, reason="no feature is known")
    columns = [one.reordered(scores.languages).values[known] for one in features.values()]
    sources, targets = np.nonzero(known)
    every = _Pairs(sources, targets, scores.values[known], np.stack(columns, axis=1))
    if unseen == LANGUAGES and any(_with(every, one).all() for one in every.sources):
        return Prediction({}, reason="every pair has the same language on one side")
    found = list((_unseen_languages if unseen == LANGUAGES else _unseen_pairs)(every))
    if not found:
        return Prediction({}, reason="no source and no target is in two pairs")
    which = np.concatenate([np.flatnonzero(out) for out, _ in found])
    errors = {
        way: np.concatenate([ways[way] for _, ways in found]) - every.y[which]
        for way in found[0][1]
    }
    return Prediction(
        skills=_skills(every.sources[which], every.targets[which], errors, LEVELS[unseen]),
        pairs=len(which),
        languages=languages,
        filled=float(np.isnan(every.x).mean()),
    )


def _with(pairs: _Pairs, language: int) -> np.ndarray:
    found: np.ndarray = (pairs.sources == language) | (pairs.targets == language)
    return found


def _unseen_languages(every: _Pairs) -> Iterator[Foretold]:
    for language in np.unique([every.sources, every.targets]):
        out = _with(every, language)
        held, learned = every.part(out), every.part(~out)
        as_source = held.sources == language
        other = np.where(as_source, held.targets, held.sources)
        level = _levels(learned.sources, learned.targets, learned.y)
        starting = np.array([level(o, not s) for o, s in zip(other, as_source, strict=True)])
        rest = learned.y - _own_starts(learned.sources, learned.targets, learned.y)
        yield (
            out,
            {
                MEAN: np.full(len(held.y), learned.y.mean()),
                LEVELS[LANGUAGES]: starting,
                RIDGE: starting + _ridge(learned.x, rest, held.x),
            },
        )


def _unseen_pairs(every: _Pairs) -> Iterator[Foretold]:
    ends = np.sort(np.stack([every.sources, every.targets], axis=1), axis=1)
    for one in np.unique(ends, axis=0):
        out = (ends == one).all(axis=1)
        learned = every.part(~out)
        # A language that is in no other pair has no level.
        out &= np.isin(every.sources, learned.sources) & np.isin(every.targets, learned.targets)
        if not out.any():
            continue
        held = every.part(out)
        both = np.column_stack([learned.y, _filled(learned.x, learned.x)])
        starts, rest = _additive(learned, held, both)
        new = _filled(learned.x, held.x) - starts[:, 1:]
        yield (
            out,
            {
                MEAN: np.full(len(held.y), learned.y.mean()),
                LEVELS[PAIRS]: starts[:, 0],
                RIDGE: starts[:, 0] + _ridge(rest[:, 1:], rest[:, 0], new),
            },
        )


def _additive(learned: _Pairs, held: _Pairs, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fits a level for each source and target to columns `[learned, k]`.

    Returns:
      What the levels say of the held-out pairs `[held, k]`, and what they leave `[learned, k]`.
    """
    count = 1 + max(int(one.max()) for one in (*_ends(learned), *_ends(held)))

    def design(pairs: _Pairs) -> np.ndarray:
        sources, targets = _ends(pairs)
        return np.hstack([np.eye(count)[sources], np.eye(count)[targets]])

    levels = np.linalg.lstsq(design(learned), columns, rcond=None)[0]
    return design(held) @ levels, columns - design(learned) @ levels


def _ends(pairs: _Pairs) -> tuple[np.ndarray, np.ndarray]:
    return pairs.sources, pairs.targets


def _filled(learned: np.ndarray, x: np.ndarray) -> np.ndarray:
    from sklearn.impute import SimpleImputer

    found: np.ndarray = SimpleImputer(keep_empty_features=True).fit(learned).transform(x)
    return found


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


def _skills(
    sources: np.ndarray, targets: np.ndarray, errors: Mapping[str, np.ndarray], levels: str
) -> dict[str, Skill]:
    """Sums the errors up, `[predictions]` each, with how sure that is over languages."""

    sizes = {way: np.abs(each) for way, each in errors.items()}
    of_mean = float(errors[MEAN] @ errors[MEAN])
    skills = {}
    for way, size in sizes.items():
        gained = way != levels and size.any() and sizes[levels].any()
        skills[way] = Skill(
            error=float(size.mean()),
            interval=_interval(sources, targets, size),
            gain=1 - float(size.mean() / sizes[levels].mean()) if sizes[levels].any() else None,
            gain_interval=_gain(sources, targets, size, sizes[levels]) if gained else None,
            r_squared=1 - float(errors[way] @ errors[way]) / of_mean,
        )
    return skills


def _interval(sources: np.ndarray, targets: np.ndarray, sizes: np.ndarray) -> Interval:
    """Of a mean, on its logarithm: an error is above zero and is skewed."""
    if not sizes.any():
        return 0.0, 0.0
    mean = float(sizes.mean())
    found = spread(
        sources,
        targets,
        sizes / mean - 1,
        lambda w: np.log(np.maximum(w @ sizes, _LEAST) / w.sum(axis=1)),
    )
    if found is None:
        return None
    low, high = np.exp(found.interval(float(np.log(mean))))
    return float(low), float(high)


def _gain(
    sources: np.ndarray, targets: np.ndarray, sizes: np.ndarray, levels: np.ndarray
) -> Interval:
    """Of the share of the levels' error that is gone, on the logarithm of what is left of it."""
    left = float(np.log(sizes.mean() / levels.mean()))
    found = spread(
        sources,
        targets,
        sizes / sizes.mean() - levels / levels.mean(),
        lambda w: np.log(np.maximum(w @ sizes, _LEAST) / np.maximum(w @ levels, _LEAST)),
    )
    if found is None:
        return None
    low, high = 1 - np.exp(found.interval(left))[::-1]
    return float(low), float(high)
