"""Several features at once: what each adds to the others, tested so that pairs may share languages.

Ordinary least squares of transfer on standardised features over ordered pairs. The p-value of a
coefficient is MRQAP's by double semi-partialing (Dekker, Krackhardt and Snijders 2007): what the
other features leave of this one is relabelled, language by language, and the t statistic of what
results is compared with that of the data. So the other features keep their part in both the
feature and the scores. Variance inflation says how much of a feature the others already tell.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from analysis.correlation import relabelled, share_as_extreme
from analysis.pairs import PairMatrix

PERMUTATIONS = 1_999


@dataclasses.dataclass(frozen=True)
class Term:
    """One feature's part in a regression.

    Attributes:
      beta: standardised coefficient: standard deviations of the score for one of the feature.
      partial: partial correlation of feature and score, the others held; its p-value is `p`, for
        it rises and falls with `t`.
      t: its ordinary t statistic, which is only compared with those of the relabellings.
      p: two-sided permutation p-value.
      inflation: variance inflation factor, 1 / (1 - R^2 of the feature on the others).
    """

    beta: float
    partial: float
    t: float
    p: float
    inflation: float


@dataclasses.dataclass(frozen=True)
class Regression:
    """Transfer on several features.

    Attributes:
      terms: by feature, in the order given.
      pairs: ordered pairs that scores and all these features know.
      r_squared: share of the scores' variance that they explain together.
      left_out: features that take no part, and why.
      reason: why there is no regression; None where there is one.
    """

    terms: Mapping[str, Term]
    pairs: int
    r_squared: float | None
    left_out: Mapping[str, str]
    reason: str | None = None


def regress(
    scores: PairMatrix,
    features: Mapping[str, PairMatrix],
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Regression:
    """Regresses transfer on the features that every scored pair has, one after another.

    A feature that is unknown for a scored pair, constant, or a sum of those before it is left out
    and named. Relabellings are those of `analysis.correlation.correlate`.
    """
    known = scores.off_diagonal()
    y = scores.values[known]
    if len(y) < 4 or np.ptp(y) == 0:
        return Regression({}, len(y), None, {}, "too few different scores")
    columns, left_out = _usable({name: _on(scores, one)[known] for name, one in features.items()})
    if not columns:
        return Regression({}, len(y), None, left_out, "no feature is known for every pair")
    if len(y) < len(columns) + 3:
        return Regression({}, len(y), None, left_out, "fewer pairs than features")
    standard_y = _standard(y)
    matrix = np.stack(list(columns.values()), axis=1)
    coefficients = np.linalg.lstsq(matrix, standard_y, rcond=None)[0]
    unexplained = standard_y - matrix @ coefficients
    r_squared = 1 - float(unexplained @ unexplained) / len(y)
    terms = {}
    for number, name in enumerate(columns):
        others = np.column_stack([np.ones(len(y)), np.delete(matrix, number, axis=1)])
        left = _residuals(others, matrix[:, number])
        cells = np.full(scores.values.shape, np.nan)
        cells[known] = left
        permuted, _ = relabelled(
            scores, PairMatrix(scores.languages, cells), permutations, seed + 1 + number
        )
        ts = _t_statistics(permuted, standard_y, others)
        terms[name] = Term(
            beta=float(coefficients[number]),
            partial=float(ts[0] / np.sqrt(ts[0] ** 2 + len(y) - len(columns) - 1)),
            t=float(ts[0]),
            p=share_as_extreme(ts),
            inflation=len(y) / float(left @ left),
        )
    return Regression(terms, len(y), r_squared, left_out)


def _on(scores: PairMatrix, feature: PairMatrix) -> np.ndarray:
    return feature.reordered(scores.languages).values


def _usable(
    columns: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Standardised columns that can take part, and why the others cannot."""
    kept: dict[str, np.ndarray] = {}
    left_out = {}
    for name, column in columns.items():
        missing = int(np.isnan(column).sum())
        if missing:
            left_out[name] = f"unknown for {missing} of {len(column)} pairs"
        elif np.ptp(column) <= 1e-9 * max(1e-6, float(np.abs(column).max())):
            left_out[name] = "the same for all pairs"
        else:
            standard = _standard(column)
            before = np.column_stack([np.ones(len(column)), *kept.values()])
            rest = _residuals(before, standard)
            if rest @ rest < 1e-6 * len(column):
                left_out[name] = "a sum of the features before it"
            else:
                kept[name] = standard
    return kept, left_out


def _standard(values: np.ndarray) -> np.ndarray:
    deviation: np.ndarray = values - values.mean()
    return deviation / deviation.std()


def _residuals(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    residuals: np.ndarray = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return residuals


def _t_statistics(rows: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The t statistic of each row of `rows [m, pairs]` beside `others [pairs, k]`: `[m]`."""
    basis = np.linalg.qr(others)[0]
    y_left = y - basis @ (basis.T @ y)
    left = rows - (rows @ basis) @ basis.T
    squares = np.einsum("mp,mp->m", left, left)
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = (left @ y_left) / squares
        rest = y_left @ y_left - slopes**2 * squares
        degrees = len(y) - others.shape[1] - 1
        ts: np.ndarray = slopes * np.sqrt(squares * degrees / rest)
    return ts
