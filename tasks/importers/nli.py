"""English natural language inference: MultiNLI, SNLI and ANLI, as distributed, and MNLI in GLUE.

multi_nli is read from `multinli_1.0_{train,dev_matched,dev_mismatched}` (.jsonl or .txt), from
GLUE's `MNLI/train.tsv`, or from files with the columns premise, hypothesis and label:
`mnli/validation_matched.tsv` (with a column `index`) and `xnli/train-en.tsv`. XNLI-MT's
`multinli.train.en.tsv` holds MultiNLI's training rows tokenised, and is read where no other is.
snli comes from `snli_1.0_*`, anli from `anli_v0.1/R1/dev.jsonl` or `anli/r1-dev.jsonl`.

Rows whose annotators did not agree have the label '-'. As in TFDS's data sets, MultiNLI's are left
out, and SNLI's have no label. A sentence may be blank in few rows of the distributions, which are
left out.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.importers import checked
from tasks.importers.base import Importer, Match, Plan, Reading, Rows, prefer
from tasks.importers.json_nodes import json_lines
from tasks.tfds_schemas import ANLI_LABELS, NLI_LABELS

MULTI_NLI, SNLI, ANLI = "multi_nli:1.1.0", "snli:1.1.0", "anli/r{}:0.1.0"

COLUMNS = ("premise", "hypothesis", "label")
# What the distributions call these columns, and those of single annotators, at the end of a row.
ALSO = {
    "sentence1": "premise",
    "sentence2": "hypothesis",
    "hypo": "hypothesis",
    "gold_label": "label",
}
_ANNOTATORS = ("label1", "label2", "label3", "label4", "label5")
# XNLI-MT and XTREME write 'contradictory'.
LABEL_NAMES = {**{name: name for name in NLI_LABELS}, "contradictory": "contradiction"}

NO_AGREEMENT = "the annotators did not agree on a label"

_MNLI_SPLITS = {
    "train": "train",
    "dev_matched": "validation_matched",
    "dev_mismatched": "validation_mismatched",
    "validation_matched": "validation_matched",
    "validation_mismatched": "validation_mismatched",
}


def plain_rows(path: Path, reading: Reading) -> Iterator[dict[str, str]]:
    """Yields the rows of a file with the columns premise, hypothesis and label."""
    for number, row in checked.table(path, COLUMNS, reading, also=ALSO):
        checked.one_of(path, number, "label", row["label"], tuple(LABEL_NAMES))
        yield {**row, "label": LABEL_NAMES[row["label"]]}


def indexed_rows(path: Path, reading: Reading) -> Iterator[dict[str, str]]:
    """Yields the rows of an MNLI file, GLUE's or ours, whose `index` holds no value twice."""
    unique = checked.Unique()
    columns = ("index", *COLUMNS)
    for number, row in checked.table(path, columns, reading, also=ALSO, damaged=reading):
        checked.one_of(path, number, "label", row["label"], NLI_LABELS)
        unique.add(path, number, row.pop("index"))
        yield row


def distributed_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the rows of MultiNLI's or SNLI's .jsonl or .txt; without a label, label -1."""
    labels = (*NLI_LABELS, "-")
    if path.suffix == ".txt":
        for number, row in checked.table(
            path, COLUMNS, reading, also=ALSO, optional=_ANNOTATORS, damaged=reading
        ):
            label = checked.one_of(path, number, "gold_label", row["label"], labels)
            yield {**row, "label": -1 if label == "-" else label}
        return
    damage = checked.Damage(path, reading)
    for node in json_lines(path, reading):
        label = node.one_of("gold_label", labels)
        premise, hypothesis = node.get("sentence1", str), node.get("sentence2", str)
        if not premise.strip() or not hypothesis.strip():
            damage.found(node.line, "a sentence is empty")
            continue
        yield {
            "premise": premise,
            "hypothesis": hypothesis,
            "label": -1 if label == "-" else label,
        }
    damage.end(node.line)


def agreed_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the rows of `distributed_rows` that have a label."""
    for row in distributed_rows(path, reading):
        if row["label"] == -1:
            reading.leave_out(path, NO_AGREEMENT)
        else:
            yield row


