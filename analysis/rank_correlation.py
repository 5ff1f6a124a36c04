"""Spearman's rho and Kendall's tau-b between a feature and transfer, beside Pearson's r.

They ask whether more of the one goes with more of the other, whatever the shape of the curve, and
one far-off pair counts for little. p-values relabel the languages, as Pearson's does
(`analysis.correlation`): all pairs of a language move together.
"""

import dataclasses

import numpy as np
from scipy import stats

from analysis.correlation import degenerate, relabelled, share_as_extreme
from analysis.pairs import PairMatrix

PERMUTATIONS = 1_999

# Comparisons of pairs of pairs held at once.
_HELD = 2**22

_MOST_COMPARED = 150
"""With more pairs than these, comparing all with all costs more than sorting each row."""


@dataclasses.dataclass(frozen=True)
class RankCorrelation:
    """Both coefficients over the ordered pairs that feature and scores know.

    Attributes:
      rho: Spearman's; None where it cannot be computed.
      rho_p: its two-sided permutation p-value.
      tau: Kendall's tau-b; ties on either side count as in its definition.
      tau_p: its two-sided permutation p-value.
      reason: why there are none.
    """

    rho: float | None = None
    rho_p: float | None = None
    tau: float | None = None
    tau_p: float | None = None
    reason: str | None = None


def rank_correlate(
    scores: PairMatrix, feature: PairMatrix, permutations: int = PERMUTATIONS, seed: int = 0
) -> RankCorrelation:
    """Correlates ranks of a feature and of transfer; arguments as those of `correlate`."""
    reason = degenerate(scores, feature)
    if reason:
        return RankCorrelation(reason=reason)
    x, y = relabelled(scores, feature, permutations, seed)
    rhos, taus = spearman(x, y), kendall(x, y)
    return RankCorrelation(
        rho=float(rhos[0]),
        rho_p=share_as_extreme(rhos),
        tau=float(taus[0]),
        tau_p=share_as_extreme(taus),
    )


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's rho of each row of `x [m, pairs]` with `y [pairs]`: `[m]`.

    NaN in `x` leaves a pair out of its row; NaN is returned where a side does not vary.
    """
    ys = np.where(np.isnan(x), np.nan, y[None, :])
    ranks = [stats.rankdata(side, axis=1, nan_policy="omit") for side in (x, ys)]
    centred = [side - np.nanmean(side, axis=1, keepdims=True) for side in ranks]
    products = np.nansum(centred[0] * centred[1], axis=1)
    squares = [np.nansum(side**2, axis=1) for side in centred]
    return _quotient(products, np.sqrt(squares[0] * squares[1]))


def kendall(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Kendall's tau-b of each row of `x [m, pairs]` with `y [pairs]`: `[m]`, NaN as in `spearman`.

    Few pairs are compared two by two, all rows at once; many are left to scipy, whose time per row
    grows as pairs x log(pairs).
    """
    if x.shape[1] > _MOST_COMPARED:
        return _kendall_by_sorting(x, y)
    return _kendall_by_comparing(x, y)


def _kendall_by_sorting(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    found = np.empty(len(x))
    for number, row in enumerate(x):
        known = ~np.isnan(row)
        # "asymptotic" is the cheapest of the p-values, which nobody reads.
        found[number] = stats.kendalltau(row[known], y[known], method="asymptotic").statistic
    return found


def _kendall_by_comparing(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Agreements less disagreements, over the geometric mean of comparisons that are no tie."""
    first, second = np.triu_indices(x.shape[1], k=1)
    y_signs = np.sign(y[first] - y[second])
    together = max(1, _HELD // max(len(first), 1))
    found = []
    for start in range(0, len(x), together):
        rows = x[start : start + together]
        signs = np.sign(rows[:, first] - rows[:, second])
        known = ~np.isnan(signs)
        signs = np.where(known, signs, 0.0)
        agreements = signs @ y_signs
        x_untied, y_untied = np.abs(signs).sum(axis=1), known @ np.abs(y_signs)
        found.append(_quotient(agreements, np.sqrt(x_untied * y_untied)))
    return np.concatenate(found)


def _quotient(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(np.where(under > 0, over / under, np.nan), -1.0, 1.0)
