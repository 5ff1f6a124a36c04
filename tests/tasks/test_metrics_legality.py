"""Predictions that no right answer could look like."""

import functools
import unicodedata
from collections.abc import Callable

import pytest
import seqio
from hypothesis import given
from hypothesis import strategies as st

from tasks import languages, metrics
from tasks.errors import DataError
from tasks.metrics import writing
from tasks.postprocessors import Answers, comparable
from tests.tasks.metric_texts import ANSWER

PADDED = "Only Bob_2 ran 3 . 5 km ( in Åbo ) ."


def test_illegal_labels() -> None:
    metric = metrics.illegal_label_rate(["0", "1"])
    assert metric(["0", "1", "0", "1"], ["0", "2", "", "1 "]) == {"illegal_label": 75.0}
    assert metric([], []) == {"illegal_label": 0.0}
    with pytest.raises(DataError, match="labels of a task"):
        metrics.illegal_label_rate("01")


@pytest.mark.parametrize(
    ("answer", "held"),
    [
        ("Bob_2", True),
        ("3.5 km", True),
        ("bob_2 RAN", True),
        ("(in Åbo)", True),
        ("A\u030abo", True),
        ("Bob ran", False),
        ("", False),
        (" ", False),
        ("unanswerable", False),
    ],
)
def test_answers_not_in_their_context(answer, held) -> None:
    gold = [Answers(["Bob_2"], PADDED)]
    assert metrics.not_in_context(gold, [answer]) == {"not_in_context": 0.0 if held else 100.0}


def test_a_sigma_at_the_end_of_an_answer() -> None:
    gold = [Answers(["ΟΔΟΣ"], "Η ΟΔΟΣ ΤΟΥ ΗΛΙΟΥ")]
    assert metrics.not_in_context(gold, ["οδος"]) == {"not_in_context": 0.0}


def test_an_answer_that_needs_no_context() -> None:
    metric = functools.partial(metrics.not_in_context, legal=(metrics.UNANSWERABLE,))
    gold = [Answers([], PADDED)] * 2
    assert metric(gold, ["unanswerable", "answerable"]) == {"not_in_context": 50.0}
    assert metric([], []) == {"not_in_context": 0.0}


def test_gold_answers_without_their_context() -> None:
    for gold in (["Bob"], Answers(["Bob"]), "Bob"):
        with pytest.raises(DataError, match=r"tasks\.postprocessors\.answers"):
            metrics.not_in_context([gold], ["Bob"])  # type: ignore[list-item]


@given(ANSWER, ANSWER, ANSWER)
def test_what_stands_in_a_text_is_in_it(before, answer, after) -> None:
    context = before + answer + after
    # A mark that joins the letter before it makes another letter of it, and no answer begins so.
    if comparable(before) + comparable(answer) + comparable(after) == comparable(context).strip():
        gold = [Answers([answer], comparable(context))]
        expected = 0.0 if comparable(answer) else 100.0
        assert metrics.not_in_context(gold, [comparable(answer)])["not_in_context"] == expected


@pytest.mark.parametrize(
    ("language", "answer", "wrong"),
    [
        ("ar", "القاهرة", False),
        ("ar", "Cairo", True),
        ("ar", "في Cairo 1999", True),
        ("ar", "في مدينة القاهرة (Cairo)", False),
        ("hi", "दिल्ली", False),
        ("hi", "دہلی", True),
        ("bn", "ঢাকা", False),
        ("bn", "ढाका", True),
        ("ru", "Москва", False),
        ("ru", "Moskva", True),
        ("ja", "東京タワーへ", False),
        ("ko", "서울(首爾)", False),
        ("zh", "北京", False),
        ("zh", "ペキン", True),
        ("en", "Straße É", False),
        ("en", "ＡＢＣ", False),
        ("en", "Αθήνα", True),
        # The same letters: the script says nothing of the language.
        ("sw", "a mile and a half", False),
        # No letters, no script.
        ("ar", "1999 – 2003?", False),
        ("ar", "١٩٩٩", False),
        ("ru", "१९", False),
        ("ar", "", False),
        ("ar", "😀", False),
        # Half and half is not most.
        ("el", "αβ ab", False),
        ("el", "αβ abc", True),
    ],
)
def test_answers_in_the_wrong_script(language, answer, wrong) -> None:
    metric = metrics.wrong_script_rate(language)
    assert metric([["1"]], [answer]) == {"wrong_script": 100.0 if wrong else 0.0}
    # Gold that is written so itself excuses it.
    assert metric([["1", answer]], [answer]) == {"wrong_script": 0.0}
    assert metric([answer], [answer]) == {"wrong_script": 0.0}


def test_no_answers_and_no_such_language() -> None:
    assert metrics.wrong_script_rate("ar")([], []) == {"wrong_script": 0.0}
    with pytest.raises(DataError, match="no language 'xx'"):
        metrics.wrong_script_rate("xx")


def test_scripts_are_those_of_the_unicode_property() -> None:
    """All letters of the Basic Multilingual Plane in the scripts of our languages."""
    regex = pytest.importorskip("regex", reason="regex, which knows the property, is not there")
    scripts = {script for code in languages.table() for script in languages.scripts_of(code)}
    assert {"Latin", "Han", "Hiragana", "Arabic", "Devanagari", "Bengali"} <= scripts
    members = {script: regex.compile(rf"\p{{Script={script}}}") for script in scripts}
    wrong = []
    for character in map(chr, range(0x10000)):
        if not unicodedata.category(character).startswith("L"):
            assert writing.script_of(character) is None or not unicodedata.is_normalized(
                "NFKC", character
            )
            continue
        if not unicodedata.is_normalized("NFKC", character):
            continue
        found = writing.script_of(character)
        for script, member in members.items():
            if bool(member.match(character)) != (found == script):
                wrong.append((character, unicodedata.name(character, ""), found, script))
    # Nobody writes these: the names of eight letters in 60,000 do not begin with their script.
    first_words = {name.split()[0] for _, name, _, _ in wrong}
    assert first_words <= {"MODIFIER", "TURNED", "ROMAN", "VERTICAL"}, wrong
    assert len(wrong) <= 8, wrong


@given(st.sampled_from(sorted(languages.table())), st.lists(ANSWER))
def test_gold_is_always_legal(language, gold) -> None:
    assert metrics.wrong_script_rate(language)(gold, gold) == {"wrong_script": 0.0}
    if gold:
        assert metrics.illegal_label_rate(gold)(gold, gold) == {"illegal_label": 0.0}


def test_seqio_takes_them_all_for_metrics_of_predictions() -> None:
    made: list[Callable] = [
        metrics.accuracy,
        metrics.macro_f1(["0", "1"]),
        metrics.positive_f1("1"),
        metrics.span_f1,
        metrics.tag_scores,
        metrics.chunk_f1,
        metrics.squad,
        metrics.squad2,
        metrics.mlqa("ar"),
        metrics.illegal_label_rate(["0"]),
        metrics.not_in_context,
        functools.partial(metrics.not_in_context, legal=("unanswerable",)),
        metrics.wrong_script_rate("ar"),
        metrics.retrieval_accuracy,
        metrics.mining_f1,
        metrics.mining_f1_cosine,
        metrics.mining_f1_at(1.1),
    ]
    task = seqio.Task(
        "t",
        source=seqio.FunctionDataSource(lambda split, shuffle_files: None, splits=["train"]),
        output_features={},
        preprocessors=[],
        metric_fns=made,
    )
    assert task.predict_metric_fns == made
    assert all(set(metric([], []).values()) == {0.0} for metric in made)
