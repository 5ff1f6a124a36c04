"""Answers against the benchmarks' evaluation, told a second time in the plainest way."""

import re
import string
import sys
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import metrics
from tasks.errors import DataError
from tests.tasks.metric_texts import ANSWER

MLQA = ("ar", "de", "en", "es", "hi", "vi", "zh")
# 500 examples of 20 questions with up to two gold answers each: more than 10,000 strings.
QUESTIONS = st.lists(st.tuples(st.lists(ANSWER, max_size=2), ANSWER), min_size=20, max_size=20)

PUNCTUATION = {
    chr(code) for code in range(sys.maxunicode) if unicodedata.category(chr(code))[0] == "P"
} | set(string.punctuation)
ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": r"\sال^|ال",
}


def squad_form(text: str) -> str:
    kept = [c for c in text.lower() if c not in set(string.punctuation)]
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", "".join(kept)).split())


def mlqa_form(language: str) -> Callable[[str], str]:
    """MLQA's normalisation as its authors describe it, one character after the other."""

    def form(text: str) -> str:
        text = "".join(c for c in text.lower() if c not in PUNCTUATION)
        if language in ARTICLES:
            text = re.sub(ARTICLES[language], " ", text)
        if language != "zh":
            return " ".join(text.split())
        tokens, word = [], ""
        for character in text:
            if "\u4e00" <= character <= "\u9fa5":
                tokens += [*word.split(), character]
                word = ""
            else:
                word += character
        return " ".join(tokens + word.split())

    return form


def naive_f1(gold: str, predicted: str) -> float:
    """By precision and recall, striking out one common token after the other."""
    wanted, claimed = gold.split(), predicted.split()
    if not wanted or not claimed:
        return 1.0 if wanted == claimed else 0.0
    left, common = list(wanted), 0
    for token in claimed:
        if token in left:
            left.remove(token)
            common += 1
    if not common:
        return 0.0
    precision, recall = common / len(claimed), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def naive(pairs, form: Callable[[str], str]) -> dict[str, float]:
    em = f1 = 0.0
    for gold, predicted in pairs:
        gold = gold or [""]
        em += max(form(answer) == form(predicted) for answer in gold)
        f1 += max(naive_f1(form(answer), form(predicted)) for answer in gold)
    count = len(pairs)
    return {"em": 100 * em / count, "f1": 100 * f1 / count} if pairs else {"em": 0, "f1": 0}


def split(pairs):
    return [gold for gold, _ in pairs], [predicted for _, predicted in pairs]


@settings(max_examples=500)
@given(QUESTIONS)
def test_squad_agrees_with_the_plainest_telling(pairs) -> None:
    assert metrics.squad(*split(pairs)) == pytest.approx(naive(pairs, squad_form), abs=1e-9)


@settings(max_examples=500)
@given(QUESTIONS, st.sampled_from(MLQA))
def test_mlqa_agrees_with_the_plainest_telling(pairs, language) -> None:
    found = metrics.mlqa(language)(*split(pairs))
    assert found == pytest.approx(naive(pairs, mlqa_form(language)), abs=1e-9)


@settings(max_examples=200)
@given(QUESTIONS)
def test_squad2_agrees_with_the_plainest_telling(pairs) -> None:
    def cleared(text: str) -> str:
        return "" if squad_form(text) in ("", "unanswerable") else text

    plain = [
        ([answer for answer in gold if cleared(answer)], cleared(predicted))
        for gold, predicted in pairs
    ]
    parts = {
        "": naive(plain, squad_form),
        "HasAns_": naive([pair for pair in plain if pair[0]], squad_form),
        "NoAns_": naive([pair for pair in plain if not pair[0]], squad_form),
    }
    expected = {
        prefix + name: value for prefix, one in parts.items() for name, value in one.items()
    }
    assert metrics.squad2(*split(pairs)) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=200)
@given(st.lists(st.lists(ANSWER, min_size=1, max_size=3), min_size=1), st.integers(0, 2))
def test_any_gold_answer_is_right_everywhere(gold, index) -> None:
    chosen = [answers[index % len(answers)] for answers in gold]
    for metric in (metrics.squad, *map(metrics.mlqa, MLQA)):
        assert metric(gold, chosen) == {"em": pytest.approx(100), "f1": pytest.approx(100)}


@pytest.mark.parametrize(
    ("language", "gold", "predicted", "em", "f1"),
    [
        ("en", "The cat", "cat!", 100, 100),
        # Punctuation of any script goes, and ASCII symbols; a currency sign beyond ASCII stays.
        ("hi", "हिन्दी।", "हिन्दी", 100, 100),
        ("de", "„5 $“", "5", 100, 100),
        ("de", "5 €", "5", 0, 200 / 3),
        ("de", "Der Hund des Nachbarn", "Hund Nachbarn", 100, 100),
        ("en", "der Hund", "Hund", 0, 200 / 3),
        ("es", "¿Las casas?", "casas", 100, 100),
        ("vi", "cái nhà", "nhà", 100, 100),
        # The Arabic article goes wherever it stands, as in the official script.
        ("ar", "الكتاب", "كتاب", 100, 100),
        ("ar", "كتاب الرجل", "كتاب رجل", 100, 100),
        ("ar", "سؤال", "سؤ", 100, 100),
        # Chinese: each character is a token, words of other letters are whole.
        ("zh", "北京大学", "北京", 0, 200 / 3),
        ("zh", "iPhone手机", "iphone 手机", 100, 100),
        ("hi", "北京大学", "北京", 0, 0),
        ("zh", "、", "", 100, 100),
        # The script's range of Han ends at U+9FA5; what comes later is part of a word.
        ("zh", "龥龥", "龥", 0, 200 / 3),
        ("zh", "龦龦", "龦", 0, 0),
    ],
)
def test_mlqa_by_hand(language, gold, predicted, em, f1) -> None:
    assert metrics.mlqa(language)([[gold]], [predicted]) == {
        "em": pytest.approx(em),
        "f1": pytest.approx(f1),
    }


def test_squad2_by_hand() -> None:
    gold = [["Paris"], ["the Big Apple", "NYC"], [], ["unanswerable"]]
    predicted = ["unanswerable", "big apple", "Unanswerable.", "Rome"]
    assert metrics.squad2(gold, predicted) == {
        "em": 50.0,
        "f1": 50.0,
        "HasAns_em": 50.0,
        "HasAns_f1": 50.0,
        "NoAns_em": 50.0,
        "NoAns_f1": 50.0,
    }
    # A gold answer of nothing but articles counts for nothing beside another.
    assert metrics.squad2([["the", "Rome"]], [""])["HasAns_em"] == 0
    # Saying nothing is no answer, too; a whole split may be of one kind.
    assert metrics.squad2([[]], [""])["NoAns_em"] == 100
    assert metrics.squad2([["Rome"]], ["Rome"])["NoAns_em"] == 0


@pytest.mark.parametrize("metric", [metrics.squad, metrics.squad2, *map(metrics.mlqa, MLQA)])
def test_what_is_empty_has_a_score(metric) -> None:
    assert set(metric([], []).values()) == {0.0}
    assert metric([[], [""]], ["", ""])["f1"] == 100
    assert metric([["x"], []], ["", "x"])["f1"] == 0
    with pytest.raises(ValueError, match="zip"):
        metric([["x"]], [])


def test_a_language_that_mlqa_does_not_have() -> None:
    with pytest.raises(DataError, match=r"language of MLQA \(ar de en es hi vi zh\), got 'sw'"):
        metrics.mlqa("sw")
    with pytest.raises(DataError, match="did you mean 'zh'"):
        metrics.mlqa("zh-cn")
