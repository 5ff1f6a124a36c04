"""Features of pairs: what is missing stays missing, and each number is what its name says."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import language_features
from analysis.language_features import FEWEST_SHARED, cosine
from analysis.languages import kinship_order, name
from analysis.lm_results import lm_numbers
from analysis.pairs import PairMatrix
from analysis.text_overlap import jaccard, overlap, pretraining_words, split_words
from mt5x.errors import UserError
from tests.analysis.made_up_results import TEN, rows, write_study


def test_cosine_uses_the_features_known_in_both():
    rng = np.random.default_rng(0)
    left, right = rng.integers(0, 2, (2, 40)).astype(float)
    left[:7], right[5:12] = np.nan, np.nan
    x, y = left[12:], right[12:]
    expected = x @ y / np.linalg.norm(x) / np.linalg.norm(y)
    value, shared = cosine(left, right)
    assert value == pytest.approx(expected)
    assert shared == 28


def test_too_few_shared_features_are_unknown_not_zero():
    left, right = np.ones(30), np.full(30, np.nan)
    right[: FEWEST_SHARED - 1] = 1
    assert cosine(left, right) == (None, FEWEST_SHARED - 1)
    assert cosine(np.zeros(30), np.ones(30)) == (None, 30)


def typological(languages):
    return {f.key: f for f in language_features.typological(languages)}


def test_typology_of_the_ten_languages():
    features = typological([*TEN, "xx"])
    assert set(features) == {
        "syntax", "syntax_imputed", "phonology", "inventory", "family", "geography"
    }  # fmt: skip
    for feature in features.values():
        assert feature.values.get("en", "xx") is None, "a language that lang2vec lacks"
        assert "cosine similarity of lang2vec's" in feature.description
    syntax = features["syntax"]
    assert syntax.values.get("hi", "bn") > syntax.values.get("hi", "sw")
    assert syntax.values.get("de", "en") == syntax.values.get("en", "de")
    assert syntax.shared.get("bn", "en") < syntax.shared.get("de", "en") <= 103
    assert features["family"].values.get("de", "en") > features["family"].values.get("ru", "en")
    assert features["family"].values.get("fi", "en") == 0
    assert features["geography"].values.get("de", "en") > features["geography"].values.get(
        "id", "en"
    )


def test_overlap_by_hand_over_equally_many_words():
    words = {"a": "x y z x".split(), "b": "y z w".split(), "c": []}
    result = overlap(words)
    # Three running words each: {x, y, z} and {y, z, w}.
    assert result.get("a", "b") == result.get("b", "a") == pytest.approx(2 / 4)
    assert result.get("a", "a") == 1
    assert result.get("a", "c") is None
    assert overlap(words, pieces=lambda word: ["p"]).get("a", "b") == 1
    assert overlap({}).languages == ()


@given(st.sets(st.text(max_size=3)), st.sets(st.text(max_size=3)))
def test_jaccard_is_a_share_and_symmetric(left, right):
    index = jaccard(left, right)
    assert index == jaccard(right, left)
    assert (index is None) == (not left | right)
    assert index is None or 0 <= index <= 1
    assert (index == 1) == (left == right and bool(left))


def test_words_keep_their_marks_and_lose_their_punctuation():
    assert split_words("हिन्दी। «Дом», don't (1.5)!") == ["हिन्दी", "дом", "don't", "1.5"]


def test_no_pretraining_text_gives_no_overlap(tmp_path):
    assert pretraining_words(tmp_path, ["en"]) == {"en": []}
    assert language_features.textual(tmp_path, ["en", "de"]) == []


def test_planted_truth_is_read_or_refused(tmp_path):
    assert language_features.planted(tmp_path, TEN) == []
    write_study(tmp_path)
    world = json.loads((tmp_path / "world.json").read_text())
    syntax, lexicon = language_features.planted(tmp_path, TEN)
    assert syntax.values.get("de", "sw") == world["syntactic_similarity"]["de"]["sw"]
    assert lexicon.values.get("de", "sw") == world["lexical_overlap"]["de"]["sw"]
    (tmp_path / "world.json").write_text('{"seed": 1}')
    with pytest.raises(UserError, match=r"world.json is not.*sample-data"):
        language_features.planted(tmp_path, TEN)


def test_lm_features_come_from_the_rows():
    numbers = lm_numbers(rows(seeds=2))
    nll = {language: number.mean for language, number in numbers["lm_nll"].items()}
    source, target, difference = language_features.of_model(TEN, nll)
    assert source.values.get("de", "sw") == nll["de"]
    assert target.values.get("de", "sw") == nll["sw"]
    assert difference.values.get("de", "sw") == pytest.approx(nll["de"] - nll["sw"])
    assert numbers["lm_em"]["de"].seeds == 2
    assert language_features.of_model(TEN, {}) == []


def test_relatives_stand_together_and_strangers_at_the_end():
    similarity = PairMatrix.from_function(
        list("abcdx"),
        lambda s, t: None if "x" in (s, t) else 0.9 if {s, t} in ({"a", "c"}, {"b", "d"}) else 0.1,
    )
    order = kinship_order(list("abcdx"), similarity)
    assert order[-1] == "x"
    assert abs(order.index("a") - order.index("c")) == 1
    assert abs(order.index("b") - order.index("d")) == 1
    assert kinship_order(["b", "a"], similarity) == ("a", "b")
    assert (name("sw"), name("xx")) == ("Swahili", "xx")
