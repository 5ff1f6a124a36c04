"""XTREME's averages in the report: complete ones by hand, and what is missing by name."""

import csv
import functools

import pytest

from analysis.report import build_report, tables
from analysis.report.findings import find
from analysis.transfer import transfers
from analysis.xtreme import averages
from mt5x.studies.results import write_rows
from tasks import languages
from tests.analysis.test_transfer import row

XNLI = [
    row("en", code, float(number), task="xnli", metric="accuracy")
    for number, code in enumerate(languages.XNLI)
]
PAWSX = [
    row("en", code, 50.0 + seed, seed, task="pawsx", metric="accuracy")
    for code in languages.PAWSX
    for seed in (0, 1)
]
TYDIQA = [
    row("en", code, value, task="tydiqa", metric=metric, split="validation")
    for code in languages.TYDIQA
    for metric, value in (("em", 40.0), ("f1", 70.0))
]


def found(rows):
    return {(one.benchmark, one.source, one.of): one for one in averages(transfers(rows))}


def test_averages_by_hand():
    by_name = found([*XNLI, *PAWSX, *TYDIQA])
    assert by_name["XTREME", "en", "xnli"].score == pytest.approx(7.0)
    assert by_name["XTREME", "en", "pawsx"].score == pytest.approx(50.5)
    assert by_name["XTREME", "en", "tydiqa"].score == pytest.approx(55.0)
    assert by_name["XTREME", "en", "tydiqa"].split == "validation"
    assert by_name["XTREME", "en", "classification tasks"].score == pytest.approx(28.75)
    assert by_name["XTREME", "en", "classification tasks"].missing == ()


def test_what_is_missing_has_no_score_and_a_name():
    by_name = found([*XNLI[:-1], *PAWSX, *TYDIQA])
    assert by_name["XTREME", "en", "xnli"].score is None
    assert by_name["XTREME", "en", "xnli"].missing == languages.XNLI[-1:]
    assert by_name["XTREME", "en", "panx"].missing == ("all languages",)
    assert by_name["XTREME", "en", "panx"].split is None
    assert by_name["XTREME", "en", "classification tasks"].score is None
    assert by_name["XTREME", "en", "classification tasks"].missing == ("xnli",)
    assert by_name["XTREME", "en", "qa tasks"].missing == ("xquad", "mlqa")
    whole = by_name["XTREME-R", "en", "all tasks"]
    assert whole.score is None
    assert {"lareqa", "mewslix", "xcopa"} <= set(whole.missing)
    assert "pawsx" not in whole.missing


def test_a_metric_too_few_is_a_language_too_few():
    by_name = found([*XNLI, *(one for one in TYDIQA if (one.target, one.metric) != ("sw", "em"))])
    assert by_name["XTREME", "en", "tydiqa"].missing == ("sw",)


def test_sources_of_which_no_task_is_complete_are_left_out():
    others = [row("de", one.target, one.value, task="xnli", metric="accuracy") for one in XNLI[1:]]
    assert {source for _, source, _ in found([*XNLI, *others])} == {"en"}
    assert found(XNLI[1:]) == {}
    assert found([row("en", "de", 1.0, task="my_reviews", metric="accuracy")]) == {}


def test_the_report_shows_them_where_there_are_any(tmp_path, monkeypatch):
    quick = functools.partial(find, permutations=20, resamples=20)
    monkeypatch.setattr("analysis.report.build.find", quick)
    write_rows(tmp_path / "all.jsonl", [*XNLI, *PAWSX])
    page = build_report(tmp_path / "all.jsonl", tmp_path / "all").read_text("utf-8")
    assert "XTREME, English: classification tasks" in page
    assert "xtreme" not in [table.name for table in tables.every(quick(XNLI[1:]))]
    with (tmp_path / "all" / "tables" / "xtreme.csv").open(encoding="utf-8", newline="") as file:
        lines = {(one["benchmark"], one["average_of"]): one for one in csv.DictReader(file)}
    assert float(lines["XTREME", "classification tasks"]["score"]) == pytest.approx(28.75)
    assert lines["XTREME", "all tasks"]["score"] == ""
    assert "panx" in lines["XTREME", "all tasks"]["missing"].split()
