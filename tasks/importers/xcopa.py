"""XCOPA, and COPA for English: of two choices, the cause or the effect of a premise.

`val.sw.jsonl` and `test.sw.jsonl`, as distributed, become the splits of xcopa/sw;
`xcopa/{train,val}-en.jsonl` or SuperGLUE's `COPA/{train,val}.jsonl` those of xcopa/en. XCOPA's
files end their lines as Windows does, so these may. Rows need not be the same in all languages:
some translators chose other questions.
"""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks.importers.base import Importer, Match, Plan, Reading, by_split_and_language
from tasks.importers.json_nodes import json_lines
from tasks.tfds_schemas import SCHEMAS

_NAME = "xcopa/{}:1.0.0"
_QUESTIONS = ("cause", "effect")


def rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the rows of one file; COPA, which nobody translated, has no `changed`."""
    seen: dict[int, int] = {}
    for node in json_lines(path, reading, crlf=True):
        idx, label = node.get("idx", int), node.get("label", int)
        if idx in seen:
            node.fail(f"the idx {idx} was used before, in line {seen[idx]}")
        seen[idx] = node.line
        if label not in (0, 1):
            node.fail(f"the label {label} is neither 0 nor 1")
        yield {
            "premise": node.filled("premise"),
            "choice1": node.filled("choice1"),
            "choice2": node.filled("choice2"),
            "question": node.one_of("question", _QUESTIONS),
            "label": label,
            "idx": idx,
            "changed": int(node.get("changed", bool)) if node.has("changed") else 0,
        }


# Which of IMPORTER's patterns a file matches.
_TO_ENGLISH, _TRANSLATED, _ENGLISH, _SUPERGLUE, _SUPERGLUE_TEST = range(5)


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    by_form: dict[int, list[Match]] = {}
    for match in matches:
        by_form.setdefault(match.pattern, []).append(match)
    for match in by_form.get(_TO_ENGLISH, []):
        plan.leave_out(match.path, "XCOPA translated to English by machine")
    for match in by_form.get(_SUPERGLUE_TEST, []):
        plan.leave_out(match.path, "SuperGLUE gives no labels of COPA's test set")
    codes = [code for schema in SCHEMAS["xcopa"] for code in schema.configs]
    translated = by_split_and_language(by_form.get(_TRANSLATED, []), codes, "XCOPA")
    for split, by_language in translated.items():
        for code, match in by_language.items():
            _add(plan, code, split, match.path)
    for match in [*by_form.get(_ENGLISH, []), *by_form.get(_SUPERGLUE, [])]:
        _add(plan, "en", match.split, match.path)
    if translated:
        plan.note_missing("xcopa", ("validation", "test"), translated)


def _add(plan: Plan, code: str, split: str, path: Path) -> None:
    plan.add(_NAME.format(code), split, [path], functools.partial(rows, path))


IMPORTER = Importer(
    name="XCOPA and COPA",
    patterns=(
        r"data-gmt/(?:.*/)?(?:val|test)\.[a-z]+\.jsonl",
        r"(?P<split>val|test)\.(?P<language>[a-z]{2})\.jsonl",
        r"xcopa/(?P<split>train|val)-en\.jsonl",
        r"(?i:copa)/(?P<split>train|val)\.jsonl",
        r"(?i:copa)/test\.jsonl",
    ),
    layout=(
        "xcopa/data/LANGUAGE/{val,test}.LANGUAGE.jsonl  XCOPA",
        "COPA/{train,val}.jsonl, xcopa/{train,val}-en.jsonl  COPA in English",
    ),
    plan=_plan,
)
