"""Names of languages, and an order in which relatives stand together."""

from collections.abc import Sequence

import numpy as np

from analysis.pairs import PairMatrix
from tasks import languages


def name(language: str) -> str:
    """Returns the English name of an ISO 639-1 code, or the code itself where it is not known."""
    known = languages.table().get(language)
    return known.name if known else language


def kinship_order(codes: Sequence[str], *similarities: PairMatrix) -> tuple[str, ...]:
    """Returns the languages so that similar ones are neighbours.

    Average-linkage clustering on 1 minus the mean of the similarities, leaves ordered optimally
    (Bar-Joseph et al. 2001). Languages without any known similarity follow at the end, by name.
    """
    n = len(codes)
    if n < 3 or not similarities:
        return tuple(sorted(codes))
    stack = np.stack([s.reordered(codes).values for s in similarities])
    known = ~np.isnan(stack)
    means = np.where(known, stack, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    any_known = known.any(axis=0) & ~np.eye(n, dtype=bool)
    placed = [i for i in range(n) if any_known[i].any()]
    rest = sorted(codes[i] for i in range(n) if i not in placed)
    if len(placed) < 3:
        return tuple(sorted(codes))

    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    distance = 1 - means[np.ix_(placed, placed)]
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0)
    tree = hierarchy.linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    ordered = [codes[placed[i]] for i in hierarchy.leaves_list(tree)]
    # Either direction is as good; begin at the end that is nearer the alphabet's beginning.
    if ordered[-1] < ordered[0]:
        ordered.reverse()
    return (*ordered, *rest)
