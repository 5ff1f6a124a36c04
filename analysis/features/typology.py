"""Similarities of lang2vec vectors (Littell et al. 2017).

They are ours: the cosine over the features known for both languages. They are not the distances
that URIEL publishes, which such cosines do not reproduce. A pair that shares too few features is
unknown, never zero.
"""

from collections.abc import Sequence

import numpy as np

from analysis.features.pair_feature import PairFeature
from analysis.pairs import PairMatrix

FEWEST_SHARED = 10
"""A cosine over fewer known features than this is taken as unknown."""

# key, label, noun, lang2vec set, what the set holds.
_TYPOLOGY = (
    ("syntax", "Syntax", "similar syntax", "syntax_wals", "binary features of WALS"),
    ("syntax_imputed", "Syntax, gaps filled", "similar syntax (gaps filled)", "syntax_knn",
     "gaps filled by lang2vec's nearest-neighbour prediction"),
    ("phonology", "Phonology", "similar phonology", "phonology_wals", "binary features of WALS"),
    ("phonology_imputed", "Phonology, gaps filled", "similar phonology (gaps filled)",
     "phonology_knn", "gaps filled by lang2vec's nearest-neighbour prediction"),
    ("inventory_known", "Sound inventory, as recorded", "similar recorded sound inventories",
     "inventory_average", "the mean of PHOIBLE's inventories of the language"),
    ("inventory", "Sound inventory", "similar sound inventories", "inventory_knn",
     "gaps filled by lang2vec's nearest-neighbour prediction"),
    ("family", "Family", "close kinship", "fam", "memberships in the nodes of the family tree"),
    ("geography", "Geography", "neighbouring places", "geo",
     "distances to fixed points on the globe, as shares of the longest distance"),
)  # fmt: skip


def cosine(left: np.ndarray, right: np.ndarray) -> tuple[float | None, int]:
    """Returns the cosine of two vectors over the entries known in both, and how many these are.

    Args:
      left, right: [features], NaN where missing.

    Returns:
      (cosine, entries known in both); the cosine is None where fewer than `FEWEST_SHARED` entries
      are known in both, or one of the vectors is zero there.
    """
    both = ~np.isnan(left) & ~np.isnan(right)
    shared = int(both.sum())
    x, y = left[both], right[both]
    norm = float(np.linalg.norm(x) * np.linalg.norm(y))
    if shared < FEWEST_SHARED or norm == 0:
        return None, shared
    return float(np.clip(x @ y / norm, -1.0, 1.0)), shared


def typological(languages: Sequence[str]) -> list[PairFeature]:
    """Returns the lang2vec similarities of all pairs of `languages`."""
    features = []
    for key, label, noun, name, holds in _TYPOLOGY:
        known = _vectors(name, languages)
        cells = {(s, t): cosine(known[s], known[t]) for s in known for t in known}
        features.append(
            PairFeature(
                key=key,
                label=label,
                noun=noun,
                group="typology",
                description=f"cosine similarity of lang2vec's {name} vectors ({holds}), over the "
                "features known for both languages",
                values=PairMatrix.from_mapping(
                    languages, {pair: c for pair, (c, _) in cells.items() if c is not None}
                ),
                shared=PairMatrix.from_mapping(languages, {p: n for p, (_, n) in cells.items()}),
            )
        )
    return features


def _vectors(feature_set: str, languages: Sequence[str]) -> dict[str, np.ndarray]:
    """Returns language -> [features], NaN where missing, of the languages that lang2vec has."""
    from tasks import typology
    from tasks.errors import DataError

    found = {}
    for language in languages:
        try:
            found[language] = typology.vectors(feature_set, [language])[1][0].astype(np.float64)
        except DataError:
            continue  # The language is not in lang2vec: its pairs are unknown.
    return found
