"""Universal parts of speech: CoNLL-U treebanks, or XTREME's two columns.

All treebanks of a language become one data set, xtreme_pos/xtreme_pos_{language}, in the order of
their paths. The language is the code that a file's name begins with (`sw_x-ud-test.conllu`), as in
XTREME's script; TFDS goes by the folders' names, and so counts Old French as French.

As in TFDS's xtreme_pos, a token is kept that has both a form and a part of speech: the ranges of
multiword tokens (`1-2`) have no part of speech and are passed over, empty nodes (`1.1`) are kept
where they have both. Sentences without any such token, as in treebanks that are distributed
without their text, are left out and counted. TFDS's configs for Tagalog and Tamil are swapped;
`tasks.tfds_schemas.XTREME_POS_CODES` says where a language is stored.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.importers import checked, tagging
from tasks.importers.base import (
    Importer,
    Match,
    Plan,
    Reader,
    Reading,
    Rows,
)
from tasks.tfds_schemas import SCHEMAS, UPOS_TAGS, XTREME_POS_CODES

NO_TEXT = "a sentence without words, in a treebank that is distributed without its text"

_NONE = "_"
_COLUMNS = 10
_ID, _FORM, _UPOS = 0, 1, 3
_ID_FORM = re.compile(r"(?P<word>[1-9]\d*)|(?P<first>[1-9]\d*)-(?P<last>[1-9]\d*)|\d+\.[1-9]\d*")


def conllu_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the sentences of a CoNLL-U file.

    Raises:
      DataError: a line of other than ten columns, ids of words that do not count up from 1, a part
        of speech that is not one of the seventeen, an empty form.
    """
    for sentence in tagging.sentences(path, reading, comments=True):
        words = 0
        for number, fields in sentence:
            if len(fields) != _COLUMNS:
                checked.fail(path, number, f"expected 10 columns, found {len(fields)}")
            words = _next_id(path, number, fields[_ID], words)
            checked.one_of(path, number, "part of speech", fields[_UPOS], UPOS_TAGS)
            if not fields[_FORM].strip():
                checked.fail(path, number, "the form is empty; CoNLL-U writes '_' for none")
        yield from _row([(fields[_FORM], fields[_UPOS]) for _, fields in sentence], path, reading)


def _next_id(path: Path, number: int, identifier: str, words: int) -> int:
    """Returns how many words there are with this line; its id must be the next one, or lie next."""
    match = _ID_FORM.fullmatch(identifier)
    if not match:
        checked.fail(path, number, f"'{identifier}' is no id of CoNLL-U (1, 1-2 or 1.1)")
    if match["word"]:
        if int(match["word"]) != words + 1:
            checked.fail(path, number, f"the word's id is {identifier}, expected {words + 1}")
        return words + 1
    if match["first"] and not words + 1 == int(match["first"]) < int(match["last"]):
        checked.fail(
            path, number, f"the range {identifier} cannot stand before the word {words + 1}"
        )
    return words


def xtreme_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the sentences of a file of XTREME's form: token TAB part of speech.

    Raises:
      DataError: a line of other than two columns, or an unknown part of speech.
    """
    for sentence in tagging.sentences(path, reading):
        pairs = []
        for line in sentence:
            token, tag = tagging.columns(path, line, "a token, a tab and a part of speech", 2)
            pairs.append((token, checked.one_of(path, line[0], "part of speech", tag, UPOS_TAGS)))
        yield from _row(pairs, path, reading)


def _row(
    pairs: Sequence[tuple[str, str]], path: Path, reading: Reading
) -> Iterator[dict[str, Any]]:
    """Yields the row of a sentence of forms and their parts of speech, if it has one."""
    kept = [pair for pair in pairs if _NONE not in pair]
    if kept:
        yield {"tokens": [form for form, _ in kept], "upos": [upos for _, upos in kept]}
    else:
        reading.leave_out(path, NO_TEXT)


_ROWS: tuple[Callable[[Path, Reading], Iterator[dict[str, Any]]], ...] = (conllu_rows, xtreme_rows)


def dataset(language: str) -> str:
    """Returns TFDS's name of the data set that holds a language."""
    code = XTREME_POS_CODES.get(language, language)
    return f"xtreme_pos/xtreme_pos_{code}:{SCHEMAS['xtreme_pos'][0].version}"


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    splits = {
        config.removeprefix("xtreme_pos_"): schema.splits
        for schema in SCHEMAS["xtreme_pos"]
        for config in schema.configs
    }
    treebanks: dict[tuple[str, str], list[Match]] = {}
    for match in matches:
        language = match["language"]
        stored = splits.get(XTREME_POS_CODES.get(language, language), ())
        if match["split"] in stored:
            treebanks.setdefault((language, match["split"]), []).append(match)
        else:
            plan.leave_out(
                match.path,
                f"xtreme_pos has no '{match['split']}' split of '{language}'"
                if stored
                else f"xtreme_pos does not have the language '{language}'",
            )
    for (language, split), files in sorted(treebanks.items()):
        for form, read in enumerate(_ROWS):
            if paths := [match.path for match in files if match.pattern == form]:
                plan.add(dataset(language), split, paths, _joined(paths, read))


def _joined(paths: Sequence[Path], read: Callable[[Path, Reading], Rows]) -> Reader:
    return lambda reading: (row for path in paths for row in read(path, reading))


IMPORTER = Importer(
    name="UD-POS",
    patterns=(
        r"(?P<language>[a-z]+)_[a-z]+-ud-(?P<split>train|dev|test)(?:-[a-z0-9.-]+)?\.conllu",
        r"udpos/(?P<split>train|dev|test)-(?P<language>[a-z]+)\.tsv",
    ),
    layout=(
        "LANGUAGE_TREEBANK-ud-{train,dev,test}.conllu  Universal Dependencies, any version",
        "udpos/{train,dev,test}-LANGUAGE.tsv  token TAB part of speech, as XTREME has it",
    ),
    plan=_plan,
)
