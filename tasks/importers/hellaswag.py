"""HellaSwag: a context and four endings, of which `label` counts the right one from 0.

`hellaswag_{train,val,test}.jsonl`, as distributed (the test set has no labels), become hellaswag's
splits; so do `hellaswag/{train,validation,test}.jsonl`, in which activity and context stand in one
`query`, 'Roof shingle removal: A man is sitting on a roof. he'.
"""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.importers.base import Importer, Match, Plan, Reading
from tasks.importers.json_nodes import Node, json_lines

HELLASWAG = "hellaswag:1.1.0"
_NUM_ENDINGS = 4
_BETWEEN = ": "


def rows(path: Path, reading: Reading, *, labelled: bool = True) -> Iterator[dict[str, Any]]:
    """Yields the rows of one file; where it is not `labelled`, label -1."""
    for node in json_lines(path, reading):
        endings = node.texts("endings")
        if len(endings) != _NUM_ENDINGS:
            node.fail(f"expected {_NUM_ENDINGS} endings, found {len(endings)}")
        label = -1
        if labelled or node.has("label"):
            label = node.get("label", int)
            if label not in range(_NUM_ENDINGS):
                node.fail(f"the label {label} is none of 0 to {_NUM_ENDINGS - 1}")
        yield {
            **(_from_query(node) if node.has("query") else _as_distributed(node)),
            "endings": endings,
            "label": label,
        }


def _as_distributed(node: Node) -> dict[str, str]:
    return {
        "context": node.filled("ctx"),
        "activity_label": node.filled("activity_label"),
        "split_type": node.filled("split_type"),
        "source_id": node.filled("source_id"),
    }


def _from_query(node: Node) -> dict[str, str]:
    activity, between, context = node.filled("query").partition(_BETWEEN)
    if not (activity.strip() and between and context.strip()):
        node.fail("'query' must be an activity, a colon, a space and a context")
    return {"context": context, "activity_label": activity, "split_type": "", "source_id": ""}


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    for match in matches:
        plan.add(
            HELLASWAG,
            match.split,
            [match.path],
            functools.partial(rows, match.path, labelled=match.split != "test"),
        )
    plan.note_missing(HELLASWAG, ("train", "validation"), plan.datasets[HELLASWAG])


IMPORTER = Importer(
    name="HellaSwag",
    patterns=(
        r"hellaswag_(?P<split>train|val|test)\.jsonl",
        r"hellaswag/(?P<split>train|validation|test)\.jsonl",
    ),
    layout=(
        "hellaswag_{train,val,test}.jsonl  HellaSwag",
        "hellaswag/{train,validation,test}.jsonl  the same, with query, endings, label",
    ),
    plan=_plan,
)
