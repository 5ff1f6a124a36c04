"""A JSON value knows its line, however the document is written and wherever it stands."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import DataError
from tasks.importers import json_nodes
from tasks.importers.json_nodes import Node

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just('"]},{\n\\')
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=15,
)


MARK = "the value whose line is asked for"


def marked(value: Any, choose: Callable[[int], int]) -> tuple[Any, list[str | int]]:
    """The value with one part of it, chosen at every level, replaced by MARK; and the way there."""
    names: list[Any] = list(value) if isinstance(value, dict) else []
    names = list(range(len(value))) if isinstance(value, list) else names
    number = choose(len(names))
    if number == len(names):
        return MARK, []
    inside, steps = marked(value[names[number]], choose)
    pairs = [(name, inside if name == names[number] else value[name]) for name in names]
    whole = dict(pairs) if isinstance(value, dict) else [part for _, part in pairs]
    return whole, [names[number], *steps]


@settings(max_examples=100)
@given(DOCUMENTS, st.data(), st.sampled_from([None, 0, 1]), st.booleans())
def test_the_line_is_where_the_value_begins(
    value: Any, data: st.DataObject, indent: int | None, escape: bool
) -> None:
    value, steps = marked({"x": value}, lambda count: data.draw(st.integers(0, count)))
    content = json.dumps(value, indent=indent, ensure_ascii=escape)
    node = Node(json.loads(content), Path("x.json"), 1, content)
    for step in steps:
        node = node.at(step)
    assert node.value == MARK
    assert node.line == content[: content.index(MARK)].count("\n") + 1


def test_lines_of_elements_in_a_document_spread_over_lines() -> None:
    content = '{\n "a": [1,\n  {"b": "]"},\n\n  {"b": [\n"x",\n"y"]}],\n "a2": 0\n}'
    node = Node(json.loads(content), Path("x.json"), 1, content)
    elements = list(node.elements("a"))
    assert [element.line for element in elements] == [2, 3, 5]
    assert [inner.line for inner in elements[2].elements("b")] == [6, 7]
    assert node.member("a2").line == 8


def test_of_equal_keys_the_last_counts_and_is_named() -> None:
    content = '{"a": 1,\n"a": 2,\n"b": 3}'
    node = Node(json.loads(content), Path("x.json"), 1, content)
    assert (node.member("a").value, node.member("a").line) == (2, 2)


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda node: node.get("text", int), "'text' must be a whole number, found \"a\""),
        (lambda node: node.get("flag", int), "'flag' must be a whole number, found true"),
        (lambda node: node.get("part", int), "'part' must be a whole number, found 0.5"),
        (lambda node: node.get("text", list), "'text' must be a list"),
        (lambda node: node.get("none", str), "'none' must be a string, found null"),
        (lambda node: node.filled("blank"), "'blank' is empty"),
        (lambda node: node.one_of("text", ("b", "c")), "unknown text 'a', expected one of b c"),
        (lambda node: node.texts("list"), "'list[1]' must be a string, found 2"),
        (lambda node: node.member("text").member("x"), "'x' is missing"),
        (lambda node: node.called("row 7").get("x", int), "line 1: row 7: 'x' is missing"),
    ],
)
def test_what_is_not_as_it_must_be_is_said(ask, reason: str) -> None:
    value = {
        "text": "a",
        "flag": True,
        "part": 0.5,
        "none": None,
        "blank": "\u2003",
        "list": ["a", 2],
    }
    with pytest.raises(DataError) as error:
        ask(Node(value, Path("x.json"), 1, json.dumps(value)))
    assert str(error.value).startswith("x.json, line 1: ")
    assert reason in str(error.value)


def test_whole_numbers_are_numbers() -> None:
    node = Node({"a": 1, "b": 0.5}, Path("x.json"), 1)
    assert (node.get("a", float), node.get("b", float)) == (1, 0.5)


def test_lines_of_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": "\u2028"}\n{"a": 2}\n', "utf-8")
    assert [(node.line, node.value) for node in json_nodes.json_lines(path)] == [
        (1, {"a": "\u2028"}),
        (2, {"a": 2}),
    ]
