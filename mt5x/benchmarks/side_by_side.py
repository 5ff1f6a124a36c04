"""Times ways to do the same work by turns: a slow minute of the machine hits all of them."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from mt5x.errors import UserError

Work = Callable[[], object]


def seconds(variants: Mapping[str, Work], repeats: int, warmups: int = 1) -> dict[str, list[float]]:
    """Runs every variant once, then every variant again, and so on.

    Args:
      variants: by name, what does the work once and returns when it is done (a function that
        starts work on a device must wait for it).
      repeats: timed rounds.
      warmups: rounds before them that are not counted: they compile and fill caches.

    Returns:
      The seconds of each timed run, by variant.

    Raises:
      UserError: fewer than one round.
    """
    if repeats < 1:
        raise UserError(f"expected at least one repeat, got {repeats}")
    for _ in range(warmups):
        for work in variants.values():
            work()
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, work in variants.items():
            begin = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - begin)
    return taken


def ratio(baseline: Sequence[float], ours: Sequence[float]) -> float:
    """How many times as fast ours is: the median of the ratios of runs beside one another.

    Where one side has more runs than the other, they did not lie beside one another, and the ratio
    is that of the medians.
    """
    if len(baseline) != len(ours):
        return statistics.median(baseline) / statistics.median(ours)
    return statistics.median(b / o for b, o in zip(baseline, ours, strict=True))
