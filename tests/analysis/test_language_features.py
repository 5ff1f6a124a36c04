"""Features of pairs: what is missing stays missing, and each number is what its name says."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import text_overlap
from analysis.features import model, planted, resources, text, typology, wals
from analysis.features.typology import FEWEST_SHARED, cosine
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
    return {f.key: f for f in typology.typological(languages)}


def test_typology_of_the_ten_languages():
    features = typological([*TEN, "xx"])
    assert set(features) == {
        "syntax", "syntax_imputed", "phonology", "phonology_imputed", "inventory_known",
        "inventory", "family", "geography",
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
    assert text.textual(tmp_path, ["en", "de"]) == []


def test_planted_truth_is_read_or_refused(tmp_path):
    assert planted.planted(tmp_path, TEN) == []
    write_study(tmp_path)
    world = json.loads((tmp_path / "world.json").read_text())
    syntax, lexicon = planted.planted(tmp_path, TEN)
    assert syntax.values.get("de", "sw") == world["syntactic_similarity"]["de"]["sw"]
    assert lexicon.values.get("de", "sw") == world["lexical_overlap"]["de"]["sw"]
    (tmp_path / "world.json").write_text('{"seed": 1}')
    with pytest.raises(UserError, match=r"world.json is not.*sample-data"):
        planted.planted(tmp_path, TEN)


def test_lm_features_come_from_the_rows():
    numbers = lm_numbers(rows(seeds=2))
    nll = {language: number.mean for language, number in numbers["lm_nll"].items()}
    source, target, difference = model.of_model(TEN, nll)
    assert source.values.get("de", "sw") == nll["de"]
    assert target.values.get("de", "sw") == nll["sw"]
    assert difference.values.get("de", "sw") == pytest.approx(nll["de"] - nll["sw"])
    assert numbers["lm_em"]["de"].seeds == 2
    assert model.of_model(TEN, {}) == []


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


def release(folder, **changes: str):
    """A small CLDF release: three areas, three languages, one of them twice."""
    files = {
        "areas": "ID,Name\n1,Phonology\n2,Morphology\n6,Word Order\n",
        "chapters": "ID,Name,Area_ID\n1,C,1\n20,M,2\n26,P,2\n28,S,2\n81,O,6\n",
        "parameters": "ID,Name,Chapter_ID\n1A,C,1\n20A,M,20\n26A,P,26\n28A,S,28\n81A,O,81\n",
        "languages": "ID,Name,ISO639P3code,ISO_codes\neng,English,eng,eng\nams,Arabic,arb,arb\n"
        "aeg,Egyptian,arz,arz arb\nswa,Swahili,swh,swh\n",
        "values": "ID,Language_ID,Parameter_ID,Value\n"
        + "".join(
            f"{parameter}-{language},{language},{parameter},{value}\n"
            for language, values in {
                "eng": {"20A": 1, "26A": 2, "28A": 3, "81A": 2},
                "swa": {"20A": 1, "26A": 5, "28A": 3, "81A": 2},
                "ams": {"20A": 4, "26A": 2},
                "aeg": {"20A": 1},
            }.items()
            for parameter, value in values.items()
        ),
    }
    cldf = folder / "cldf"
    cldf.mkdir()
    for file, text_of in {**files, **changes}.items():
        (cldf / f"{file}.csv").write_text(text_of, encoding="utf-8")
    return folder


def test_chapters_of_wals_are_shares_by_area_with_their_counts(tmp_path):
    (morphology,) = wals.chapters(release(tmp_path), ["en", "sw", "ar", "fi"])
    assert morphology.key == "wals_morphology"
    assert morphology.values.get("en", "sw") == pytest.approx(2 / 3)
    assert morphology.shared is not None
    assert morphology.shared.get("en", "sw") == 3
    # Of Arabic the language with more values counts, and two of them are too few.
    assert morphology.shared.get("en", "ar") == 2
    assert morphology.values.get("en", "ar") is None
    assert morphology.values.get("en", "fi") is None
    # Word order has one parameter here: no pair is known, and so no feature.


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"values": "ID,Language_ID,Value\n"}, "values.csv of the WALS release has no column Par"),
        (
            {"values": "Language_ID,Parameter_ID,Value\neng,999Z,1\n"},
            "values.csv has values of 999Z, which is in no chapter",
        ),
        ({"chapters": "ID,Area_ID\n"}, "is of a chapter with an area"),
    ],
)
def test_a_release_that_is_none_is_named(tmp_path, changes, reason):
    with pytest.raises(UserError, match=reason):
        wals.chapters(release(tmp_path, **changes), ["en", "sw"])


def test_a_folder_without_a_release_is_named(tmp_path):
    with pytest.raises(UserError, match=r"areas.csv of the WALS release cannot be read: No such"):
        wals.chapters(tmp_path, ["en"])


def test_tokens_and_scripts_are_those_of_the_table():
    found = {one.key: one for one in resources.resources(["en", "ru", "qu", "xx"])}
    assert set(found) == {"tokens_source", "tokens_target", "tokens_difference", "script"}
    english = found["tokens_source"].values.get("en", "ru")
    assert found["tokens_target"].values.get("ru", "en") == english
    # 2,733 and 713 billion tokens.
    assert found["tokens_difference"].values.get("en", "ru") == pytest.approx(
        np.log10(2733 / 713), abs=1e-8
    )
    # mC4 has no Quechua, and the table no xx.
    assert found["tokens_source"].values.get("qu", "en") is None
    assert found["script"].values.get("en", "qu") == 1
    assert found["script"].values.get("en", "ru") == 0
    assert found["script"].values.get("en", "xx") is None


def test_common_shares_are_one_minus_the_total_variation():
    words = {"aa": ["x", "x", "y", "z"], "bb": ["x", "y", "y", "w"], "cc": []}
    common = text_overlap.common_share(words)
    assert common.get("aa", "bb") == 0.25 + 0.25
    assert common.get("aa", "aa") == 1
    assert common.get("aa", "cc") is None
    assert text_overlap.common_share({"aa": ["ab"], "bb": ["ba"]}, list).get("aa", "bb") == 1


def test_text_tells_overlap_fertility_and_density(tmp_path, monkeypatch):
    words = {"en": ["ab", "abc"], "sw": ["abcdef", "x"], "fi": []}
    monkeypatch.setattr(text_overlap, "pretraining_words", lambda data_dir, languages: words)
    monkeypatch.setattr(text_overlap, "piece_splitter", lambda data_dir: list)
    found = {one.key: one for one in text.textual(tmp_path, ["en", "sw", "fi"])}
    assert found["fertility_source"].values.get("en", "sw") == 2.5
    assert found["fertility_difference"].values.get("en", "sw") == 2.5 - 3.5
    assert found["density_target"].values.get("en", "sw") == 1
    assert found["fertility_source"].values.get("fi", "en") is None
    assert found["character_overlap"].values.get("en", "sw") == pytest.approx(3 / 7)
    assert all("in the first 2 running words" in one.description for one in found.values())
