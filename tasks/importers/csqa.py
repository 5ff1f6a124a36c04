"""CommonsenseQA 1.11: a question and five choices, A to E; `answerKey` names the right one.

`{train,dev}_rand_split.jsonl` and `test_rand_split_no_answers.jsonl`, as distributed (stem and
choices within `question`) or in the flat form (`question`, `choices` as two lists), become
commonsense_qa's splits. `ecqa_train.tsv` holds the training questions without ids and with the
options reordered; it is read where there is no other train file. Its few questions whose answer is
two of the options are left out. Version 1.0 (`v1.0_*`) has three choices and is not read.
"""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.importers import checked
from tasks.importers.base import Importer, Match, Plan, Reading
from tasks.importers.json_nodes import Node, json_lines
from tasks.tfds_schemas import CSQA_LABELS

COMMONSENSE_QA = "commonsense_qa:1.11.0"
TWICE = "the answer is two of the options"

_ECQA_COLUMNS = ("question and options", "answer", "explanation")
# Written so in the file: a backslash and an n.
_ECQA_LINE_END, _ECQA_HEAD, _ECQA_OPTION = "\\n", "Options:", "- "


def rows(path: Path, reading: Reading, *, labelled: bool = True) -> Iterator[dict[str, Any]]:
    """Yields the rows of a .jsonl file; where it is not `labelled`, answerKey ''."""
    unique = checked.Unique()
    for node in json_lines(path, reading):
        unique.add(path, node.line, node.filled("id"))
        nested = isinstance(node.member("question").value, dict)
        labels, texts = _nested_choices(node) if nested else _flat_choices(node)
        if len(labels) != len(texts) or tuple(labels) != CSQA_LABELS:
            node.fail(
                f"expected the choices {' '.join(CSQA_LABELS)}, found "
                f"{' '.join(labels)} with {len(texts)} texts"
            )
        holder = node.member("question") if nested else node
        yield {
            "id": node.filled("id"),
            "question": holder.filled("stem" if nested else "question"),
            "question_concept": holder.filled("question_concept"),
            "choices": {"label": labels, "text": texts},
            "answerKey": node.one_of("answerKey", CSQA_LABELS) if labelled else "",
        }


def _nested_choices(node: Node) -> tuple[list[str], list[str]]:
    choices = list(node.member("question").elements("choices"))
    return [c.filled("label") for c in choices], [c.filled("text") for c in choices]


def _flat_choices(node: Node) -> tuple[list[str], list[str]]:
    choices = node.member("choices")
    return choices.texts("label"), choices.texts("text")


def ecqa_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the rows of `ecqa_train.tsv`; an id is 'ecqa-' and the line."""
    damage = checked.Damage(path, reading)
    number = 0
    for number, row in checked.fields(path, _ECQA_COLUMNS, reading):
        question, *options = row["question and options"].split(_ECQA_LINE_END)
        if not question.strip() or options[:1] != [_ECQA_HEAD]:
            checked.fail(path, number, "expected a question, '\\nOptions:' and the options")
        texts = [option.removeprefix(_ECQA_OPTION) for option in options[1:]]
        if len(texts) != len(CSQA_LABELS) or not all(text.strip() for text in texts):
            checked.fail(path, number, f"expected {len(CSQA_LABELS)} options, found {len(texts)}")
        if row["answer"] not in texts:
            checked.fail(path, number, f"the answer '{row['answer']}' is not among the options")
        if texts.count(row["answer"]) > 1:
            damage.found(number, TWICE)
            continue
        yield {
            "id": f"ecqa-{number}",
            "question": question,
            "question_concept": "",
            "choices": {"label": list(CSQA_LABELS), "text": texts},
            "answerKey": CSQA_LABELS[texts.index(row["answer"])],
        }
    damage.end(number)


# Which of IMPORTER's patterns a file matches.
_OLD, _SPLIT, _TEST, _ECQA = range(4)


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    for match in sorted(matches, key=lambda match: match.pattern):
        if match.pattern == _OLD:
            plan.leave_out(match.path, "version 1.0 has three choices; version 1.11 is read")
        elif match.pattern != _ECQA:
            plan.add(
                COMMONSENSE_QA,
                match.split,
                [match.path],
                functools.partial(rows, match.path, labelled=match.pattern == _SPLIT),
            )
        elif "train" in plan.datasets.get(COMMONSENSE_QA, {}):
            plan.leave_out(match.path, "the training questions are read in their own order")
        else:
            plan.add(
                COMMONSENSE_QA,
                "train",
                [match.path],
                functools.partial(ecqa_rows, match.path),
            )
    have = plan.datasets.get(COMMONSENSE_QA, {})
    plan.note_missing(COMMONSENSE_QA, ("train", "validation"), have)


IMPORTER = Importer(
    name="CommonsenseQA",
    patterns=(
        r"v1\.0_(?:train|dev|test)_rand_split(?:_no_answers)?\.jsonl",
        r"(?P<split>train|dev)_rand_split\.jsonl",
        r"(?P<split>test)_rand_split_no_answers\.jsonl",
        r"ecqa_train\.tsv",
    ),
    layout=(
        "{train,dev}_rand_split.jsonl, test_rand_split_no_answers.jsonl  CommonsenseQA 1.11",
        "ecqa_train.tsv  its training questions, options reordered",
    ),
    plan=_plan,
)
