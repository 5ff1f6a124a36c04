"""Which of many features are worth their place, when a study has few languages: ridge and lasso.

Both hold the coefficients of standardised features small, so that features that go together share
what they explain (ridge; Hoerl and Kennard 1970) or leave it to one of them (lasso; Tibshirani
1996). How small is chosen by what foretells best: each language is left out in turn with all of
its pairs, since pairs that share a language with those learned from would tell of it. Coefficients
are pulled to zero on purpose, so they have no interval; how often a feature stays when a language
is left out says how much it hangs on that language.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from analysis.correlation import constant
from analysis.pairs import PairMatrix

RIDGE, LASSO = "ridge", "lasso"

FEWEST_LANGUAGES = 5

_TOLERANCE, _MOST_STEPS = 1e-8, 100_000

_PENALTIES = {RIDGE: np.logspace(-2, 5, 36), LASSO: np.logspace(-3, 0, 31)}
"""Ridge's as scikit-learn's alpha; lasso's as a share of the penalty that leaves no feature."""


@dataclasses.dataclass(frozen=True)
class Kept:
    """What a regression makes of one feature.

    Attributes:
      beta: standard deviations of score for one of the feature; exactly 0 where lasso drops it.
      stays: share of the fits with a language left out in which its sign is the same, and not 0.
      reason: why there is no coefficient.
    """

    beta: float | None = None
    stays: float | None = None
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class Regularised:
    """Ridge or lasso over the ordered pairs of different languages that all features know.

    Attributes:
      pairs, languages: how many these are.
      features: feature -> what is made of it.
      penalty: scikit-learn's alpha, chosen.
      explained: share of the squared error of the mean of the others that is gone for languages
        left out, the penalty being chosen for it: a little too good. 0 or less: of no use.
      at_the_end: the penalty is the largest that was tried: nothing helps.
      reason: why nothing can be fitted.
    """

    pairs: int
    languages: int = 0
    features: Mapping[str, Kept] = dataclasses.field(default_factory=dict)
    penalty: float | None = None
    explained: float | None = None
    at_the_end: bool = False
    reason: str | None = None


def regularise(
    scores: PairMatrix, features: Mapping[str, PairMatrix], kind: str = RIDGE
) -> Regularised:
    """Fits all features at once; `kind` is `RIDGE` or `LASSO`.

    A feature that is the same for all pairs has a reason instead of a coefficient.
    """
    known = {key: feature.reordered(scores.languages) for key, feature in features.items()}
    complete = np.logical_and.reduce(
        [scores.off_diagonal(), *(f.off_diagonal() for f in known.values())]
    )
    pairs = int(complete.sum())
    y = scores.values[complete]
    columns = {key: f.values[complete] for key, f in known.items()}
    fitted = {key: x for key, x in columns.items() if pairs and not constant(x)}
    sources, targets = np.nonzero(complete)
    languages = np.unique([sources, targets])
    reason = _unfit(y, len(features), len(fitted), len(languages))
    if not reason and any(_without(sources, targets, i).sum() < 3 for i in languages):
        reason = "without one of the languages no pairs are left to learn from"
    if reason:
        return Regularised(pairs, len(languages), reason=reason)

    x = np.column_stack([(x - x.mean()) / x.std() for x in fitted.values()])
    y = (y - y.mean()) / y.std()
    penalties = _PENALTIES[kind] * (1.0 if kind == RIDGE else float(np.abs(x.T @ y).max() / pairs))
    errors, means, paths = np.zeros(len(penalties)), 0.0, []
    for language in languages:
        learned = _without(sources, targets, language)
        x_mean, y_mean = x[learned].mean(axis=0), y[learned].mean()
        path = _path(kind, penalties, x[learned] - x_mean, y[learned] - y_mean)
        paths.append(path)
        rest = y[~learned] - y_mean
        errors += ((rest - path @ (x[~learned] - x_mean).T) ** 2).sum(axis=1)
        means += float(rest @ rest)
    # Of penalties as good as each other the largest.
    best = len(errors) - 1 - int(np.argmin(errors[::-1]))
    penalty = float(penalties[best])
    betas = _path(kind, penalties, x, y)[best]
    again = np.array([path[best] for path in paths])
    stays = ((np.sign(again) == np.sign(betas)) & (betas != 0)).mean(axis=0)
    kept = {
        key: Kept(float(beta) + 0.0, float(share))  # never -0.0
        for key, beta, share in zip(fitted, betas, stays, strict=True)
    }
    constants = Kept(reason="the feature is the same for all pairs")
    return Regularised(
        pairs,
        len(languages),
        {key: kept.get(key, constants) for key in features},
        penalty,
        1 - float(errors[best]) / means,
        best == len(penalties) - 1,
    )


def _unfit(y: np.ndarray, features: int, fitted: int, languages: int) -> str | None:
    """Returns why nothing can be fitted, or None."""
    if not features:
        return "no feature is known"
    if not len(y):
        return "no pair has a score and all features"
    if languages < FEWEST_LANGUAGES:
        return f"fewer than {FEWEST_LANGUAGES} languages"
    if constant(y):
        return "the score is the same for all pairs"
    if not fitted:
        return "every feature is the same for all pairs"
    return None


def _without(sources: np.ndarray, targets: np.ndarray, language: int) -> np.ndarray:
    """`[pairs]`: which have nothing to do with a language."""
    return (sources != language) & (targets != language)


def _path(kind: str, penalties: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Coefficients of centred `x [pairs, k]` for centred `y [pairs]`: `[penalties, k]`."""
    from sklearn.linear_model import Ridge, lasso_path

    if kind == RIDGE:
        each = np.repeat(y[:, None], len(penalties), axis=1)
        coefficients: np.ndarray = Ridge(alpha=penalties, fit_intercept=False).fit(x, each).coef_
        return coefficients
    downwards = lasso_path(x, y, alphas=penalties[::-1], tol=_TOLERANCE, max_iter=_MOST_STEPS)[1]
    return np.asarray(downwards.T[::-1])
