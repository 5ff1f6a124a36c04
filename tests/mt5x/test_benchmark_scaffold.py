"""Measurements beside one another: turns, ratios, the table and the JSON."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mt5x.benchmarks import machine, side_by_side
from mt5x.benchmarks.measurement import OURS, Measurement, document, ratios, table
from mt5x.errors import UserError

times = st.lists(st.floats(1e-3, 1e3), min_size=5, max_size=5)


def test_variants_take_turns_after_the_warmups() -> None:
    done: list[str] = []
    variants = {name: (lambda name=name: done.append(name)) for name in "ab"}
    taken = side_by_side.seconds(variants, repeats=3, warmups=2)
    assert done == ["a", "b"] * 5
    assert [len(taken[name]) for name in "ab"] == [3, 3]


def test_at_least_one_repeat() -> None:
    with pytest.raises(UserError, match="at least one repeat"):
        side_by_side.seconds({"a": lambda: None}, repeats=0)


@given(times, st.floats(0.1, 10))
def test_the_ratio_is_that_of_runs_beside_one_another(seconds, factor) -> None:
    slower = [factor * one for one in seconds]
    assert side_by_side.ratio(slower, seconds) == pytest.approx(factor)
    assert side_by_side.ratio([*slower, slower[0]], seconds) > 0


def rows() -> list[Measurement]:
    return [
        Measurement("work", OURS, [1.0, 2.0, 9.0], {"tokens/s": 1234.5}),
        Measurement("work", "textbook", [4.0, 8.0, 9.0], {"MFU %": 3.21}),
        Measurement("other", "textbook", [1.0]),
    ]


def test_the_table_has_a_line_a_measurement() -> None:
    header, ours, textbook, other = table(rows()).splitlines()
    assert header.split("  ")[-1] == "MFU %"
    assert ours.split() == ["work", "mt5x", "2", "1,234"]
    assert textbook.split() == ["textbook", "8", "4.00", "x", "3.21"]
    assert other.split() == ["other", "textbook", "1"]
    assert len({len(line) for line in (header, textbook)}) == 1


def test_the_document_is_json_with_the_machine() -> None:
    found = json.loads(json.dumps(document("step", rows(), machine.describe())))
    assert found["section"] == "step"
    assert [row["mt5x_times_as_fast"] for row in found["rows"]] == ratios(rows()) == [None, 4, None]
    assert [row["median_seconds"] for row in found["rows"]] == [2, 8, 1]
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["load"]
    assert all(itertools.chain(found["machine"]["versions"].values()))
