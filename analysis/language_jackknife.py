"""How sure one may be of a number computed from pairs of languages, when languages are few.

The languages of a study stand for others. So each is left out in turn, with all of its pairs, and
how far the number moves tells how far another draw of languages would move it (the jackknife over
the nodes of an array; Tukey 1958, Efron and Stein 1981). Whatever pairs have in common by sharing
a language is in that movement. What is a pair's own is in it twice, as each pair is left out with
each of its two languages (cf. the double counting that dyadic-robust variances take out; Aronow,
Samii and Assenova 2015), so its share is estimated and taken out once.

Student's t, with a degree of freedom for every language less those that the number itself takes,
pays for how few they are.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class Spread:
    """The standard error of a number computed from pairs.

    Attributes:
      error: standard error.
      degrees: degrees of freedom of Student's t.
    """

    error: float
    degrees: float

    def interval(self, value: float) -> tuple[float, float]:
        """Returns the 95% interval around a value."""
        reach = float(stats.t.ppf((1 + LEVEL) / 2, self.degrees)) * self.error
        return value - reach, value + reach


def spread(
    sources: np.ndarray,
    targets: np.ndarray,
    influence: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    taken: int = 1,
) -> Spread | None:
    """Leaves each language out in turn.

    Languages that are sources only, targets only and both are drawn from populations of their own;
    one that is alone in its part, such as English as the only source, stays what it is.

    Args:
      sources, targets: [pairs], the languages of each pair as whole numbers.
      influence: [pairs], what each pair adds to the number: the number is, to first order, their
        mean. Serves to tell what is a pair's own.
      statistic: the number for each row of weights `[m, pairs]`, which are 0 or 1: `[m]`.
      taken: degrees of freedom that the number takes: one for a mean.

    Returns:
      The standard error; None where there are too few languages or the number cannot be computed
      without one of them.
    """
    groups = _groups(sources, targets)
    if not groups:
        return None
    variances, degrees = [], []
    for group in groups:
        kept = (sources != group[:, None]) & (targets != group[:, None])
        if not kept.any(axis=1).all():
            return None
        found = statistic(kept.astype(np.float64))
        if not np.isfinite(found).all():
            return None
        size = len(group)
        variances.append((size - 1) / size * float(((found - found.mean()) ** 2).sum()))
        degrees.append(max(size - taken, 1))
    total = sum(variances)
    # Welch and Satterthwaite, where languages play several parts.
    parts = sum(v * v / d for v, d in zip(variances, degrees, strict=True))
    freedom = total * total / parts if parts > 0 else float(sum(degrees))
    own = _own(sources, targets, influence)
    return Spread(float(np.sqrt(max(total - own, own))), freedom)


def _groups(sources: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
    """The languages of each part that at least two play."""
    givers, takers = set(sources.tolist()), set(targets.tolist())
    parts = (givers & takers, givers - takers, takers - givers)
    return [np.array(sorted(part)) for part in parts if len(part) > 1]


def _own(sources: np.ndarray, targets: np.ndarray, influence: np.ndarray) -> float:
    """The variance of the mean influence that comes of what is a pair's own.

    That is what a level for each language leaves of it. The two directions of a pair are one, as
    their noise may be.
    """
    ends = np.sort(np.stack([sources, targets], axis=1), axis=1)
    pairs, of = np.unique(ends, axis=0, return_inverse=True)
    of = of.ravel()
    counts = np.bincount(of)
    means = np.bincount(of, weights=influence) / counts
    levels = np.zeros((len(pairs), int(ends.max()) + 1))
    np.add.at(levels, (np.arange(len(pairs))[:, None], pairs), 1.0)
    fitted, _, rank, _ = np.linalg.lstsq(levels, means, rcond=None)
    degrees = len(pairs) - int(rank)
    if degrees < 1:
        return 0.0  # Nothing tells a pair's own from its languages'.
    left = means - levels @ fitted
    return float(left @ left) / degrees * float((counts**2).sum()) / len(sources) ** 2
