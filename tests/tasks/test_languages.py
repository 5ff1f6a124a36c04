"""The table against its sources, and orders whose first languages stay the first."""

import csv
import importlib
import itertools
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import languages, typology
from tasks.errors import DataError

CODES = st.lists(st.sampled_from(sorted(languages.table())), min_size=1, unique=True)


def builder(module: str, attribute: str) -> tuple[str, ...]:
    """The languages of a builder of TFDS, from its source."""
    found = getattr(importlib.import_module(f"tensorflow_datasets.{module}"), attribute)
    return tuple(sorted(found))


@pytest.mark.parametrize(
    ("data_set", "module", "attribute"),
    [
        ("xnli", "text.xnli", "_LANGUAGES"),
        ("pawsx", "datasets.paws_x_wiki.paws_x_wiki_dataset_builder", "_LANGUAGES"),
        ("xquad", "question_answering.xquad", "LANGUAGES"),
        ("mlqa", "datasets.mlqa.mlqa_dataset_builder", "LANGUAGES"),
        ("udpos", "datasets.xtreme_pos.xtreme_pos_dataset_builder", "_LANGS"),
        ("tatoeba", "datasets.tatoeba.tatoeba_dataset_builder", "_LANGS"),
        ("bucc", "datasets.bucc.bucc_dataset_builder", "_LANGS"),
    ],
)
def test_the_languages_are_those_of_the_builder(data_set: str, module: str, attribute: str) -> None:
    assert languages.of(data_set) == builder(module, attribute)


def test_sizes_are_the_benchmarks() -> None:
    sizes = {"panx": 40, "tydiqa": 9, "xcopa": 12, "study": 10}
    assert {name: len(languages.of(name)) for name in sizes} == sizes
    assert set(languages.PANX) <= set(languages.WIKIANN)
    assert len(languages.WIKIANN) == 176
    assert languages.TYDIQA_NAMES["bn"] == "bengali"


def test_mc4_has_the_languages_by_its_own_codes() -> None:
    stored = {languages.MC4_CODES.get(code, code) for code in languages.MC4}
    assert stored <= set(builder("text.c4", "MC4_LANGUAGES"))
    assert languages.MC4_CODES == {"he": "iw", "tl": "fil"}


def test_every_cell_is_of_its_kind() -> None:
    rows = list(languages.table().values())
    assert [one.code for one in rows] == sorted(one.code for one in rows)
    assert len({one.iso639_3 for one in rows}) == len({one.name for one in rows}) == len(rows) == 42
    for one in rows:
        assert len(one.code) == 2
        assert len(one.iso639_3) == 3
        assert one.word_order in ("SVO", "SOV", "VSO", "none", None)
        assert one.joshi_class in range(6)
        assert one.data_sets
        assert (one.mc4_code is None) == (one.mc4_tokens_billion is None)
        assert one.mc4_tokens_billion is None or one.mc4_tokens_billion > 0
        assert languages.scripts_of(one.code)


def test_what_the_sources_do_not_say_is_missing() -> None:
    def without(column: str) -> list[str]:
        return [one.code for one in languages.table().values() if getattr(one, column) is None]

    assert without("genus") == ["eu", "hu", "ko"]
    assert without("word_order") == ["af", "ht", "jv", "kk", "ms", "qu"]
    assert without("mc4_tokens_billion") == without("mc4_code") == ["qu"]
    assert without("joshi_class") == []


@pytest.mark.parametrize("one", languages.table().values(), ids=lambda one: one.code)
def test_family_and_genus_are_glottologs(one: languages.Language) -> None:
    tree = typology.load("fam")
    row = tree.values[tree.languages[typology.ISO_639_3[one.code]]]
    lineage = [name.removeprefix("F_") for name, at in tree.features.items() if row[at] == 1]
    if one.code == "eu":
        assert lineage == []
    else:
        assert one.family in lineage
    if one.genus is None:
        assert not set(lineage) - {one.family}
    else:
        assert one.genus in lineage
        assert one.genus != one.family


@pytest.mark.parametrize("one", languages.table().values(), ids=lambda one: one.code)
def test_word_order_does_not_contradict_lang2vec(one: languages.Language) -> None:
    tree = typology.load("syntax_wals")
    row = tree.values[tree.languages[typology.ISO_639_3[one.code]]]
    orders = {name: row[tree.features[f"S_{name}"]] for name in ("SVO", "SOV", "VSO")}
    if one.word_order is None:
        assert all(np.isnan(value) for value in orders.values())
    elif one.word_order != "none":
        assert orders[one.word_order] == 1


def test_word_order_is_what_wals_says(shared: Path) -> None:
    with (shared / "data" / "wals" / "wals_values.csv").open(encoding="utf-8") as file:
        stated = {
            code: row["value_name"]
            for row in csv.DictReader(file)
            if row["feature"] == "81A"
            for code in row["iso_codes"].split()
        }
    for one in languages.table().values():
        said = stated.get(one.iso639_3)
        assert (one.word_order or None) == ("none" if said == "No dominant order" else said)


