"""Sentences and terms of a text in any of the languages here, as far as finding one needs them."""

import re

from tasks.perturbations import graphemes, segments

# Full stops of every script here, with the quotes and brackets that close after them.
_STOP = re.compile(r"""[.!?।॥۔؟…]+["'”’»)\]]*(?=\s|$)|[。！？]+[”’」』）]*""")
_LAST_TOKEN = re.compile(r"\S*$")
# Thai and Lao end sentences with a space, and write spaces elsewhere, too.
_SPACED_SCRIPTS = frozenset(("THAI", "LAO"))
_SHORTEST_PART = 30


def split(text: str) -> list[str]:
    """Returns the sentences of a text, without white space around them.

    In Thai and Lao, which have no full stop, a sentence is what stands between spaces, joined to
    the next while it is shorter than thirty clusters.
    """
    if _mostly_spaced(text):
        return _between_spaces(text)
    ends = [match.end() for match in _STOP.finditer(text) if _ends(text, match)]
    starts = [0, *ends]
    parts = (text[a:b].strip() for a, b in zip(starts, [*ends, len(text)], strict=True))
    return [part for part in parts if part]


def _ends(text: str, stop: re.Match) -> bool:
    """Says whether a stop ends a sentence; after an initial and between digits it does not."""
    before = text[max(stop.start() - 50, 0) : stop.start()].rstrip()
    after = text[stop.end() : stop.end() + 10].lstrip()[:1]
    (last,) = _LAST_TOKEN.findall(before)[:1]
    initial = stop.group() == "." and len(last) == 1 and last.isalpha()
    number = last[-1:].isdigit() and after.isdigit()
    return not (after.islower() or initial or number)


def _mostly_spaced(text: str) -> bool:
    letters = [char for char in text if graphemes.is_letter(char)]
    return sum(graphemes.script(char) in _SPACED_SCRIPTS for char in letters) * 2 > len(letters)


def _between_spaces(text: str) -> list[str]:
    found: list[str] = []
    for part in text.split():
        if found and len(graphemes.split(found[-1])) < _SHORTEST_PART:
            found[-1] += " " + part
        else:
            found.append(part)
    return found


def terms(text: str) -> set[str]:
    """Returns what two texts can share: words in lower case.

    In scripts without spaces these are pairs of neighbouring clusters, wherever they begin.
    """
    pieces = segments.of(text.casefold())
    found = set()
    for before, word in zip([None, *pieces.words], pieces.words, strict=False):
        clusters = pieces.of(word)
        if graphemes.script(clusters[0]) not in segments.PIECES:
            found.add("".join(clusters))
            continue
        if before is not None and before.end == word.start:
            clusters = (pieces.clusters[word.start - 1], *clusters)
        found |= {"".join(clusters[i : i + 2]) for i in range(max(len(clusters) - 1, 1))}
    return found
