"""Restricted maximum likelihood of a linear model whose random effects are crossed.

y = x b + sum of z_j u_j + e, with u_j and e normal and independent, each with a variance of its
own (Patterson and Thompson 1971). statsmodels' MixedLM fits the same model and is what the tests
compare with; this exists because MixedLM takes minutes, and often does not converge, where there
is an effect for each of hundreds of pairs, and because it has no degrees of freedom for the fixed
effects: Wald's normal intervals are too narrow for ten languages. Here they are Satterthwaite's
(Giesbrecht and Burns 1985; Fai and Cornelius 1996), as in R's lmerTest.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy import linalg, optimize

REST = "rest"
"""Name of the variance of e."""

_STEPS = 50
# The least variance of e, as a share of that of y; and what is a change of variances no more.
_LEAST, _SETTLED = 1e-9, 1e-13


@dataclasses.dataclass(frozen=True)
class Fit:
    """The model at its most likely variances.

    Attributes:
      effects: [k], of the columns of x.
      covariance: [k, k], of the effects, the variances taken as known.
      degrees: [k], Satterthwaite's degrees of freedom of each effect.
      variances: of each random effect, and `REST`.
      log_likelihood: restricted, without what does not depend on the variances.
    """

    effects: np.ndarray
    covariance: np.ndarray
    degrees: np.ndarray
    variances: Mapping[str, float]
    log_likelihood: float


def fit(y: np.ndarray, x: np.ndarray, random: Mapping[str, np.ndarray]) -> Fit:
    """Finds the variances, none below zero, under which what x leaves of y is most likely.

    Args:
      y: [n].
      x: [n, k], of full rank, the constant among them.
      random: by name, [n, levels] with what each level adds to each y: mostly one or zero.
    """
    size = float(np.var(y))
    model = _Model(y / np.sqrt(size), x, list(random.values()))
    thetas = _polished(model, _roughly(model))
    state = model.at(thetas)
    variances = dict(zip([*random, REST], (thetas * size).tolist(), strict=True))
    return Fit(
        effects=state.effects * np.sqrt(size),
        covariance=state.covariance * size,
        degrees=_satterthwaite(model, state, thetas),
        variances=variances,
        log_likelihood=state.log_likelihood - (len(y) - x.shape[1]) * float(np.log(size)) / 2,
    )


@dataclasses.dataclass(frozen=True)
class _State:
    """The model at given variances; `projection` is P = V^-1 - V^-1 x C x' V^-1."""

    effects: np.ndarray
    covariance: np.ndarray
    projection: np.ndarray
    weighted: np.ndarray
    log_likelihood: float


class _Model:
    def __init__(self, y: np.ndarray, x: np.ndarray, random: list[np.ndarray]) -> None:
        self.y, self.x, self.random = y, x, random
        self._products = [z @ z.T for z in random]

    def at(self, thetas: np.ndarray) -> _State:
        variance = np.diag(np.full(len(self.y), thetas[-1]))
        for theta, product in zip(thetas[:-1], self._products, strict=True):
            variance += theta * product
        factor = linalg.cho_factor(variance, lower=True)
        inverse = linalg.cho_solve(factor, np.eye(len(self.y)))
        weighted = inverse @ self.x
        information = linalg.cho_factor(self.x.T @ weighted, lower=True)
        covariance = linalg.cho_solve(information, np.eye(self.x.shape[1]))
        projection = inverse - weighted @ covariance @ weighted.T
        determinants = np.log(np.diag(factor[0])).sum() + np.log(np.diag(information[0])).sum()
        return _State(
            effects=covariance @ (weighted.T @ self.y),
            covariance=covariance,
            projection=projection,
            weighted=weighted @ covariance,
            log_likelihood=float(-determinants - self.y @ projection @ self.y / 2),
        )

    def gradient(self, state: _State) -> np.ndarray:
        left = state.projection @ self.y
        of_random = [
            float((z.T @ left) @ (z.T @ left) - (product * state.projection).sum())
            for z, product in zip(self.random, self._products, strict=True)
        ]
        return np.array([*of_random, float(left @ left - np.trace(state.projection))]) / 2

    def information(self, state: _State) -> np.ndarray:
        """Fisher's, of the variances: tr(P V_i P V_j) / 2."""
        seen = [state.projection @ z for z in self.random]
        n = len(self.random)
        found = np.empty((n + 1, n + 1))
        for i in range(n):
            for j in range(n):
                found[i, j] = ((self.random[i].T @ seen[j]) ** 2).sum()
            found[i, n] = found[n, i] = (seen[i] ** 2).sum()
        found[n, n] = (state.projection**2).sum()
        return found / 2


def _roughly(model: _Model) -> np.ndarray:
    """The variances to some six digits, from where Newton's steps are safe."""

    def loss(thetas: np.ndarray) -> tuple[float, np.ndarray]:
        state = model.at(thetas)
        return -state.log_likelihood, -model.gradient(state)

    count = len(model.random) + 1
    bounds = [(0.0, None)] * (count - 1) + [(_LEAST, None)]
    found = optimize.minimize(
        loss, np.full(count, 1 / count), jac=True, method="L-BFGS-B", bounds=bounds
    )
    return np.asarray(found.x, np.float64)


def _polished(model: _Model, thetas: np.ndarray) -> np.ndarray:
    """Fisher's scoring to the last digits; a variance that would fall below zero stays there."""
    for _ in range(_STEPS):
        state = model.at(thetas)
        gradient = model.gradient(state)
        free = (thetas > _least(thetas)) | (gradient > 0)
        step = np.zeros_like(thetas)
        information = model.information(state)[np.ix_(free, free)]
        step[free] = np.linalg.lstsq(information, gradient[free], rcond=None)[0]
        moved = np.maximum(thetas + step, _least(thetas))
        if model.at(moved).log_likelihood < state.log_likelihood - 1e-9:
            break
        settled = np.abs(moved - thetas).max() <= _SETTLED * thetas.sum()
        thetas = moved
        if settled:
            break
    return thetas


def _least(thetas: np.ndarray) -> np.ndarray:
    """Where each variance cannot fall further."""
    return np.array([*np.zeros(len(thetas) - 1), _LEAST])


def _satterthwaite(model: _Model, state: _State, thetas: np.ndarray) -> np.ndarray:
    """2 v^2 / var(v), for the variance v of each effect, by the delta method."""
    free = thetas > _least(thetas)
    gradients = np.array(
        [((z.T @ state.weighted) ** 2).sum(axis=0) for z in model.random]
        + [(state.weighted**2).sum(axis=0)]
    )[free]
    information = model.information(state)[np.ix_(free, free)]
    spread = np.einsum("ik,ij,jk->k", gradients, np.linalg.pinv(information), gradients)
    return 2 * np.diag(state.covariance) ** 2 / spread
