"""A result table with a row that cannot be is refused by its line."""

import dataclasses
import json

import pytest

from mt5x.errors import UserError
from mt5x.studies.results import ResultRow, read_rows

ROW = ResultRow("s", "finetune", 0, "panx", "en", "ar", "test", "span_f1", 12.5, 10, 3)


def table(tmp_path, *rows: dict, name: str = "rows.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def row(**changes) -> dict:
    return {**dataclasses.asdict(ROW), **changes}


def without(name: str) -> dict:
    return {key: value for key, value in row().items() if key != name}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(value=100.5), "span_f1 is 100.5, and a score is in percent"),
        (row(value=-3), "a score is in percent, from 0 to 100"),
        (row(value=float("nan")), "span_f1 is nan, which is no number"),
        (row(value=float("inf")), "no number"),
        (row(value=True), "span_f1 is True, which is no number"),
        (row(value="12"), "no number"),
        (row(metric="lm_nll", value=-0.1), "cannot be below 0 nats"),
        (row(seed=1.5), "seed must be a whole number"),
        (row(num_examples=-1), "num_examples must be a whole number"),
        (row(task=""), "task must be a text"),
        (row(intermediate=""), "intermediate must be a text or null"),
        (row(shots=-1), "shots must be a whole number"),
        (row(strength=0.5), "strength must be a whole number"),
        (row(source=""), "source must be a language or null"),
        (row(sedd=3), "unknown field 'sedd'; did you mean seed"),
        (without("metric"), "it lacks metric"),
        ([1, 2], "expected a JSON object"),
    ],
)
def test_a_row_that_cannot_be_is_named_by_its_line(tmp_path, bad, reason):
    path = table(tmp_path, row(target="sw"), bad)
    with pytest.raises(UserError, match=r"rows\.jsonl, line 2: ") as raised:
        read_rows(path)
    assert reason in str(raised.value)


def test_what_can_be_is_read(tmp_path):
    rows = [
        row(),
        row(metric="lm_nll", value=250.0),
        row(source=None, value=0),
        row(target="sw", value=100),
        without("selection"),
    ]
    rows[-1] |= {"seed": 1}
    assert len(read_rows(table(tmp_path, *rows))) == 5


@pytest.mark.parametrize(("value", "told"), [(12.5, "again"), (13.0, "as 12.5 and as 13.0")])
def test_a_score_told_twice_is_refused_with_both_places(tmp_path, value, told):
    one = table(tmp_path, row(), name="one.jsonl")
    other = table(tmp_path, row(target="sw"), row(value=value), name="other.jsonl")
    with pytest.raises(UserError, match=r"other\.jsonl, line 2: .* is told " + told) as raised:
        read_rows(one, other)
    assert str(raised.value).endswith(f"{one}, line 1")


def test_fractions_beside_percent_are_refused(tmp_path):
    fractions = [row(study="t", target=target, value=0.4) for target in ("ar", "sw")]
    with pytest.raises(UserError, match=r"the study t gives panx span_f1 as fractions"):
        read_rows(table(tmp_path, row(), *fractions))
    low = [row(study="t", target="ar", value=0.4), row(study="t", target="sw", value=7.0)]
    assert len(read_rows(table(tmp_path, row(), *low))) == 3
