"""White space and punctuation that is missing, or is where it should not be."""

import random

from tasks.perturbations import edits, graphemes
from tasks.perturbations.edits import Edit
from tasks.perturbations.segments import Segments, Word
from tasks.perturbations.style import Style

_MARKS = {
    "ARABIC": "،؛.؟!",
    "GREEK": ",.;·!",
    **dict.fromkeys(("DEVANAGARI", "BENGALI"), ",।?!;"),
    **dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA"), "，。、；？！"),
}
_MARKS_BY_LANGUAGE = {"ur": "،۔؛؟!"}
# No colon is written: it would make a word look like a keyword of a format.
_OTHER_MARKS = ",.;!?"
_ALL_MARKS = frozenset(_OTHER_MARKS + "".join(_MARKS.values()) + ":۔：…॥")


def spacing(segments: Segments, style: Style, rng: random.Random) -> list[Edit]:
    """After a word the space is lost, or inside it, between two clusters, there is one too many.

    A word of letters that is long enough is split or joined to the next, each as likely; others
    are joined. No space is doubled: SentencePiece models read two spaces as one. The unit of
    strength is a word of which one of the two can be.
    """
    long = {word.start for word in segments.changeable()}
    found = []
    for index, word in enumerate(segments.words):
        following = segments.words[index + 1 : index + 2]
        options = _join(segments, word, following)
        if word.start in long:
            place = word.start + 1 + int(rng.random() * (len(word) - 1))
            options.append(Edit(place, place, (" ",)))
        fitting = [edit for edit in options if edits.fits(edit, segments)]
        found += [edits.pick(fitting, rng)] if fitting else []
    return found


def _join(segments: Segments, word: Word, following: tuple[Word, ...]) -> list[Edit]:
    """Leaves out the white space up to the next word, where there is nothing else between."""
    between = segments.clusters[word.end : following[0].start] if following else ()
    joined = between and all(cluster.isspace() for cluster in between)
    return [Edit(word.end, following[0].start, ())] if joined else []


def punctuation(segments: Segments, style: Style, rng: random.Random) -> list[Edit]:
    """After a word a punctuation mark is lost, becomes another one, or is one too many.

    The marks are those of the word's script. A word that ends in a digit is passed over, so that
    '3.5' and '3 , 5' stay numbers. The unit of strength is a word.
    """
    found = []
    for word in segments.words:
        if graphemes.is_number(segments.clusters[word.end - 1]):
            continue
        marks = _marks(segments.clusters[word.end - 1], style)
        edit = _changed_mark(segments, word, marks, style, rng)
        if edit and edits.fits(edit, segments):
            found.append(edit)
    return found


def _marks(cluster: str, style: Style) -> str:
    script = graphemes.script(cluster)
    if script == "ARABIC" and style.language in _MARKS_BY_LANGUAGE:
        return _MARKS_BY_LANGUAGE[style.language]
    return _MARKS.get(script, _OTHER_MARKS)


def _changed_mark(
    segments: Segments, word: Word, marks: str, style: Style, rng: random.Random
) -> Edit | None:
    """The mark after a word left out or replaced, or one set there; None beside what is kept."""
    clusters, end = segments.clusters, word.end
    other, lost = edits.pick(marks, rng), rng.random() < 1 / 2
    after = clusters[end] if end < len(clusters) else " "
    place = end + 1 if style.spaced and after == " " else end
    if clusters[place : place + 1] and clusters[place] in _ALL_MARKS:
        if segments.protected[place]:
            return None
        if lost:
            return Edit(end, place + 1, ())
        others = [mark for mark in marks if mark != clusters[place]]
        return Edit(place, place + 1, (edits.pick(others, rng),))
    if after.isspace():
        return Edit(end, end, (" ", other) if style.spaced else (other,))
    if segments.protected[end]:
        return None
    return Edit(end, end, (" ", other, " ") if style.spaced else (other,))
