"""Plain transfer is told apart from what was done to a model besides."""

import dataclasses
from typing import Any

import pytest

from analysis.conditions import PLAIN, changed, plain, sources
from analysis.transfer import transfers
from mt5x.studies.results import ResultRow

ROW = ResultRow("s", "finetune", 0, "panx", "en", "ar", "test", "span_f1", 12.5, 10, 3)

OTHERS: dict[str, dict[str, Any]] = {
    "intermediate": {"intermediate": "qqp", "intermediate_language": "en"},
    "half of the source": {"source_size": 100},
    "shots": {"shots": 10},
    "noise": {"perturbation": "typos", "strength": 10},
    "several sources": {"source": "en+hi"},
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_is_not_plain_stays_out_of_source_against_target(other):
    row = dataclasses.replace(ROW, value=90.0, **OTHERS[other])
    assert plain([row, ROW]) == [ROW]
    (table,) = transfers([row, ROW])
    assert table.score.get("en", "ar") == 12.5


def test_zero_shot_of_a_named_model_is_plain():
    row = dataclasses.replace(ROW, shots=0, model="mt5_tiny")
    assert plain([row]) == [row]


def test_a_condition_is_compared_but_for_what_changed():
    noisy = dataclasses.replace(ROW, **OTHERS["noise"])
    assert noisy.condition != PLAIN
    assert changed(noisy.condition, perturbation=None, strength=None) == PLAIN


def test_the_languages_of_a_source():
    assert sources(dataclasses.replace(ROW, source="en+hi")) == ("en", "hi")
    assert sources(dataclasses.replace(ROW, source=None)) == ()
