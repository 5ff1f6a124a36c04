"""Matrices of made-up languages, for the tests of statistics over pairs."""

import numpy as np

from analysis.pairs import PairMatrix


def matrix(values: np.ndarray) -> PairMatrix:
    return PairMatrix(tuple(f"l{i:02}" for i in range(len(values))), np.asarray(values, np.float64))


def random_matrix(rng: np.random.Generator, n: int, known: float = 1.0) -> PairMatrix:
    values = rng.normal(size=(n, n))
    values[rng.random((n, n)) > known] = np.nan
    return matrix(values)
