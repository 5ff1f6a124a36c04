"""How long the examples are: percentiles and a histogram of token counts."""

import dataclasses
from collections.abc import Sequence

import numpy as np

PERCENTILES = (0, 25, 50, 75, 90, 95, 99, 99.5, 100)


@dataclasses.dataclass(frozen=True)
class Distribution:
    """Token counts of one feature.

    Attributes:
      mean: tokens an example.
      percentiles: percentile to token count, each one a count that an example has.
      edges: bounds of the histogram's bins, one more than bins; a bin holds the counts from its
        lower bound up to below the next.
      histogram: examples in each bin.
    """

    mean: float
    percentiles: dict[float, int]
    edges: list[int]
    histogram: list[int]


def distribution(counts: np.ndarray, bins: int = 12) -> Distribution:
    """Returns the distribution of token counts.

    Args:
      counts: int [examples], at least one.
      bins: at most so many bins of equal width; the last one is open above the 99.5th percentile,
        so that a few long examples do not flatten the picture.
    """
    found = np.percentile(counts, PERCENTILES, method="higher")
    percentiles = {p: int(value) for p, value in zip(PERCENTILES, found, strict=True)}
    low, high = percentiles[0], percentiles[99.5]
    width = max(1, -(-(high - low + 1) // bins))
    edges = list(range(low, high + 1, width))
    inside = np.bincount((counts - low) // width, minlength=len(edges))
    histogram = [int(n) for n in inside[: len(edges)]]
    histogram[-1] += int(inside[len(edges) :].sum())
    return Distribution(
        mean=float(np.mean(counts)),
        percentiles=percentiles,
        edges=[*edges, max(edges[-1] + width, percentiles[100] + 1)],
        histogram=histogram,
    )


def bars(values: Sequence[float], width: int) -> list[str]:
    """Returns a bar of blocks for each value, the longest `width` wide; one above zero shows."""
    most = max(values, default=0)
    eighths = "▏▎▍▌▋▊▉█"
    found = []
    for value in values:
        length = 0 if most <= 0 else max(round(8 * width * value / most), 1 if value > 0 else 0)
        whole, rest = divmod(length, 8)
        found.append("█" * whole + (eighths[rest - 1] if rest else ""))
    return found
