"""Is a difference there in every language, or by chance? A paired test over languages.

Languages are the units: seeds and sources of one language are averaged first, for they are not
independent. The p-value flips signs (Fisher's exact test of a paired difference), all ways where
they are few; the interval is Student's over languages; Wilcoxon's p stands beside them.
"""

import dataclasses
import math
import warnings
from collections.abc import Mapping

import numpy as np

FEWEST = 3
"""With fewer languages than this a difference has no interval worth the name."""

_FLIPS = 9_999


@dataclasses.dataclass(frozen=True)
class Paired:
    """A difference between two conditions, over languages.

    Attributes:
      by_language: language -> difference.
      mean: over languages; None without any.
      low, high: 95% interval of the mean over languages; None with fewer than `FEWEST`.
      p: two-sided, share of sign flips with a mean at least as far from zero.
      p_wilcoxon: of the signed-rank test.
      reason: why there is no interval; None where there is one.
    """

    by_language: Mapping[str, float]
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_wilcoxon: float | None = None
    reason: str | None = None

    @property
    def languages(self) -> int:
        """How many languages it is told over."""
        return len(self.by_language)


def paired(by_language: Mapping[str, float], seed: int = 0) -> Paired:
    """Tests whether differences are centred on zero.

    Args:
      by_language: language -> difference, in any unit.
      seed: of the sign flips, where there are more than ten thousand of them.
    """
    values = np.array(list(by_language.values()), np.float64)
    if not len(values):
        return Paired(by_language, reason="no language was scored in both")
    mean = float(values.mean())
    if len(values) < FEWEST:
        count = "one language" if len(values) == 1 else f"{len(values)} languages"
        return Paired(by_language, mean, reason=f"only {count}, too few for an interval")
    low, high = _interval(values)
    return Paired(by_language, mean, low, high, _sign_flips(values, seed), _wilcoxon(values))


def difference(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """Returns first minus second for the languages that both have."""
    return {
        language: first[language] - second[language] for language in first if language in second
    }


def _interval(values: np.ndarray) -> tuple[float, float]:
    from scipy import stats

    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values))
    mean = values.mean()
    return float(mean - half), float(mean + half)


def _sign_flips(values: np.ndarray, seed: int) -> float:
    from scipy import stats

    found = stats.permutation_test(
        (values,),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=_FLIPS,
        alternative="two-sided",
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def _wilcoxon(values: np.ndarray) -> float | None:
    from scipy import stats

    if not values.any():
        return None
    with warnings.catch_warnings():
        # Ties and zeros make it approximate, which is why it only stands beside.
        warnings.simplefilter("ignore")
        return float(stats.wilcoxon(values).pvalue)
