"""Noise inside words: one change a word, on whole grapheme clusters.

The unit of strength is a word that the kind can change. All functions propose at most one edit a
word, in the order of the text.
"""

import random
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from tasks.perturbations import diacritics, edits, graphemes, keyboards, lookalikes
from tasks.perturbations.edits import Edit
from tasks.perturbations.segments import Segments, Word
from tasks.perturbations.style import Style


def typos(segments: Segments, style: Style, rng: random.Random) -> list[Edit]:
    """One letter of a word becomes its neighbour on the keyboard; case and marks are kept.

    A letter that no keyboard here has, as those of Chinese, becomes another one of the same script
    that the text holds.
    """
    letters = _letters(segments)

    def change(word: Word) -> Iterable[Edit]:
        return (
            Edit(index, index + 1, (edits.pick(options, rng),))
            for index in _places(word, rng)
            if (options := _slips(segments.clusters[index], style.language, letters))
        )

    return _proposals(segments, segments.changeable(), change)


def deletions(segments: Segments, style: Style, rng: random.Random) -> list[Edit]:
    """One cluster of a word is left out."""

    def change(word: Word) -> Iterable[Edit]:
        return (Edit(index, index + 1, ()) for index in _places(word, rng))

    return _proposals(segments, segments.changeable(), change)


def swaps(segments: Segments, style: Style, rng: random.Random) -> list[Edit]:
    """Two different neighbouring clusters of a word change places."""

    def change(word: Word) -> Iterable[Edit]:
        start = word.start + int(rng.random() * (len(word) - 1))
        pairs = [*range(start, word.end - 1), *range(word.start, start)]
        return (Edit(i, i + 2, segments.clusters[i : i + 2][::-1]) for i in pairs)

    return _proposals(segments, segments.changeable(), change)


def undiacritics(segments: Segments, style: Style, rng: random.Random) -> list[Edit]:
    """All clusters of a word lose their diacritics, as `diacritics` has them."""

    def change(word: Word) -> Iterable[Edit]:
        bare = tuple(diacritics.without(cluster) for cluster in segments.of(word))
        return [Edit(word.start, word.end, bare)]

    return _proposals(segments, segments.words, change)


def homoglyphs(segments: Segments, style: Style, rng: random.Random) -> list[Edit]:
    """One letter of a word becomes another character that looks like it."""

    def change(word: Word) -> Iterable[Edit]:
        return (
            Edit(index, index + 1, (edits.pick(options, rng),))
            for index in _places(word, rng)
            if (options := lookalikes.of(segments.clusters[index]))
        )

    return _proposals(segments, segments.words, change)


def _places(word: Word, rng: random.Random) -> list[int]:
    """The indices of a word's clusters in random order."""
    return [word.start + offset for offset in edits.order(len(word), rng)]


def _proposals(
    segments: Segments, words: Sequence[Word], change: Callable[[Word], Iterable[Edit]]
) -> list[Edit]:
    """The first edit of each word that changes no cluster but its own."""
    found = []
    for word in words:
        fitting = (edit for edit in change(word) if edits.fits(edit, segments))
        found += [edit for edit in [next(fitting, None)] if edit]
    return found


def _letters(segments: Segments) -> dict[str, list[str]]:
    """The clusters of all words by script, sorted: the alphabet that the text itself shows."""
    found: dict[str, set[str]] = {}
    for word in segments.words:
        for cluster in filter(graphemes.is_letter, segments.of(word)):
            found.setdefault(graphemes.script(cluster), set()).add(cluster)
    return {script: sorted(clusters) for script, clusters in found.items()}


def _slips(cluster: str, language: str, letters: dict[str, list[str]]) -> list[str]:
    """What a slip of the finger may write instead of a cluster."""
    if not graphemes.is_letter(cluster):
        return []
    script = graphemes.script(cluster)
    composed = unicodedata.normalize("NFC", diacritics.without_nukta(cluster))
    lower = composed[0].lower()
    # An accented letter that has no key of its own is typed on the key of the plain one.
    for key, marks in ((lower, composed[1:]), (diacritics.without(lower), "")):
        if near := keyboards.neighbours(key, script, language):
            upper = composed[0] != lower
            return [(other.upper() if upper else other) + marks for other in near]
    return [other for other in letters.get(script, ()) if other != cluster]
