"""AdvGLUE's dev set: one JSON file with a list of examples for each of six tasks of GLUE.

`advglue/dev.json` becomes advglue/{sst2,qqp,mnli,mnli_mismatched,qnli,rte}; the labels are GLUE's
numbers. Tasks of which the file has none are missing.
"""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.importers import json_nodes
from tasks.importers.base import Importer, Match, Plan, Reading, unique_by

_NAME = "advglue/{}:1.0.0"

# Config to the file's name of it, the names of its two texts, and how many labels it has.
_TASKS: dict[str, tuple[str, tuple[str, ...], int]] = {
    "sst2": ("sst2", ("sentence",), 2),
    "qqp": ("qqp", ("question1", "question2"), 2),
    "mnli": ("mnli", ("premise", "hypothesis"), 3),
    "mnli_mismatched": ("mnli-mm", ("premise", "hypothesis"), 3),
    "qnli": ("qnli", ("question", "sentence"), 2),
    "rte": ("rte", ("sentence1", "sentence2"), 2),
}


def rows(path: Path, config: str, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the examples of one task."""
    name, texts, num_labels = _TASKS[config]
    seen: set[int] = set()
    for example in json_nodes.document(path, reading).elements(name):
        idx, label = example.get("idx", int), example.get("label", int)
        example = example.called(f"{name} {idx}")
        if idx in seen:
            example.fail(f"the idx {idx} was used before")
        seen.add(idx)
        if label not in range(num_labels):
            example.member("label").fail(f"the label {label} is none of 0 to {num_labels - 1}")
        filled = [example.filled(text) for text in texts]
        yield {"idx": idx, "text1": filled[0], "text2": "".join(filled[1:]), "label": label}


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    (match,) = unique_by(matches, lambda match: "", "AdvGLUE's dev set").values()
    document = json_nodes.document(match.path)
    absent = []
    for config, (name, _, _) in _TASKS.items():
        if document.has(name):
            plan.add(
                _NAME.format(config),
                "validation",
                [match.path],
                functools.partial(rows, match.path, config),
            )
        else:
            absent.append(name)
    if absent:
        plan.missing.append(f"advglue: {match.path.name} has no {' '.join(absent)}")


IMPORTER = Importer(
    name="AdvGLUE",
    patterns=(r"(?i:advglue)[^/]*/(?:.*/)?dev(?:_ann)?\.json",),
    layout=("advglue/dev.json  AdvGLUE's dev set",),
    plan=_plan,
)
