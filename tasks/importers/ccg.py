r"""CCG supertags: a user's own CCGbank, one token and its category a line, a blank line between.

CCGbank (Hockenmaier and Steedman 2007) is licensed by the LDC and must be converted by its owner.
`ccg/train.conll`, `dev.conll` and `test.conll` become the splits of ccgbank (sections 02-21, 00
and 23 in the literature). Each line is `token TAB category`, or `token TAB part of speech TAB
category` as the C&C tools print it.

A category is written as in CCGbank: an atom (N, NP, S, PP, PR, conj, brackets, quotes, marks) that
may have features (`S[dcl]`), or two categories with a slash between, where a complex one has
parentheses: `(S[dcl]\NP)/NP`. There are none around the whole.
"""

import functools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.importers import checked, tagging
from tasks.importers.base import Importer, Match, Plan, Reading, unique_by
from tasks.tfds_schemas import SCHEMAS

ATOMS = ("S", "N", "NP", "PP", "PR", "conj", "LRB", "RRB", "LQU", "RQU", ".", ",", ":", ";")

_ATOM = re.compile(r"([A-Za-z]+|[.,:;])((?:\[[A-Za-z]+\])*)")
_PAIR = re.compile(r"\(@[/\\]@\)")
_WHOLE = re.compile(r"@([/\\]@)?")


def flaw(category: str) -> str | None:
    """Returns what is wrong with a category, or None where it is well-formed."""
    if category.count("(") != category.count(")"):
        return "its parentheses are not balanced"
    for atom in _ATOM.finditer(category):
        if atom[1] not in ATOMS:
            return f"'{atom[1]}' is no atomic category; they are {' '.join(ATOMS)}"
    # Atoms become '@', and then pairs of categories from the inside out.
    shape = _ATOM.sub("@", category) if "@" not in category else ""
    folded = ""
    while shape != folded:
        shape, folded = _PAIR.sub("@", shape), shape
    if _WHOLE.fullmatch(shape):
        outer = category.startswith("(") and shape == "@"
        return "write it without the outer parentheses" if outer else None
    return r"expected an atom, or two categories with / or \ between and the inner in parentheses"


def rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields a row per sentence.

    Raises:
      DataError: a line of other than two or three columns, or of other than the lines before; a
        category that is not well-formed.
    """
    width: tuple[int, ...] = (2, 3)
    for sentence in tagging.sentences(path, reading):
        tokens, tags = [], []
        for number, fields in sentence:
            expected = "a token, a tab and its category (a part of speech may stand between)"
            token, *_, tag = tagging.columns(path, (number, fields), expected, *width)
            width = (len(fields),)
            if reason := flaw(tag):
                checked.fail(path, number, f"the category '{tag}' is not well-formed: {reason}")
            tokens.append(token)
            tags.append(tag)
        yield {"tokens": tokens, "tags": tags}


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    (schema,) = SCHEMAS["ccgbank"]
    name = f"ccgbank:{schema.version}"
    by_split = unique_by(matches, lambda match: match.split, f"one split of {name}")
    for split, match in by_split.items():
        plan.add(name, split, [match.path], functools.partial(rows, match.path))
    plan.note_missing(name, schema.splits, by_split)


IMPORTER = Importer(
    name="CCGbank",
    patterns=(r"ccg/(?P<split>train|dev|test)\.conll",),
    layout=("ccg/{train,dev,test}.conll  token TAB supertag; your own CCGbank",),
    plan=_plan,
)
