"""Names of languages, and an order in which relatives stand together."""

from collections.abc import Sequence

import numpy as np

from analysis.pairs import PairMatrix

NAMES = {
    "af": "Afrikaans", "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque",
    "fa": "Persian", "fi": "Finnish", "fr": "French", "gu": "Gujarati", "he": "Hebrew",
    "hi": "Hindi", "ht": "Haitian Creole", "hu": "Hungarian", "id": "Indonesian",
    "it": "Italian", "ja": "Japanese", "jv": "Javanese", "ka": "Georgian", "kk": "Kazakh",
    "ko": "Korean", "lt": "Lithuanian", "ml": "Malayalam", "mr": "Marathi", "ms": "Malay",
    "my": "Burmese", "nl": "Dutch", "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese",
    "qu": "Quechua", "ro": "Romanian", "ru": "Russian", "sw": "Swahili", "ta": "Tamil",
    "te": "Telugu", "th": "Thai", "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian",
    "ur": "Urdu", "vi": "Vietnamese", "wo": "Wolof", "yo": "Yoruba", "zh": "Chinese",
}  # fmt: skip
"""English names of the languages of XTREME and XTREME-R."""


def name(language: str) -> str:
    """Returns the English name of an ISO 639-1 code, or the code itself."""
    return NAMES.get(language, language)


def kinship_order(languages: Sequence[str], *similarities: PairMatrix) -> tuple[str, ...]:
    """Returns the languages so that similar ones are neighbours.

    Average-linkage clustering on 1 minus the mean of the similarities, leaves ordered optimally
    (Bar-Joseph et al. 2001). Languages without any known similarity follow at the end, by name.
    """
    n = len(languages)
    if n < 3 or not similarities:
        return tuple(sorted(languages))
    stack = np.stack([s.reordered(languages).values for s in similarities])
    known = ~np.isnan(stack)
    means = np.where(known, stack, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    any_known = known.any(axis=0) & ~np.eye(n, dtype=bool)
    placed = [i for i in range(n) if any_known[i].any()]
    rest = sorted(languages[i] for i in range(n) if i not in placed)
    if len(placed) < 3:
        return tuple(sorted(languages))

    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    distance = 1 - means[np.ix_(placed, placed)]
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0)
    tree = hierarchy.linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
    ordered = [languages[placed[i]] for i in hierarchy.leaves_list(tree)]
    # Either direction is as good; begin at the end that is nearer the alphabet's beginning.
    if ordered[-1] < ordered[0]:
        ordered.reverse()
    return (*ordered, *rest)
