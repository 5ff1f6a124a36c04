"""The kinds of noise that need nothing but the text itself."""

import random
from collections.abc import Callable, Iterable, Sequence

from tasks.errors import DataError
from tasks.perturbations import characters, edits, order, segments, spacing
from tasks.perturbations.edits import Edit
from tasks.perturbations.segments import Segments, Span
from tasks.perturbations.style import Style

Kind = Callable[[Segments, Style, random.Random], Sequence[Edit]]

KINDS: dict[str, Kind] = {
    "typos": characters.typos,
    "deletions": characters.deletions,
    "swaps": characters.swaps,
    "undiacritics": characters.undiacritics,
    "homoglyphs": characters.homoglyphs,
    "spacing": spacing.spacing,
    "punctuation": spacing.punctuation,
    "shuffle": order.shuffle,
}

_PLAIN = Style()


def perturb(
    text: str,
    kind: str,
    strength: int,
    rng: random.Random,
    protected: Iterable[Span] = (),
    style: Style = _PLAIN,
) -> str:
    """Returns `text` with noise.

    Args:
      text: any text.
      kind: a key of KINDS.
      strength: percent, 0 to 100, of the units that the kind can change: the text's words, or for
        'shuffle' its windows of words. 0 gives the text itself. With the same `rng`, what a lower
        strength changes a higher one changes, too.
      rng: all chance comes from here.
      protected: spans (start, end) of characters that stay as they are.
      style: how the text is written.

    Raises:
      DataError: there is no such kind, or it needs more than a text.
    """
    if kind not in KINDS:
        raise DataError(f"no text is perturbed by '{kind}' alone, only by {' '.join(KINDS)}")
    if not strength:
        return text
    pieces = segments.of(text, protected)
    proposals = KINDS[kind](pieces, style, rng)
    return edits.apply(pieces, proposals, strength, rng)
