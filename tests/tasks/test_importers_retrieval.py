"""Sentences to find in another language: Tatoeba's aligned files, BUCC's texts and gold pairs."""

import types
from pathlib import Path

import pytest
from tensorflow_datasets.datasets.bucc import bucc_dataset_builder as official_bucc
from tensorflow_datasets.datasets.tatoeba import tatoeba_dataset_builder as official_tatoeba

from tasks import languages
from tasks.errors import DataError
from tasks.importers import bucc, tatoeba
from tasks.importers import run as importer
from tasks.importers.base import Reading
from tests.tasks.importing import import_all, make, read, refused

SWH, ENG = "tatoeba/v1/tatoeba.swh-eng.swh", "tatoeba/v1/tatoeba.swh-eng.eng"
ZH, EN, GOLD = (f"bucc2018/zh-en.dev.{side}" for side in ("zh", "en", "gold"))
GOOD = {
    SWH: "Mvua ilinyesha jana.\nSamaki ameliwa.\n",
    ENG: "It rained yesterday.\nThe fish was eaten.\n",
    ZH: "zh-1\t你好。\nzh-2\t下雨了。\nzh-3\t他说“不”。\n",
    EN: "en-7\tIt rains.\nen-8\tNobody came.\n",
    GOLD: "zh-2\ten-7\n",
}
SW, MINING, PAIRS = "tatoeba/tatoeba_sw:1.0.0", "bucc_mining/zh:1.0.0", "bucc/bucc_zh:1.0.0"


def test_all_are_imported_and_tfds_reads_them(tmp_path: Path) -> None:
    assert import_all(tmp_path, GOOD) == {
        SW: {"train": 2},
        PAIRS: {"validation": 1},
        MINING: {"validation": 5},
    }
    out = tmp_path / "out"
    assert read(out, SW, "train")[1] == {
        "source_sentence": "Samaki ameliwa.",
        "target_sentence": "The fish was eaten.",
        "source_language": "sw",
        "target_language": "en",
    }
    assert read(out, PAIRS, "validation") == [
        {
            "source_sentence": "下雨了。",
            "target_sentence": "It rains.",
            "source_id": "zh-2",
            "target_id": "en-7",
        }
    ]
    rows = read(out, MINING, "validation")
    assert [(row["id"], row["side"], row["pair"]) for row in rows] == [
        ("zh-1", "source", ""),
        ("zh-2", "source", "en-7"),
        ("zh-3", "source", ""),
        ("en-7", "target", "zh-2"),
        ("en-8", "target", ""),
    ]
    assert rows[2]["sentence"] == "他说“不”。"


def test_codes_of_tatoeba_are_those_of_tfdss_builder() -> None:
    assert {code: own for own, code in official_tatoeba._LANGS.items()} == tatoeba.CODES
    assert sorted(official_bucc._LANGS) == sorted(languages.BUCC)


def test_rows_of_tatoeba_are_those_of_tfdss_builder(tmp_path: Path) -> None:
    """But for the newline at the end of each sentence, which that one keeps."""
    source = make(tmp_path, GOOD)
    self = types.SimpleNamespace(builder_config=types.SimpleNamespace(language="sw"))
    official = official_tatoeba.Builder._generate_examples(self, source / SWH, source / ENG)
    expected = [
        {
            **row,
            "source_sentence": row["source_sentence"].decode().removesuffix("\n"),
            "target_sentence": row["target_sentence"].decode().removesuffix("\n"),
        }
        for _, row in official
    ]
    assert list(tatoeba.rows(source / SWH, source / ENG, "sw", Reading())) == expected


def test_pairs_of_bucc_are_those_of_tfdss_builder(tmp_path: Path) -> None:
    source = make(tmp_path, GOOD)
    official = official_bucc.Builder._generate_examples(None, str(source / "bucc2018"))
    paths = {"zh": source / ZH, "en": source / EN, "gold": source / GOLD}
    assert list(bucc.gold_rows(paths, "zh", Reading())) == [row for _, row in official]


