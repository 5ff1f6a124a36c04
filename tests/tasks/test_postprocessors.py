"""From decoded texts to what the metrics compare."""

import pickle
import unicodedata

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks import postprocessors
from tasks.postprocessors import Answers, Sentence
from tests.tasks.metric_texts import ANSWER

EXAMPLE = {
    "answers": np.array(["2 km²".encode(), "dos\u200d km".encode()], object),
    "context": "It is  2 km² away .".encode(),
}


def test_the_gold_answers_know_their_context() -> None:
    gold = postprocessors.answers("2 km²", example=EXAMPLE, is_target=True)
    assert gold == ["2 km2", "dos km"]
    assert isinstance(gold, Answers)
    assert gold.context == "It is 2 km2 away ."
    assert pickle.loads(pickle.dumps(gold)).context == gold.context


def test_a_prediction_is_its_text() -> None:
    for is_target in (False, True):
        example = None if is_target else EXAMPLE
        found = postprocessors.answers(" 2 km²", example=example, is_target=is_target)
        assert found == "2 km2"


def test_no_answers_and_no_context() -> None:
    gold = postprocessors.answers("", example={"answers": np.array([])}, is_target=True)
    assert gold == []
    assert isinstance(gold, Answers)
    assert gold.context is None


def test_answers_are_a_plain_list() -> None:
    assert Answers(["a"], "a b") == ["a"]
    assert Answers() == []
    assert Answers(["a"], "x") == Answers(["a"], "y")


def test_a_sentence_and_its_vector() -> None:
    example = {"id": b"fra-1", "side": b"source"}
    gold = postprocessors.sentence("eng-1 ", example=example, is_target=True)
    assert gold == Sentence("source", "fra-1", "eng-1")
    alone = postprocessors.sentence("", example=example, is_target=True)
    assert alone == Sentence("source", "fra-1", "")
    vector = np.ones(3, np.float32)
    assert postprocessors.sentence(vector, example=example, is_target=False) is vector


@given(ANSWER | st.text())
def test_the_comparable_form_is_its_own(text) -> None:
    once = postprocessors.comparable(text)
    # NFKC is not closed under joining: a mark after a removed joiner may compose once more.
    if unicodedata.is_normalized("NFKC", once):
        assert postprocessors.comparable(once) == once
    assert once == once.strip()
    assert "  " not in once
    assert "\u200d" not in once
    assert postprocessors.stripped(f" {text}\n") == text.strip()
