"""p-values of many features at once: what is left of them when one counts how many were tried."""

import gc
from collections.abc import Sequence

METHODS = {
    "holm": "Holm (1979): the chance of any false finding among them is at most the level",
    "fdr_bh": "Benjamini and Hochberg (1995): of those found, the share of false ones is at most "
    "the level, on average",
}


def adjusted(p_values: Sequence[float | None], method: str) -> list[float | None]:
    """Returns the adjusted p-values in the same order; a test without one stays without.

    Args:
      p_values: of the family of tests; None for a test that could not be computed, which does
        not count.
      method: a key of `METHODS`.
    """
    from statsmodels.stats.multitest import multipletests

    known = [p for p in p_values if p is not None]
    if not known:
        return [None] * len(p_values)
    # It collects garbage, which takes half a second where TensorFlow is loaded: nothing is found.
    gc.freeze()
    try:
        found = iter(multipletests(known, method=method)[1].tolist())
    finally:
        gc.unfreeze()
    return [None if p is None else next(found) for p in p_values]
