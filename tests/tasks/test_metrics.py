"""Scores by hand and by property: gold is 100, the range is 0 to 100, nothing is undefined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import metrics

TEXT = st.text(max_size=30)
SPAN_TEXT = st.text(alphabet="ab:$ \n।ب", max_size=20)
# Answers as adversarial as ours can be: articles, punctuation, scripts, white space.
ANSWER = st.one_of(TEXT, st.sampled_from(["", "the", "a an", "...", "لا", "हिन्दी।", " x  y "]))


def test_accuracy() -> None:
    assert metrics.accuracy(["0", "1", "2", "0"], ["0", "1", "1", ""]) == {"accuracy": 50.0}


@pytest.mark.parametrize(
    ("gold", "predicted", "score"),
    [
        (["PER: a $$ LOC: b"], ["LOC: b $$ PER: a"], 100.0),
        (["PER: a $$ LOC: b"], ["PER: a"], 100 * 2 / 3),
        # A span counts as often as it occurs.
        (["PER: a $$ PER: a"], ["PER: a"], 100 * 2 / 3),
        (["PER: a"], ["PER: a $$ PER: a"], 100 * 2 / 3),
        # The right entity with the wrong tag is wrong twice.
        (["PER: a"], ["ORG: a"], 0.0),
        (["PER: a", "None"], ["None", "PER: a"], 0.0),
        (["None"], ["None"], 100.0),
        (["None"], [""], 100.0),
        (["None"], ["PER: a"], 0.0),
        # An entity may hold a colon; spaces around and within do not matter.
        (["ORG: Foo: The Bar"], [" ORG:Foo:  The Bar $$"], 100.0),
        (["LOC: ঢাকা"], ["LOC: ঢাকা"], 100.0),
        # Micro: the sums are over all examples. 2 right of 3 wanted and 2 claimed.
        (["PER: a $$ LOC: b", "PER: c"], ["PER: a", "PER: c"], 80.0),
    ],
)
def test_span_f1(gold, predicted, score) -> None:
    assert metrics.span_f1(gold, predicted) == {"span_f1": pytest.approx(score)}


@pytest.mark.parametrize(
    ("answers", "predicted", "em", "f1"),
    [
        (["the Big Apple"], "big apple!", 100, 100),
        (["New York", "York"], "york", 100, 100),
        (["in New York"], "York New", 0, 100 * 4 / 5),
        (["a"], "the", 100, 100),
        (["the"], "cat", 0, 0),
        ([], "", 100, 100),
        ([], "cat", 0, 0),
        (["x x y"], "x x x", 0, 100 * 2 / 3),
        # Only ASCII punctuation is removed, as in the official script.
        (["कवि।"], "कवि", 0, 0),
    ],
)
def test_squad(answers, predicted, em, f1) -> None:
    assert metrics.squad([answers], [predicted]) == {
        "em": pytest.approx(em),
        "f1": pytest.approx(f1),
    }


@given(st.lists(TEXT, min_size=1))
def test_gold_against_gold_is_accurate(gold) -> None:
    assert metrics.accuracy(gold, gold) == {"accuracy": 100.0}


@given(st.lists(SPAN_TEXT, min_size=1))
def test_gold_against_gold_of_spans(gold) -> None:
    assert metrics.span_f1(gold, gold)["span_f1"] == pytest.approx(100.0)


@given(st.lists(st.lists(ANSWER, min_size=1, max_size=3), min_size=1), st.integers(0, 2))
def test_any_gold_answer_is_right(gold, index) -> None:
    scores = metrics.squad(gold, [answers[index % len(answers)] for answers in gold])
    assert scores == {"em": pytest.approx(100.0), "f1": pytest.approx(100.0)}


@given(st.lists(st.tuples(ANSWER, ANSWER)))
def test_scores_lie_between_0_and_100(pairs) -> None:
    gold, predicted = [gold for gold, _ in pairs], [prediction for _, prediction in pairs]
    answers = [[text] for text in gold]
    scores = [
        metrics.accuracy(gold, predicted),
        metrics.span_f1(gold, predicted),
        metrics.squad(answers, predicted),
    ]
    for score in (value for scored in scores for value in scored.values()):
        assert 0 <= score <= 100.0000001
    assert scores[2]["em"] <= scores[2]["f1"] + 1e-9


@given(st.lists(st.tuples(SPAN_TEXT, SPAN_TEXT), min_size=1))
def test_span_f1_is_symmetric(pairs) -> None:
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    assert metrics.span_f1(one, other) == pytest.approx(metrics.span_f1(other, one))


def test_no_examples_show_nothing() -> None:
    for metric in (metrics.accuracy, metrics.span_f1, metrics.squad):
        assert set(metric([], []).values()) == {0.0}


def test_a_prediction_too_few_is_an_error() -> None:
    for metric in (metrics.accuracy, metrics.span_f1, metrics.squad):
        with pytest.raises(ValueError, match="zip"):
            metric(["a", "b"], ["a"])
