"""Does a feature of a language pair go with transfer? Pearson's r, with an honest p-value.

Ordered pairs share languages, so they are not independent observations and the p-value of the
textbook is far too small. Ours permutes the names of the languages (the Mantel test; Mantel 1967,
for ordered pairs the quadratic assignment procedure, Hubert and Schultz 1976): all pairs of a
language move together, so whatever dependence sharing it brings is there under the null as well.
"""

import dataclasses
import functools
import itertools
import math

import numpy as np

from analysis.language_jackknife import spread
from analysis.pairs import PairMatrix

PERMUTATIONS = 9_999
RESAMPLES = 2_000
FEWEST_PAIRS = 4
"""With fewer points than this a correlation says nothing."""

_TIE = 1e-12
_NEARLY_ONE = 1 - 1e-12

# Numbers of a block of relabellings, which bounds the memory that many languages take.
_HELD = 2**20


@dataclasses.dataclass(frozen=True)
class Correlation:
    """Pearson's r between a feature and transfer over ordered pairs, source and target distinct.

    Attributes:
      pairs: pairs for which both numbers are known.
      languages: languages in these pairs.
      r: Pearson's coefficient; None where it cannot be computed.
      p: two-sided permutation p-value: share of relabellings with |r| at least as large.
      p_naive: the textbook's p-value, which takes pairs for independent. Shown to be distrusted.
      low, high: 95% interval by leaving each language out in turn (`analysis.language_jackknife`),
        on Fisher's scale; None where there is no r without one of them.
      drawn_low, drawn_high: 95% percentile interval over languages drawn with replacement; None
        where too many draws have no r. Of few languages it holds more than 95%, or less.
      relabellings: how many relabellings of the languages were looked at, the identity included.
      exhaustive: these were all there are.
      reason: why there is no r; None when there is one.
    """

    pairs: int
    languages: int
    r: float | None = None
    p: float | None = None
    p_naive: float | None = None
    low: float | None = None
    high: float | None = None
    drawn_low: float | None = None
    drawn_high: float | None = None
    relabellings: int = 0
    exhaustive: bool = False
    reason: str | None = None


