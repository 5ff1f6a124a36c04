"""What the page says of several features at once, of foretelling, and of all tests together."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from analysis.mixed_effects import MixedEffects
from analysis.multiplicity import METHODS, adjusted
from analysis.prediction import LANGUAGES, LEVELS, PAIRS, RIDGE, Prediction, Skill
from analysis.regularised import Regularised
from analysis.report import together, together_tables
from analysis.report.findings import Findings, find
from analysis.report.sections import foretelling
from mt5x.studies.results import ResultRow
from tests.analysis.made_up_results import rows

NOWHERE = Path("nothing is drawn")


@pytest.fixture(scope="module")
def findings() -> Findings:
    return find(rows(seeds=1), permutations=199, resamples=20)


def test_corrections_over_all_tasks_count_every_test_of_every_task(findings):
    keys = list(findings.corrected)
    ps = [findings.correlation(task, key).p for task, key in keys]
    assert len({task for task, _ in keys}) == 3
    for method in METHODS:
        over_all = [findings.corrected_over_all[key][method] for key in keys]
        assert over_all == adjusted(ps, method)
    for key in keys:
        within, over = (c[key]["holm"] for c in (findings.corrected, findings.corrected_over_all))
        assert within is None or within <= over


def test_every_feature_of_the_regression_is_there_fitted_each_way(findings):
    for table in findings.main:
        shown = together.view(findings, table)
        assert shown is not None
        for row in shown["rows"]:
            assert row["mixed"]
            assert " to " in row["mixed_interval"]
            assert row["ridge"].endswith("%")
            assert row["lasso"] == "0.00" or row["lasso"].endswith("%")
        words = " ".join(shown["sentences"])
        assert "random effects a link remains for" in words
        assert "asso" in words
        assert "nan" not in words


def test_tables_say_the_same_as_the_findings(findings):
    mixed, shrunk = together_tables.mixed_effects(findings), together_tables.regularised(findings)
    for row in mixed.rows:
        cells = dict(zip(mixed.columns, row, strict=True))
        one = findings.mixed[cells["task"]].effects[cells["feature"]]
        assert cells["points_per_standard_deviation"] == one.value
        assert cells["interval_95_low"] == one.low
    for row in shrunk.rows:
        cells = dict(zip(shrunk.columns, row, strict=True))
        fit = findings.regularised[cells["task"], cells["kind"]]
        assert cells["beta"] == fit.features[cells["feature"]].beta


def test_what_cannot_be_fitted_is_said(findings):
    task = findings.main[0].task
    nothing = dataclasses.replace(
        findings,
        mixed={**findings.mixed, task: MixedEffects(3, reason="it takes several sources")},
        regularised={
            key: Regularised(3, reason="fewer than 5 languages") for key in findings.regularised
        },
    )
    shown = together.view(nothing, findings.main[0])
    assert shown is not None
    words = " ".join(shown["sentences"])
    assert "random effects cannot be computed: it takes several sources." in words
    assert "Ridge and lasso cannot be computed: fewer than 5 languages." in words
    assert all(row["mixed"] is None and row["lasso"] is None for row in shown["rows"])
    assert [row[-1] for row in together_tables.mixed_effects(nothing).rows if row[0] == task] == [
        "it takes several sources"
    ]


def skilled(gain: float, low: float, high: float, unseen: str) -> Prediction:
    levels = Skill(4.0, (3.0, 5.0), 0.0, None, 0.0)
    ridge = Skill(4.0 * (1 - gain), (2.0, 3.5), gain, (low, high), 0.5)
    return Prediction({LEVELS[unseen]: levels, RIDGE: ridge}, 90, 10)


@pytest.mark.parametrize(
    ("gain", "low", "high", "answer", "said"),
    [
        (0.3, 0.1, 0.5, "lowers the error .* by 30% on PANX", r"30% less error .* 10 to 50%\)\."),
        (0.3, -0.1, 0.5, "does not clearly help .* on PANX", "no clear gain"),
        (-0.2, -0.4, -0.1, "does not clearly help", "20% more error .* a clear loss"),
        (0.001, -0.1, 0.1, "does not clearly help", "as much error"),
    ],
)
def test_a_gain_is_said_where_its_interval_is_above_zero(findings, gain, low, high, answer, said):
    both = {("panx", one): skilled(gain, low, high, one) for one in (LANGUAGES, PAIRS)}
    made = foretelling.section(dataclasses.replace(findings, predictions=both), NOWHERE)
    assert made is not None
    assert re.search(answer, made.answer)
    assert len(made.sentences) == 2
    assert all(re.search(said, text) for text in made.sentences)
    assert "3.0 points" not in made.answer


def test_without_a_prediction_the_reason_is_said(findings):
    none = {("panx", one): Prediction({}, reason="fewer than 5 languages") for one in LEVELS}
    made = foretelling.section(dataclasses.replace(findings, predictions=none), NOWHERE)
    assert made is not None
    assert "cannot be foretold: fewer than 5 languages." in made.answer
    assert all("fewer than 5 languages" in text for text in made.sentences)


def test_a_study_of_three_languages_is_told_without_a_number_that_is_none():
    few = [
        ResultRow(
            "s", "finetune", 0, "panx", a, b, "test", "span_f1", float(value), 10, 1, provenance={}
        )
        for (a, b), value in zip(
            [(a, b) for a in ("de", "en", "es") for b in ("de", "en", "es")],
            np.random.default_rng(0).uniform(20, 80, 9),
            strict=True,
        )
    ]
    found = find(few, permutations=9, resamples=9)
    shown = together.view(found, found.main[0])
    made = foretelling.section(found, NOWHERE)
    assert made is not None
    words = " ".join([*(shown["sentences"] if shown else []), made.answer, *made.sentences])
    assert "cannot be" in words
    assert "nan" not in words.lower().split()
