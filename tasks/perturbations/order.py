"""Words in another order: shuffled within small windows."""

import random

from tasks.perturbations import edits, graphemes
from tasks.perturbations.edits import Edit
from tasks.perturbations.segments import Segments, Word
from tasks.perturbations.style import Style

# So far that the sentence is noticed to be odd, so near that its parts stay together.
WINDOW = 3

_ENDS = frozenset(".!?;:。！？；：।॥۔؟؛…")


def shuffle(segments: Segments, style: Style, rng: random.Random) -> list[Edit]:
    """Proposes, for every window of three words, another order of its words.

    What stands between the words, as commas do, stays where it is. A window never reaches over
    the end of a sentence or over protected text; the last of a sentence has two or three words.
    """
    found = []
    for run in _runs(segments):
        for start in range(0, len(run), WINDOW):
            window = run[start : start + WINDOW]
            edit = _reordered(segments, window, rng)
            if edit and edits.fits(edit, segments):
                found.append(edit)
    return found


def _runs(segments: Segments) -> list[list[Word]]:
    """Returns the words in runs that nothing interrupts but spaces and commas."""
    runs: list[list[Word]] = []
    previous = None
    for word in segments.words:
        if previous is None or _apart(segments, previous, word):
            runs.append([])
        runs[-1].append(word)
        previous = word
    return runs


def _apart(segments: Segments, before: Word, after: Word) -> bool:
    """Says whether two neighbouring words belong to different runs."""
    between = range(before.end, after.start)
    marks = [index for index in between if not segments.clusters[index].isspace()]
    if any(segments.protected[i] or segments.clusters[i][0] in _ENDS for i in between):
        return True
    # '3 , 5' is one number.
    ends = segments.clusters[before.end - 1], segments.clusters[after.start]
    return bool(marks) and all(map(graphemes.is_number, ends))


def _reordered(segments: Segments, window: list[Word], rng: random.Random) -> Edit | None:
    """The window with its words in another order, or None where there is none."""
    words = [segments.of(word) for word in window]
    shuffled = [words[index] for index in edits.order(len(words), rng)]
    if shuffled == words:  # turned round, it is another, unless the words are the same
        shuffled = words[::-1]
    if shuffled == words:
        return None
    clusters = list(shuffled[0])
    for before, after, word in zip(window, window[1:], shuffled[1:], strict=False):
        clusters += [*segments.clusters[before.end : after.start], *word]
    return Edit(window[0].start, window[-1].end, tuple(clusters))
