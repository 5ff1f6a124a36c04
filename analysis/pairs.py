"""A number for every ordered pair of languages: the type that the statistics hand to each other.

Rows are sources, columns are targets. What is not known is NaN inside the array and nowhere else:
no sentence, table or file of ours ever shows one.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

Pair = tuple[str, str]
"""(source, target)."""


@dataclasses.dataclass(frozen=True)
class PairMatrix:
    """One number per ordered pair (source, target).

    Attributes:
      languages: ISO 639-1 codes, the order of rows and columns.
      values: [n, n] float64, `values[i, j]` for source i and target j; NaN where unknown.
    """

    languages: tuple[str, ...]
    values: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.languages)
        if self.values.shape != (n, n) or len(set(self.languages)) != n:
            raise ValueError(f"{n} distinct languages need [{n}, {n}] values, {self.values.shape}")

    @classmethod
    def from_mapping(cls, languages: Sequence[str], values: Mapping[Pair, float]) -> "PairMatrix":
        """Builds a matrix from (source, target) -> number; pairs left out are unknown."""
        return cls.from_function(languages, lambda s, t: values.get((s, t)))

    @classmethod
    def from_function(
        cls, languages: Sequence[str], function: Callable[[str, str], float | None]
    ) -> "PairMatrix":
        """Builds a matrix from a function of (source, target); None means unknown."""
        rows = [[_or_nan(function(s, t)) for t in languages] for s in languages]
        n = len(languages)
        return cls(tuple(languages), np.array(rows, np.float64).reshape(n, n))

    def get(self, source: str, target: str) -> float | None:
        """Returns the number of one pair, or None where it is unknown."""
        if source not in self.languages or target not in self.languages:
            return None
        value = self.values[self.languages.index(source), self.languages.index(target)]
        return None if np.isnan(value) else float(value)

    def reordered(self, languages: Sequence[str]) -> "PairMatrix":
        """Returns the matrix over `languages`; a language that it does not know is unknown."""
        return PairMatrix.from_function(languages, self.get)

    def off_diagonal(self) -> np.ndarray:
        """Returns [n, n] bool: source and target differ and the number is known."""
        return ~np.eye(len(self.languages), dtype=bool) & ~np.isnan(self.values)

    def pairs(self) -> Iterator[tuple[str, str, float]]:
        """Yields (source, target, number) for all that is known, the diagonal included."""
        for i, source in enumerate(self.languages):
            for j, target in enumerate(self.languages):
                if not np.isnan(self.values[i, j]):
                    yield source, target, float(self.values[i, j])


def mean_or_none(values: Sequence[float]) -> float | None:
    """Returns the mean, or None of nothing."""
    return float(np.mean(values)) if len(values) else None


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else float(value)
