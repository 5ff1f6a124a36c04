"""A text as grapheme clusters and words, some of them protected: what every kind works on.

A word is a run of letters and numbers, with the apostrophes and hyphens inside it. Scripts that
are written without spaces have no words to see: there a run is cut into pieces that stand for
words, two clusters long for Han and kana and four for the scripts of South-East Asia, which is
about the length of their words.

A protected span (a format's keyword, an answer, an entity) is never part of a word, so nothing
that changes words can reach it.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence

from tasks.perturbations import graphemes

PIECES = {
    **dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA"), 2),
    **dict.fromkeys(("THAI", "LAO", "KHMER", "MYANMAR"), 4),
}
# The fewest clusters of a word that is changed inside: shorter ones are mostly function words.
SHORTEST = 3

_JOINERS = frozenset("'’ʼ-‐‑·_")
_NUMBER_JOINERS = frozenset(".,:/٫٬")

Span = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class Word:
    """Clusters `start` to `end` (exclusive) of a text."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start


@dataclasses.dataclass(frozen=True)
class Segments:
    """A text's clusters, which of them are protected, and its words in order."""

    clusters: tuple[str, ...]
    protected: tuple[bool, ...]
    words: tuple[Word, ...]

    def of(self, word: Word) -> tuple[str, ...]:
        """Returns the clusters of a word."""
        return self.clusters[word.start : word.end]

    def changeable(self) -> list[Word]:
        """Returns the words of letters alone that are long enough to be changed inside.

        That is SHORTEST clusters, or in scripts without spaces a whole piece. A word with a digit
        is left out: another number is another meaning.
        """
        return [word for word in self.words if self._changeable(word)]

    def _changeable(self, word: Word) -> bool:
        clusters = self.of(word)
        shortest = min(SHORTEST, PIECES.get(graphemes.script(clusters[0]), SHORTEST))
        return len(word) >= shortest and not any(map(graphemes.is_number, clusters))


def of(text: str, protected: Iterable[Span] = ()) -> Segments:
    """Returns the segments of `text`; `protected` are spans of characters (start, end)."""
    clusters = tuple(graphemes.split(text))
    flags = _flags(clusters, len(text), protected)
    return Segments(clusters, flags, tuple(_words(clusters, flags)))


def _flags(clusters: Sequence[str], length: int, protected: Iterable[Span]) -> tuple[bool, ...]:
    """Marks the clusters of which any character is protected."""
    characters = bytearray(length)
    for start, end in protected:
        characters[start:end] = b"\1" * (end - start)
    ends = list(itertools.accumulate(map(len, clusters), initial=0))
    return tuple(any(characters[start:end]) for start, end in itertools.pairwise(ends))


def _words(clusters: Sequence[str], protected: Sequence[bool]) -> Iterable[Word]:
    """Yields the words: maximal runs of letters and numbers of scripts that are cut alike."""
    kinds = [_kind(cluster, kept) for cluster, kept in zip(clusters, protected, strict=True)]
    for index in range(1, len(kinds) - 1):
        inside = kinds[index - 1] == kinds[index + 1] == "word"
        if inside and not protected[index] and _joins(clusters, index):
            kinds[index] = "word"
    for kind, run in itertools.groupby(range(len(kinds)), key=kinds.__getitem__):
        first, *_, last = [*(indices := list(run)), indices[-1]]
        if kind == "word":
            yield Word(first, last + 1)
        elif kind in PIECES:
            for start in range(first, last + 1, PIECES[kind]):
                yield Word(start, min(start + PIECES[kind], last + 1))


def _joins(clusters: Sequence[str], index: int) -> bool:
    """Says whether the mark at `index`, between letters or numbers, is part of their word."""
    between_numbers = all(map(graphemes.is_number, (clusters[index - 1], clusters[index + 1])))
    return clusters[index] in _JOINERS or (between_numbers and clusters[index] in _NUMBER_JOINERS)


def _kind(cluster: str, protected: bool) -> str:
    """'word', '' for what is no part of a word, or the script where words are pieces."""
    if protected or not (graphemes.is_letter(cluster) or graphemes.is_number(cluster)):
        return ""
    script = graphemes.script(cluster)
    return script if script in PIECES else "word"