@pytest.mark.parametrize("code", languages.XNLI)
def test_real_sentences_are_in_the_scripts(code: str, shared: Path) -> None:
    lines = (shared / "data" / "xnli" / f"dev-{code}.tsv").read_text("utf-8").splitlines()
    text = "".join("".join(line.split("\t")[:2]) for line in lines[1:200])
    # A letter's Unicode name begins with its script's; Han's with 'CJK'.
    words = (unicodedata.name(letter, "?").split()[0] for letter in text if letter.isalpha())
    counts = Counter("Han" if word == "CJK" else word.capitalize() for word in words)
    inside = sum(counts[script] for script in languages.scripts_of(code))
    # Names and loans are in Latin letters everywhere, a tenth of the Hindi.
    assert inside > 0.85 * counts.total()


def test_scripts_of_several() -> None:
    assert languages.scripts_of("ja") == ("Hiragana", "Katakana", "Han")
    assert languages.scripts_of("ko") == ("Hangul", "Han")


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("iw", "did you mean he"),
        ("swh", "did you mean sw"),
        ("Swahili", "did you mean sw"),
        ("EN", "did you mean en"),
        ("enn", "did you mean en"),
        ("xx", "known are af ar"),
        ("", "known are af ar"),
    ],
)
def test_an_unknown_language(code: str, hint: str) -> None:
    with pytest.raises(DataError, match=rf"no language '{code}'; {hint}"):
        languages.get(code)


def test_an_unknown_data_set() -> None:
    with pytest.raises(DataError, match=r"'xnlii'; known are .*xnli"):
        languages.of("xnlii")


@pytest.mark.parametrize(
    ("codes", "by", "reason"),
    [
        (["en", "sw"], "size", "no order 'size' of languages; known are resources"),
        (["en", "sw", "en"], "listed", "once each, got en twice"),
        (["en", "xx"], "resources", "no language 'xx'"),
        (["en", "xx"], "families", "no language 'xx'"),
    ],
)
def test_orders_that_cannot_be(codes: list[str], by: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        languages.order(codes, by)


def test_orders_of_xnlis_languages() -> None:
    assert languages.order(languages.XNLI, "resources")[:4] == ("en", "ru", "es", "de")
    assert languages.order(languages.XNLI, "lowresources")[:3] == ("sw", "ur", "th")
    # English, then one of each family: first those that bring a script, the richest of these first.
    families = languages.order(languages.XNLI, "families")
    assert families[:7] == ("en", "ar", "zh", "th", "vi", "tr", "sw")
    assert languages.order(["yy", "xx"], "listed") == ("yy", "xx")


def test_the_sources_of_a_study_are_nested() -> None:
    sources = languages.order(languages.STUDY, "lowresources")
    assert sources[:2] == ("sw", "bn")
    assert languages.order(["qu", "yo", "en"], "resources") == ("en", "yo", "qu")
    assert languages.order(["qu", "yo", "en"], "lowresources") == ("qu", "yo", "en")


@given(CODES, st.sampled_from(["resources", "lowresources", "families"]), st.randoms())
def test_an_order_keeps_each_language_and_forgets_how_they_came(codes, by, random) -> None:
    ordered = languages.order(codes, by)
    assert sorted(ordered) == sorted(codes)
    random.shuffle(codes)
    assert languages.order(codes, by) == ordered


@given(CODES)
def test_fewest_is_the_reverse_of_most(codes: list[str]) -> None:
    most = languages.order(codes, "resources")
    assert languages.order(codes, "lowresources") == most[::-1]
    tokens = [languages.get(code).mc4_tokens_billion or 0 for code in most]
    assert all(more >= less for more, less in itertools.pairwise(tokens))


@given(CODES, st.data())
def test_a_language_less_leaves_the_order_of_the_others(codes: list[str], data) -> None:
    """Languages are compared two by two, so that a study without one of them is nested in it."""
    gone = data.draw(st.sampled_from(codes))
    rest = [code for code in codes if code != gone]
    ordered = [code for code in languages.order(codes, "resources") if code != gone]
    assert languages.order(rest, "resources") == tuple(ordered)


@given(CODES)
def test_the_next_language_is_the_most_diverse_that_is_left(codes: list[str]) -> None:
    """No language further down would add a family where the one that was taken does not."""
    ordered = languages.order(codes, "families")
    assert ordered[0] == languages.order(codes, "resources")[0]
    for k in range(1, len(ordered)):
        rows = [languages.get(code) for code in ordered[:k]]

        def added(code: str, rows: list = rows) -> tuple[bool, bool, bool]:
            one = languages.get(code)
            return (
                one.family not in {row.family for row in rows},
                (one.genus or one.code) not in {row.genus or row.code for row in rows},
                one.script not in {row.script for row in rows},
            )

        assert added(ordered[k]) == max(added(code) for code in ordered[k:])
        rivals = [code for code in ordered[k:] if added(code) == added(ordered[k])]
        assert ordered[k] == languages.order(rivals, "resources")[0]