def correlate(
    scores: PairMatrix,
    feature: PairMatrix,
    permutations: int = PERMUTATIONS,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Correlation:
    """Correlates a feature with transfer over the ordered pairs that both know.

    Languages are relabelled only among those that play the same part in `scores` (source, target
    or both), so that with English as the only source the targets alone are permuted. All
    relabellings are enumerated when there are at most `permutations` + 1 of them; otherwise
    `permutations` are drawn, and the observed labelling is counted with them (Phipson and Smyth
    2010: the "+1"). A relabelling that leaves no correlation to compute counts as at least as
    extreme.

    Args:
      scores: transfer; its languages are the ones analysed, its diagonal is ignored.
      feature: the feature; languages that it does not know are missing pairs.
      permutations: relabellings drawn.
      resamples: bootstrap draws of languages for the drawn interval; 0 leaves it out.
      seed: seed of numpy's default generator (PCG64), for the draws of both.

    Returns:
      The correlation; with `reason` instead of numbers where it cannot be computed.
    """
    feature = feature.reordered(scores.languages)
    both = scores.off_diagonal() & feature.off_diagonal()
    pairs = int(both.sum())
    taking_part = both.any(axis=0) | both.any(axis=1)
    languages = int(taking_part.sum())

    reason = degenerate(scores, feature)
    if reason:
        return Correlation(pairs, languages, reason=reason)

    x, y = relabelled(scores, feature, permutations, seed)
    rs = pearson(x, y)
    sources, targets = np.nonzero(both)
    low, high = interval(sources, targets, feature.values[both], scores.values[both])
    drawn = _drawn_interval(scores.values, feature.values, both, resamples, seed)
    return Correlation(
        pairs=pairs,
        languages=languages,
        r=float(rs[0]),
        p=share_as_extreme(rs),
        p_naive=_naive_p(scores.values[both], feature.values[both]),
        low=low,
        high=high,
        drawn_low=drawn[0],
        drawn_high=drawn[1],
        relabellings=len(x),
        exhaustive=_relabellings(_parts(scores), permutations, seed)[1],
    )


def degenerate(scores: PairMatrix, feature: PairMatrix) -> str | None:
    """Returns why a feature and transfer have no correlation, or None when they have one."""
    observed = scores.off_diagonal()
    if not observed.any():
        return "no zero-shot pair was scored"
    known = feature.reordered(scores.languages)
    both = observed & known.off_diagonal()
    return _without_correlation(scores.values[both], known.values[both])


def _without_correlation(scores: np.ndarray, feature: np.ndarray) -> str | None:
    """Returns why two lists of numbers have no correlation, or None when they have one."""
    if len(scores) == 0:
        return "the feature is known for none of the pairs"
    if len(scores) < FEWEST_PAIRS:
        count = "one pair" if len(scores) == 1 else f"{len(scores)} pairs"
        return f"only {count}, too few to correlate"
    if constant(feature):
        return "the feature is the same for all pairs"
    if constant(scores):
        return "the score is the same for all pairs"
    return None


def constant(values: np.ndarray) -> bool:
    """Whether the numbers differ by no more than rounding."""
    return bool(np.ptp(values) <= 1e-9 * max(1e-6, float(np.abs(values).max())))


def relabelled(
    scores: PairMatrix, feature: PairMatrix, permutations: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the feature under each relabelling of the languages, and the scores it meets.

    Returns:
      `[m, pairs]`, the labelling as it is first, NaN where the feature is unknown; and `[pairs]`.
    """
    feature = feature.reordered(scores.languages)
    orders, _ = _relabellings(_parts(scores), permutations, seed)
    sources, targets = np.nonzero(scores.off_diagonal())
    x = feature.values[orders[:, sources], orders[:, targets]]
    return x, scores.values[sources, targets]


def share_as_extreme(statistics: np.ndarray) -> float:
    """Returns the two-sided p-value of the first of them among all `[m]`; NaN is as extreme."""
    extreme = np.isnan(statistics) | (np.abs(statistics) >= abs(statistics[0]) - _TIE)
    return float(extreme.mean())


def _parts(scores: PairMatrix) -> tuple[tuple[bool, bool], ...]:
    """For each language whether it is a source and whether it is a target."""
    observed = scores.off_diagonal()
    return tuple(
        (bool(observed[i].any()), bool(observed[:, i].any())) for i in range(len(observed))
    )


@functools.lru_cache(maxsize=32)
def _relabellings(
    parts: tuple[tuple[bool, bool], ...], permutations: int, seed: int
) -> tuple[np.ndarray, bool]:
    """Returns ([m, n] orders of the languages, identity first; whether these are all).

    Args:
      parts: for each language whether it is a source and whether it is a target.
      permutations: relabellings drawn where there are more than one more than these.
      seed: seed of the draws.
    """
    identity = np.arange(len(parts))
    groups = [np.array([i for i in identity if parts[i] == part]) for part in sorted(set(parts))]

    if math.prod(math.factorial(len(group)) for group in groups) <= permutations + 1:
        choices = list(itertools.product(*(itertools.permutations(group) for group in groups)))
        orders = np.tile(identity, (len(choices), 1))
        for number, group in enumerate(groups):
            orders[:, group] = [choice[number] for choice in choices]
        return orders, True

    rng = np.random.default_rng(seed)
    orders = np.tile(identity, (permutations + 1, 1))
    for group in groups:
        orders[1:, group] = rng.permuted(np.tile(group, (permutations, 1)), axis=1)
    return orders, False


def pearson(x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Returns Pearson's r along the last axis, weighted: `[m]`; NaN where a side does not vary.

    Args:
      x: [m or 1, pairs]; NaN leaves a pair out of its row.
      y: [pairs], all known.
      weights: [m, pairs], not negative; None for all equal.
    """
    # Values that differ by less than this from their row's mean differ by rounding.
    least = [1e-12 * float(np.nanvar(side)) for side in (x, y)]
    rows = max(len(x), 1 if weights is None else len(weights))
    together = max(1, _HELD // max(len(y), 1))
    found = []
    for start in range(0, rows, together):
        block = x if len(x) == 1 else x[start : start + together]
        weight = (~np.isnan(block)).astype(np.float64)
        if weights is not None:
            weight = weight * weights[start : start + together]
        found.append(_pearson(np.nan_to_num(block), y[None, :], weight, least))
    return np.concatenate(found)


def _pearson(x: np.ndarray, y: np.ndarray, weights: np.ndarray, least: list[float]) -> np.ndarray:
    """As `pearson`, for one block; `least` is the variance of each side that is no rounding."""
    total = weights.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Each row is centred by its own mean before anything is multiplied, so that nothing
        # cancels however far from zero the values lie.
        x = x - (weights * x).sum(axis=-1, keepdims=True) / total
        y = y - (weights * y).sum(axis=-1, keepdims=True) / total
        xx, yy = (weights * x * x).sum(axis=-1), (weights * y * y).sum(axis=-1)
        varies = (xx > least[0] * total[:, 0]) & (yy > least[1] * total[:, 0])
        r = (weights * x * y).sum(axis=-1) / np.sqrt(xx * yy)
    return np.clip(np.where(varies, r, np.nan), -1.0, 1.0)


def interval(
    sources: np.ndarray, targets: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[float, float] | tuple[None, None]:
    """Returns the 95% interval of Pearson's r over pairs of languages, all arguments `[pairs]`.

    Fisher's transformation makes r's distribution about normal and keeps the ends within -1 and 1;
    it takes three degrees of freedom, as in his own variance, 1 / (n - 3).
    """
    r = float(pearson(x[None, :], y)[0])
    u, v = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    influence = (u * v - r / 2 * (u * u + v * v)) / max(1 - r * r, 1 - _NEARLY_ONE)
    found = spread(
        sources, targets, influence, lambda w: _fisher(pearson(x[None, :], y, w)), taken=3
    )
    if found is None:
        return None, None
    low, high = np.tanh(found.interval(float(_fisher(np.array(r)))))
    return float(low), float(high)


def _fisher(r: np.ndarray) -> np.ndarray:
    return np.arctanh(np.clip(r, -_NEARLY_ONE, _NEARLY_ONE))


def _drawn_interval(
    scores: np.ndarray,
    feature: np.ndarray,
    both: np.ndarray,
    resamples: int,
    seed: int,
) -> tuple[float | None, float | None]:
    """Returns the 95% percentile interval of r over languages drawn with replacement.

    A pair counts as often as its two languages were drawn together; a language drawn twice makes
    no pair with itself.
    """
    if not resamples:
        return None, None
    n = len(scores)
    sources, targets = np.nonzero(both)
    rng = np.random.default_rng([seed, 1])  # Another stream than the relabellings'.
    counts = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
    weights = counts[:, sources] * counts[:, targets]
    rs = pearson(feature[both][None, :], scores[both], weights)
    known = rs[~np.isnan(rs)]
    if len(known) < 0.9 * resamples:
        return None, None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def _naive_p(x: np.ndarray, y: np.ndarray) -> float:
    """Returns scipy's p-value, which takes the pairs for independent."""
    from scipy import stats

    return float(stats.pearsonr(x, y).pvalue)
