"""PAWS-X: tab-separated files with the columns id, sentence1, sentence2 and label (0 or 1).

`x-final/ko/{translated_train,dev_2k,test_2k}.tsv`, as distributed (English has `train.tsv`), or
`paws_x/{train,dev,test}-ko.tsv` become the splits of paws_x_wiki/ko. XTREME's translations of the
training set, `pawsx/translate-train/en-ko-translated.tsv` (English pair, translated pair, label;
no header), become xtreme_pawsx/ko.

The distribution and XTREME's files have some rows that were wrongly populated, without a label.
They are left out, as in TFDS's data sets. Pairs with the sentence 'NS' are part of the test sets.
"""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks import languages
from tasks.importers import checked
from tasks.importers.base import Importer, Match, Plan, Reading, by_split_and_language

_COLUMNS = ("id", "sentence1", "sentence2", "label")
_TRANSLATED = ("english sentence1", "english sentence2", "sentence1", "sentence2", "label")
_LABELS = ("0", "1")

WIKI, XTREME = "paws_x_wiki/{}:1.0.0", "xtreme_pawsx/{}:1.0.0"


def rows(path: Path, reading: Reading, *, damaged: bool = False) -> Iterator[dict[str, Any]]:
    """Yields the rows of one file.

    Args:
      path: the file.
      reading: told of progress, and of the rows that are left out.
      damaged: whether a few rows may be wrongly populated, as in the distribution.

    Raises:
      DataError: a wrong number of columns, an empty field, another label, an id that comes twice.
    """
    unique = checked.Unique()
    damage = checked.Damage(path, reading if damaged else None)
    number = 1
    for number, row in checked.table(path, _COLUMNS, reading, damaged=reading if damaged else None):
        if row["label"] not in _LABELS:
            damage.found(number, f"unknown label '{row['label']}', expected one of 0 1")
            continue
        unique.add(path, number, row["id"])
        yield _row(row)
    damage.end(number - 1)


def translated_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the rows of one of XTREME's files."""
    damage = checked.Damage(path, reading)
    number = 0
    for number, line in checked.lines(path, reading):
        fields = line.split("\t")
        row = dict(zip(_TRANSLATED, fields, strict=False))
        if len(fields) != len(_TRANSLATED):
            damage.found(number, f"expected {len(_TRANSLATED)} columns, found {len(fields)}")
        elif row["label"] not in _LABELS:
            damage.found(number, f"unknown label '{row['label']}', expected one of 0 1")
        elif not row["sentence1"].strip() or not row["sentence2"].strip():
            damage.found(number, "the translation is blank")
        else:
            yield _row(row)
    damage.end(number)


def _row(row: dict[str, str]) -> dict[str, Any]:
    return {
        "sentence1": row["sentence1"],
        "sentence2": row["sentence2"],
        "label": int(row["label"]),
    }


# Which of IMPORTER's patterns a file matches.
_OURS, _TRAIN, _GOLD, _XTREME = range(4)


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    wiki = by_split_and_language(
        (match for match in matches if match.pattern != _XTREME), languages.PAWSX, "PAWS-X"
    )
    for split, by_language in wiki.items():
        for code, match in by_language.items():
            plan.add(
                WIKI.format(code),
                split,
                [match.path],
                functools.partial(rows, match.path, damaged=match.pattern != _OURS),
            )
    if wiki:
        plan.note_missing("paws_x_wiki", ("train", "validation", "test"), wiki)
    for by_language in by_split_and_language(
        (match for match in matches if match.pattern == _XTREME),
        [code for code in languages.PAWSX if code != "en"],
        "XTREME's PAWS-X",
    ).values():
        for code, match in by_language.items():
            plan.add(
                XTREME.format(code),
                "train",
                [match.path],
                functools.partial(translated_rows, match.path),
            )


IMPORTER = Importer(
    name="PAWS-X",
    patterns=(
        r"paws_x/(?P<split>train|dev|test)-(?P<language>[a-z-]+)\.tsv",
        r"x-final/(?P<language>[a-z-]+)/(?:translated_)?(?P<split>train)\.tsv",
        r"x-final/(?P<language>[a-z-]+)/(?P<split>dev|test)_2k\.tsv",
        r"(?i:paws[-_]?x)/translate-(?P<split>train)/en-(?P<language>[a-z-]+)-translated\.tsv",
    ),
    layout=(
        "x-final/LANGUAGE/{train,translated_train,dev_2k,test_2k}.tsv  PAWS-X",
        "paws_x/{train,dev,test}-LANGUAGE.tsv  id, sentence1, sentence2, label",
        "pawsx/translate-train/en-LANGUAGE-translated.tsv  its translations, by XTREME",
    ),
    plan=_plan,
)
