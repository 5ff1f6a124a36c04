"""Cosmos QA: a story, a question, and four answers, of which `label` counts the right one from 0.

`train.csv`, `valid.csv` and `test.jsonl` (without labels), as distributed, become cosmos_qa's
splits where they lie in a folder whose name begins with 'cosmos', or below it.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.importers import checked
from tasks.importers.base import Importer, Match, Plan, Reading
from tasks.importers.json_nodes import json_lines
from tasks.tfds_schemas import COSMOSQA_LABELS

COSMOS_QA = "cosmos_qa:1.0.0"
_TEXTS = ("context", "question", "answer0", "answer1", "answer2", "answer3")


def rows(path: Path, reading: Reading) -> Iterator[Mapping[str, Any]]:
    """Yields the rows of a CSV file, which has labels."""
    unique = checked.Unique()
    for number, row in checked.csv_table(path, ("id", *_TEXTS, "label"), reading):
        checked.one_of(path, number, "label", row["label"], COSMOSQA_LABELS)
        unique.add(path, number, row["id"])
        yield row


def unlabelled_rows(path: Path, reading: Reading) -> Iterator[Mapping[str, Any]]:
    """Yields the rows of the test set, label -1."""
    unique = checked.Unique()
    for node in json_lines(path, reading):
        unique.add(path, node.line, node.filled("id"))
        yield {**{name: node.filled(name) for name in ("id", *_TEXTS)}, "label": -1}


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    for match in matches:
        read = rows if match.path.suffix == ".csv" else unlabelled_rows
        plan.add(COSMOS_QA, match.split, [match.path], functools.partial(read, match.path))
    plan.note_missing(COSMOS_QA, ("train", "validation"), plan.datasets[COSMOS_QA])


IMPORTER = Importer(
    name="Cosmos QA",
    patterns=(
        r"(?i:cosmos)[^/]*/(?:.*/)?(?P<split>train|valid)\.csv",
        r"(?i:cosmos)[^/]*/(?:.*/)?(?P<split>test)\.jsonl",
    ),
    layout=("cosmosqa/data/{train.csv,valid.csv,test.jsonl}  Cosmos QA",),
    plan=_plan,
)
