"""Names for readers: every data set and score of the catalogue has one; others keep their own."""

import pytest

from analysis import languages
from analysis.report.words import metric_name, task_kind, task_name
from analysis.transfer import main_metric
from tasks import catalogue
from tasks import languages as table
from tasks.definitions import DATA_SETS


@pytest.mark.parametrize("data", DATA_SETS)
def test_every_data_set_has_words(data):
    assert task_name(data) != data
    assert task_kind(data)
    assert main_metric(data) == catalogue.main_metric(data)
    named = [metric_name(score) for score in DATA_SETS[data].scores.names]
    assert len(set(named)) == len(named)
    assert not [name for name in named if "_" in name]


def test_names_of_data_sets_and_kinds_differ_where_the_sets_do():
    assert len({task_name(data) for data in DATA_SETS}) == len(DATA_SETS)
    assert task_kind("panx") == "named entities"
    assert task_kind("advglue_rte") == "adversarial inputs"


def test_what_is_not_ours_keeps_its_name():
    assert (task_name("my_reviews"), task_kind("my_reviews")) == ("my_reviews", "")
    assert metric_name("bleu") == "bleu"
    assert main_metric("my_reviews") is None


def test_languages_have_the_names_of_the_one_table():
    assert {code: languages.name(code) for code in table.table()} == {
        code: one.name for code, one in table.table().items()
    }
    assert languages.name("xx") == "xx"
