"""Quora Question Pairs, as GLUE has them, and in the partition of Wang et al. (2017).

GLUE's `QQP/{train,dev,test}.tsv` have a header; its test set has no labels. The partition's
`qqp/{train,dev,test}.tsv` have none, and the columns label, question1, question2, id. Both become
glue/qqp. `idx` is the row's number in GLUE, counted from 0 as TFDS counts, and the id in the
partition.

Both are known to be damaged, and the damaged rows are left out: GLUE's training file has pairs
that a line end within a question breaks in two, and pairs with a blank question (TFDS keeps these
few); the partition was once read as another encoding than UTF-8 and has characters that lost their
last bytes.
"""

import functools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.importers import checked
from tasks.importers.base import Importer, Match, Plan, Reading

GLUE_QQP = "glue/qqp:2.0.0"

_LABELS = ("0", "1")
_PARTITION = ("label", "question1", "question2", "id")
# The beginning of a character of three or four bytes, or of one right behind another: a text in
# Latin-1, in which single bytes stand for letters between ASCII's, has neither.
_CUT_CHARACTER = re.compile(rb"[\xe0-\xf4][\x80-\xbf]|(?<=[\x80-\xbf])[\xe0-\xf4]")

CUT = "a character of UTF-8 has lost its last bytes"


def rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the rows of a file in either form, which its first line tells."""
    with path.open("rb") as file:
        is_glue = file.readline().startswith(b"id\t")
    return glue_rows(path, reading) if is_glue else partition_rows(path, reading)


def glue_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the rows of GLUE's files; without a label, label -1."""
    labelled = "is_duplicate" in checked.first_line(path).split("\t")
    columns = ("id", "question1", "question2", *(["is_duplicate"] if labelled else []))
    unique = checked.Unique()
    for number, row in checked.table(path, columns, reading, damaged=reading):
        label = -1
        if labelled:
            label = int(checked.one_of(path, number, "label", row["is_duplicate"], _LABELS))
        unique.add(path, number, row["id"])
        yield {
            "question1": row["question1"],
            "question2": row["question2"],
            "label": label,
            "idx": number - 2,
        }


def partition_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the rows of the partition's files, but for those with a cut character."""
    unique = checked.Unique()
    damage = checked.Damage(path, reading)
    number = 0
    for number, raw in checked.raw_lines(path, reading):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            if not _CUT_CHARACTER.match(raw, error.start):
                checked.fail(path, number, checked.not_utf8(error))
            damage.found(number, CUT)
            continue
        fields = line.split("\t")
        if len(fields) != len(_PARTITION):
            checked.fail(path, number, f"expected {len(_PARTITION)} columns, found {len(fields)}")
        row = dict(zip(_PARTITION, fields, strict=True))
        for column in ("question1", "question2"):
            if not row[column].strip():
                checked.fail(path, number, f"the column '{column}' is empty")
        label = checked.one_of(path, number, "label", row["label"], _LABELS)
        if not row["id"].isascii() or not row["id"].isdigit():
            checked.fail(path, number, f"the id must be a number, found '{row['id']}'")
        unique.add(path, number, row["id"])
        yield {
            "question1": row["question1"],
            "question2": row["question2"],
            "label": int(label),
            "idx": int(row["id"]),
        }
    damage.end(number)


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    for match in matches:
        plan.add(GLUE_QQP, match.split, [match.path], functools.partial(rows, match.path))
    plan.note_missing(GLUE_QQP, ("train", "validation"), plan.datasets[GLUE_QQP])


IMPORTER = Importer(
    name="QQP",
    patterns=(r"(?i:qqp|quora_question_pair_partition)/(?P<split>train|dev|test)\.tsv",),
    layout=(
        "QQP/{train,dev,test}.tsv  Quora Question Pairs, as GLUE has them",
        "qqp/{train,dev,test}.tsv  no header: label, two questions, id",
    ),
    plan=_plan,
)