@pytest.mark.parametrize(
    ("part", "split"), [("sample", "validation"), ("training", "test"), ("test", "test")]
)
def test_parts_of_bucc_are_named_as_tfds_and_xtreme_have_them(part, split, tmp_path: Path) -> None:
    contents = {
        name.replace("bucc2018", "bucc2018/zh-en").replace("dev", part): GOOD[name]
        for name in (ZH, EN, GOLD)
    }
    assert import_all(tmp_path, contents) == {PAIRS: {split: 1}, MINING: {split: 5}}


def test_what_has_no_gold_pairs_is_left_out_with_the_reason(tmp_path: Path) -> None:
    hidden = {"bucc2018/zh-en.test.zh": GOOD[ZH], "bucc2018/zh-en.test.en": GOOD[EN]}
    planned = importer.plan(make(tmp_path, {**GOOD, **hidden}))
    assert {path.name: reason for path, reason in planned.left_out.items()} == dict.fromkeys(
        ("zh-en.test.zh", "zh-en.test.en"), "there is no zh-en.test.gold beside it"
    )
    assert any("zh test" in sentence for sentence in planned.missing)


def test_tatoeba_as_xtremes_script_leaves_it_has_lost_its_pairs(tmp_path: Path) -> None:
    sorted_by_script = {"tatoeba/sw-en.sw": GOOD[SWH], "tatoeba/sw-en.en": GOOD[ENG]}
    planned = importer.plan(make(tmp_path, {**GOOD, **sorted_by_script}))
    assert {path.name for path in planned.left_out} == {"sw-en.sw", "sw-en.en"}
    assert all("sorts the English sentences" in reason for reason in planned.left_out.values())


