"""Transfer on several features at once: what each adds to the others, with an honest p-value.

Least squares over ordered pairs, its coefficients tested by node permutation: the multiple
regression quadratic assignment procedure with double semi-partialing (Dekker, Krackhardt and
Snijders 2007, Psychometrika 72). A feature is reduced to what the others leave of it, the languages
of that remainder are relabelled, and the regression is fitted again. The statistic is the partial
correlation of transfer and feature given the others, so the same p-value is that of a partial
Mantel test (Smouse, Long and Sokal 1986); where no pair is missing it orders the relabellings as
Student's t does.

Features that go together share what they explain, and neither then has a certain coefficient:
variance inflation and the condition number say how bad it is (Belsley, Kuh and Welsch 1980).
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy import stats

from analysis.correlation import PERMUTATIONS, constant, relabelled, share_as_extreme
from analysis.pairs import PairMatrix

# Of a standardised column this share of its sum of squares is rounding.
_ROUNDING = 1e-10


@dataclasses.dataclass(frozen=True)
class Coefficient:
    """What one feature adds to the others.

    Attributes:
      beta: standard deviations of transfer for one of the feature, the others held; None where it
        cannot be computed.
      partial_r: correlation of transfer and feature, given the others.
      p: two-sided permutation p-value of both.
      p_naive: Student's, which takes pairs for independent. Shown to be distrusted.
      vif: variance inflation: 1 / (1 - R2 of the feature on the others).
      reason: why there are no numbers; None when there are.
    """

    beta: float | None = None
    partial_r: float | None = None
    p: float | None = None
    p_naive: float | None = None
    vif: float | None = None
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class Regression:
    """Transfer on several features over the ordered pairs that all of them know.

    Attributes:
      pairs: how many pairs these are.
      coefficients: feature -> what it adds to the others.
      fitted: how many features are in the fit; those that are the same for all pairs are not.
      r2: share of transfer's variance that all explain together; None where nothing can be fitted.
      r2_p: its permutation p-value: all features relabelled together.
      condition: largest over smallest singular value of the standardised features that are fitted.
      reason: why nothing can be fitted.
    """

    pairs: int
    coefficients: Mapping[str, Coefficient] = dataclasses.field(default_factory=dict)
    fitted: int = 0
    r2: float | None = None
    r2_p: float | None = None
    condition: float | None = None
    reason: str | None = None


def regress(
    scores: PairMatrix,
    features: Mapping[str, PairMatrix],
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Regression:
    """Fits transfer on all features at once; arguments as those of `analysis.correlation`.

    A feature that is the same for all pairs, or a linear combination of the others, has a reason
    instead of numbers; a constant one is left out of the fit.
    """
    known = [feature.reordered(scores.languages) for feature in features.values()]
    complete = np.logical_and.reduce([scores.off_diagonal(), *(f.off_diagonal() for f in known)])
    outcome = PairMatrix(scores.languages, np.where(complete, scores.values, np.nan))
    pairs = int(complete.sum())
    columns = {key: f.values[complete] for key, f in zip(features, known, strict=True)}
    fitted = {key: x for key, x in columns.items() if pairs and not constant(x)}
    reason = _unfit(outcome.values[complete], len(fitted)) if features else "no feature is known"
    if reason:
        return Regression(pairs, reason=reason)

    standardised = {key: (x - x.mean()) / x.std() for key, x in fitted.items()}
    coefficients = {}
    for key in columns:
        if key in fitted:
            others = [x for other, x in standardised.items() if other != key]
            coefficients[key] = _coefficient(
                outcome, standardised[key], _basis(pairs, others), permutations, seed
            )
        else:
            coefficients[key] = Coefficient(reason="the feature is the same for all pairs")

    # The scores relabelled against all features: the features relabelled together.
    shape = PairMatrix(scores.languages, np.where(complete, 0.0, np.nan))
    ys, _ = relabelled(shape, outcome, permutations, seed)
    r2s = _r2(ys, _basis(pairs, list(standardised.values())))
    singular = np.linalg.svd(np.column_stack(list(standardised.values())), compute_uv=False)
    deficient = singular[-1] ** 2 <= _ROUNDING * pairs
    return Regression(
        pairs=pairs,
        coefficients=coefficients,
        fitted=len(fitted),
        r2=float(r2s[0]),
        r2_p=share_as_extreme(r2s),
        condition=None if deficient else float(singular[0] / singular[-1]),
    )


def _unfit(outcome: np.ndarray, features: int) -> str | None:
    """Returns why no regression can be fitted, or None."""
    if len(outcome) == 0:
        return "no pair has a score and all features"
    if features == 0:
        return "every feature is the same for all pairs"
    if constant(outcome):
        return "the score is the same for all pairs"
    if len(outcome) < features + 3:
        return f"only {len(outcome)} pairs have a score and all of {features} features"
    return None


def _coefficient(
    outcome: PairMatrix, x: np.ndarray, others: np.ndarray, permutations: int, seed: int
) -> Coefficient:
    """Tests one standardised column `[pairs]`, given the others' basis `[pairs, rank]`."""
    pairs = len(x)
    left = x - others @ (others.T @ x)
    spread = float(left @ left)
    if spread <= _ROUNDING * pairs:
        return Coefficient(reason="the feature is a linear combination of the others")
    remainder = np.full(outcome.values.shape, np.nan)
    remainder[outcome.off_diagonal()] = left
    xs, y = relabelled(outcome, PairMatrix(outcome.languages, remainder), permutations, seed)
    rs = _partial(xs, y, others)
    r, degrees = float(rs[0]), pairs - others.shape[1] - 1
    t = np.sqrt(degrees) * np.abs(r) / np.sqrt(max(1 - r * r, 1e-300))
    return Coefficient(
        beta=float(left @ y) / spread / float(y.std()),
        partial_r=r,
        p=share_as_extreme(rs),
        p_naive=float(2 * stats.t.sf(t, degrees)),
        vif=pairs / spread,
    )