def anli_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the rows of an ANLI file, whose labels are e, n and c."""
    unique = checked.Unique()
    for node in json_lines(path, reading):
        unique.add(path, node.line, node.filled("uid"))
        yield {
            "uid": node.filled("uid"),
            "context": node.filled("context"),
            "hypothesis": node.filled("hypothesis"),
            "label": node.one_of("label", ANLI_LABELS),
        }


# Which of IMPORTER's patterns a file matches.
_MULTINLI, _MULTINLI_TXT, _MNLI, _MNLI_TEST, _TRAIN_EN, _XNLI_MT, _SNLI, _SNLI_TXT = range(8)


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    forms: dict[int, list[Match]] = {}
    for match in prefer(matches, plan, lambda match: match.path.stem):
        forms.setdefault(match.pattern, []).append(match)

    def add(name: str, split: str, match: Match, rows: Callable[[Path, Reading], Rows]) -> None:
        plan.add(name, split, [match.path], functools.partial(rows, match.path))

    for pattern in (_MULTINLI, _MULTINLI_TXT):
        for match in forms.pop(pattern, []):
            add(MULTI_NLI, _MNLI_SPLITS[match["part"]], match, agreed_rows)
    for match in forms.pop(_MNLI, []):
        add(MULTI_NLI, _MNLI_SPLITS[match["part"]], match, indexed_rows)
    for match in forms.pop(_MNLI_TEST, []):
        plan.leave_out(match.path, "GLUE gives no labels of MNLI's test sets")
    for match in forms.pop(_TRAIN_EN, []):
        add(MULTI_NLI, "train", match, plain_rows)
    for match in forms.pop(_XNLI_MT, []):
        if "train" in plan.datasets.get(MULTI_NLI, {}):
            plan.leave_out(match.path, "MultiNLI's own training rows are read instead")
        else:
            add(MULTI_NLI, "train", match, plain_rows)
    for pattern in (_SNLI, _SNLI_TXT):
        for match in forms.pop(pattern, []):
            add(SNLI, match.split, match, distributed_rows)
    for match in (match for rounds in forms.values() for match in rounds):
        add(ANLI.format(match["round"]), match.split, match, anli_rows)
    if MULTI_NLI in plan.datasets:
        plan.note_missing(MULTI_NLI, ("train",), plan.datasets[MULTI_NLI])


IMPORTER = Importer(
    name="MultiNLI, SNLI and ANLI",
    patterns=(
        r"multinli_1\.0_(?P<part>train|dev_matched|dev_mismatched)\.jsonl",
        r"multinli_1\.0_(?P<part>train|dev_matched|dev_mismatched)\.txt",
        r"(?i:mnli)/(?P<part>train|(?:dev|validation)_(?:mis)?matched)\b[^/]*\.tsv",
        r"(?i:mnli)/test_(?:mis)?matched\.tsv",
        r"xnli/train-en\.tsv",
        r"multinli\.train\.en\.tsv",
        r"snli_1\.0_(?P<split>train|dev|test)\.jsonl",
        r"snli_1\.0_(?P<split>train|dev|test)\.txt",
        r"R(?P<round>[123])/(?P<split>train|dev|test)\.jsonl",
        r"anli/r(?P<round>[123])-(?P<split>train|dev|test)\.jsonl",
    ),
    layout=(
        "multinli_1.0_{train,dev_matched,dev_mismatched}.{jsonl,txt}  MultiNLI",
        "MNLI/{train,dev_matched,dev_mismatched}.tsv  MultiNLI as GLUE has it",
        "mnli/validation_{matched,mismatched}*.tsv  index, premise, hypothesis, label",
        "xnli/train-en.tsv  MultiNLI's premise, hypothesis, label",
        "snli_1.0_{train,dev,test}.{jsonl,txt}  SNLI",
        "anli_v1.0/R{1,2,3}/{train,dev,test}.jsonl  ANLI",
        "anli/r{1,2,3}-{train,dev,test}.jsonl  the same",
    ),
    plan=_plan,
)
