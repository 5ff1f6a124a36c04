"""Text as the characters that a reader sees: extended grapheme clusters (Unicode UAX #29).

Rule GB9c keeps a conjunct of Devanagari, Bengali, Gujarati, Odia, Telugu and Malayalam in one
piece: क्षि and স্ত্রী are one cluster each, as are a letter with its marks, a Hangul syllable and an
emoji joined by zero-width joiners. Kannada and Sinhala conjuncts are several clusters by the
standard.
"""

import functools
import unicodedata
from collections.abc import Sequence

import regex  # type: ignore[import-untyped]

_CLUSTER = regex.compile(r"\X")


def split(text: str) -> list[str]:
    """Returns the grapheme clusters of `text`; joined again they are `text`."""
    return _CLUSTER.findall(text)


def stand(left: Sequence[str], middle: Sequence[str], right: Sequence[str]) -> bool:
    """Says whether clusters put side by side stay the clusters that they are.

    `left` and `right` are the one cluster before and after, or none. क् and ष, say, would become
    one.
    """
    clusters = [*left, *middle, *right]
    return split("".join(clusters)) == clusters


@functools.lru_cache(maxsize=1 << 16)
def script(cluster: str) -> str:
    """Returns the script of a cluster's first character by its Unicode name: 'LATIN', 'CJK' …"""
    return unicodedata.name(cluster[0], "?").replace("-", " ").split(" ")[0]


@functools.lru_cache(maxsize=1 << 16)
def is_letter(cluster: str) -> bool:
    """Says whether a cluster begins with a letter."""
    return unicodedata.category(cluster[0])[0] == "L"


@functools.lru_cache(maxsize=1 << 16)
def is_number(cluster: str) -> bool:
    """Says whether a cluster begins with a digit or another number."""
    return unicodedata.category(cluster[0])[0] == "N"