def _basis(pairs: int, columns: list[np.ndarray]) -> np.ndarray:
    """`[pairs, rank]`, orthonormal: what a constant and the standardised columns span."""
    design = np.column_stack([np.ones(pairs), *columns])
    vectors, singular, _ = np.linalg.svd(design, full_matrices=False)
    return vectors[:, singular**2 > _ROUNDING * pairs]


def _partial(xs: np.ndarray, y: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Partial correlation of each row of `xs [m, pairs]` with `y [pairs]`, given a basis: `[m]`."""
    weights, xs = _known(xs)
    ys = weights * y
    inverse = _inverse(weights, given)
    xy, xx, yy = (_product(a, b, given, inverse) for a, b in ((xs, ys), (xs, xs), (ys, ys)))
    return _quotient(xy, np.sqrt(xx.clip(0) * yy.clip(0)), (xs * xs).mean())


def _r2(ys: np.ndarray, given: np.ndarray) -> np.ndarray:
    """R2 of each row of `ys [m, pairs]` on a basis that holds the constant: `[m]`."""
    weights, ys = _known(ys)
    one = np.full((len(given), 1), len(given) ** -0.5)
    total = _product(ys, ys, one, _inverse(weights, one))
    rest = _product(ys, ys, given, _inverse(weights, given))
    return 1 - _quotient(rest, total, (ys * ys).mean())


def _known(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights `[m, pairs]`, 0 where a pair is missing, and the values with 0 there."""
    return (~np.isnan(values)).astype(np.float64), np.nan_to_num(values)


def _inverse(weights: np.ndarray, given: np.ndarray) -> np.ndarray:
    """`[m or 1, rank, rank]`: the basis's inverse moments over the pairs of each row."""
    rank = given.shape[1]
    if weights.all():
        return np.eye(rank)[None]
    moments = weights @ (given[:, :, None] * given[:, None, :]).reshape(len(given), -1)
    return np.linalg.pinv(moments.reshape(-1, rank, rank), hermitian=True)


def _product(a: np.ndarray, b: np.ndarray, given: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Sum of products over pairs, row by row, of what the basis leaves of both sides: `[m]`."""
    explained = ((a @ given)[:, None, :] @ inverse)[:, 0] * (b @ given)
    return (a * b).sum(axis=1) - explained.sum(axis=1)


def _quotient(over: np.ndarray, under: np.ndarray, scale: float) -> np.ndarray:
    """NaN where what is below is rounding."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(np.where(under > _ROUNDING * scale, over / under, np.nan), -1.0, 1.0)