def test_a_language_that_tfds_does_not_have_is_left_out(tmp_path: Path) -> None:
    other = {name.replace("swh", "xho"): GOOD[name] for name in (SWH, ENG)}
    planned = importer.plan(make(tmp_path, {**GOOD, **other}))
    assert set(planned.left_out.values()) == {"tatoeba does not have the language 'xho'"}


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ({SWH: "x\n"}, r"swh-eng\.swh: there is no tatoeba\.swh-eng\.eng beside it"),
        ({ENG: "x\n"}, r"swh-eng\.eng: there is no tatoeba\.swh-eng\.swh beside it"),
        ({SWH: "x\n", ENG: "x\n", "b/tatoeba.swh-eng.swh": "x\n"}, "both hold the same sentences"),
        ({f"bucc2018/es-en.dev.{side}": "x\ty\n" for side in ("es", "en", "gold")}, "'es' is not"),
        ({**GOOD, "b/zh-en.dev.en": "x\ty\n"}, "both hold one side of zh-en.dev"),
        (
            {**GOOD, **{f"zh-en.sample.{side}": "x\ty\n" for side in ("zh", "en", "gold")}},
            "both hold the split 'validation' of bucc",
        ),
    ],
)
def test_what_cannot_be_planned(contents, reason, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        importer.plan(make(tmp_path, contents))


MALFORMED = {
    "tatoeba: English too long": ({ENG: GOOD[ENG] + "More.\n"}, 3, "more lines than in tatoeba.sw"),
    "tatoeba: English too short": (
        {ENG: "It rained yesterday.\n"},
        2,
        "the file ends, but tatoeba.swh-eng.swh has more lines",
    ),
    "tatoeba: an empty line": ({ENG: "It rained yesterday.\n\n"}, 2, "the line is empty"),
    "tatoeba: a blank line": ({SWH: "\u3000\nSamaki ameliwa.\n"}, 1, "the line is empty"),
    "tatoeba: empty": ({SWH: ""}, 1, "the file is empty"),
    "tatoeba: Latin-1": ({ENG: b"caf\xe9\nx\n"}, 1, "not valid UTF-8 at byte 4"),
    "tatoeba: CRLF": ({SWH: GOOD[SWH].replace("\n", "\r\n")}, 1, "Windows line end"),
    "bucc: one column": (
        {EN: "en-7\tIt rains.\nen-8\n"},
        2,
        "an id, a tab and a sentence, found 1",
    ),
    "bucc: a tab in a sentence": ({EN: "en-7\tIt\trains.\n"}, 1, "found 3 columns"),
    "bucc: an empty sentence": ({EN: "en-7\t \n"}, 1, "column 2 is empty"),
    "bucc: an empty id": ({ZH: "\t你好。\n"}, 1, "column 1 is empty"),
    "bucc: an id twice": ({ZH: GOOD[ZH] + "zh-1\t再\n"}, 4, "'zh-1' was used before, in line 1"),
    "bucc: an id on both sides": ({EN: GOOD[EN] + "zh-2\tx\n"}, 1, "the id 'zh-2' is in zh-en.dev"),
    "bucc: gold of no source": (
        {GOLD: "zh-2\ten-7\nzh-9\ten-8\n"},
        2,
        "no sentence with the id 'z",
    ),
    "bucc: gold of no target": (
        {GOLD: "zh-2\ten-9\n"},
        1,
        "there is no sentence with the id 'en-9'",
    ),
    "bucc: gold turned round": ({GOLD: "en-7\tzh-2\n"}, 1, "no sentence with the id 'en-7'"),
    "bucc: two translations": ({GOLD: "zh-2\ten-7\nzh-2\ten-8\n"}, 2, "the id 'zh-2' was used bef"),
    "bucc: one translation of two": (
        {GOLD: "zh-2\ten-7\nzh-3\ten-7\n"},
        2,
        "the id 'en-7' was use",
    ),
    "bucc: gold of one column": ({GOLD: "zh-2\n"}, 1, "an id, a tab and the id of its partner"),
    "bucc: byte-order mark": ({GOLD: b"\xef\xbb\xbfzh-2\ten-7\n"}, 1, "byte-order mark"),
    "bucc: NUL": ({EN: "en-7\tIt\0rains.\n"}, 1, "a NUL character"),
}


@pytest.mark.parametrize(("bad", "line", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_files_are_named(bad, line, reason, tmp_path: Path) -> None:
    refused(tmp_path, GOOD, bad, line, reason)


def test_progress_reaches_the_size_of_the_files(tmp_path: Path) -> None:
    seen: list[int] = []
    planned = importer.plan(make(tmp_path / "source", GOOD))
    importer.write(planned, tmp_path / "out", Reading(seen.append))
    assert sum(seen) == planned.num_bytes


def test_real_tatoeba(shared: Path, tmp_path: Path) -> None:
    counts = importer.write(importer.plan(shared / "data" / "tatoeba"), tmp_path / "out")
    expected = dict.fromkeys(("ar", "bn", "de", "es", "fi", "hi", "id", "ru"), 1000)
    assert counts == {
        f"tatoeba/tatoeba_{code}:1.0.0": {"train": count}
        for code, count in {**expected, "sw": 390}.items()
    }
    rows = read(tmp_path / "out", "tatoeba/tatoeba_bn:1.0.0", "train")
    for side, key in (("ben", "source_sentence"), ("eng", "target_sentence")):
        path = shared / "data" / "tatoeba" / f"tatoeba.ben-eng.{side}"
        assert [row[key] for row in rows] == path.read_text(encoding="utf-8").splitlines()


def test_real_bucc(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "bucc2018"
    counts = importer.write(importer.plan(folder), tmp_path / "out")
    assert counts == {PAIRS: {"validation": 257}, MINING: {"validation": 8624 + 13589}}
    paths = {side: folder / f"zh-en.dev.{side}" for side in ("zh", "en", "gold")}
    rows = list(bucc.mining_rows(paths, "zh", Reading()))
    pair = {row["id"]: row["pair"] for row in rows if row["pair"]}
    assert len(pair) == 2 * 257
    assert all(pair[pair[identifier]] == identifier for identifier in pair)
    texts = {row["id"]: row["sentence"] for row in rows}
    for row in read(tmp_path / "out", PAIRS, "validation"):
        assert texts[row["source_id"]] == row["source_sentence"]
        assert texts[row["target_id"]] == row["target_sentence"]
        assert pair[row["source_id"]] == row["target_id"]
