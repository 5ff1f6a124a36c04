"""Plain text and mC4's shards become splits of c4/multilingual, a line a document."""

import gzip
import json
import zipfile
from pathlib import Path

import pytest
import seqio

from tasks import languages
from tasks.errors import DataError
from tasks.importers import mc4
from tasks.importers import run as importer
from tasks.importers.base import Reading
from tests.tasks.importing import Files, import_all, make, read, refused

C4 = "c4/multilingual:3.1.0"
BENGALI = "রবি ঢাকায় থাকে।\nঅন্য একটি বাক্য।\n"
PAGE = {"timestamp": "2020-01-02T03:04:05Z", "text": "Habari\nza leo", "url": "https://x/1"}


def shard(*pages: dict) -> bytes:
    return b"".join(json.dumps(page).encode() + b"\n" for page in pages)


SW = "multilingual/c4-sw.tfrecord-0000{}-of-00003.json.gz"
GOOD: Files = {
    "text/train-bn.txt": BENGALI,
    "text/validation-bn.txt": BENGALI,
    SW.format(0): gzip.compress(shard(PAGE)),
    SW.format(2): gzip.compress(shard({**PAGE, "text": "Pili"}, {**PAGE, "text": "Tatu"})),
    "multilingual/c4-sw-validation.tfrecord-00000-of-00001.json": shard(PAGE),
}


def test_all_are_imported_and_tfds_reads_them(tmp_path: Path) -> None:
    counts = import_all(tmp_path, GOOD)
    assert counts == {C4: {"bn": 2, "bn-validation": 2, "sw": 3, "sw-validation": 1}}
    out = tmp_path / "out"
    assert [row["text"] for row in read(out, C4, "bn")] == BENGALI.splitlines()
    assert [row["text"] for row in read(out, C4, "sw")] == [PAGE["text"], "Pili", "Tatu"]
    empty = {"content-type": "", "content-length": ""}
    assert read(out, C4, "sw-validation") == [{**PAGE, **empty}]


def test_span_corruption_reads_what_was_imported(tmp_path: Path, monkeypatch) -> None:
    import_all(tmp_path, GOOD)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "out"))
    task = seqio.get_mixture_or_task("mc4_span_corruption.bn")
    lengths = {"inputs": 64, "targets": 32}
    assert list(task.get_dataset(lengths, "validation", shuffle=False).as_numpy_iterator())


def test_languages_are_stored_under_mc4s_codes(tmp_path: Path) -> None:
    texts = {f"text/train-{code}.txt": "x\n" for code in ("he", "tl", "sw", "ja-Latn")}
    assert import_all(tmp_path, texts) == {C4: {"iw": 1, "fil": 1, "sw": 1, "ja-Latn": 1}}
    assert {languages.MC4_CODES["he"], languages.MC4_CODES["tl"]} == {"iw", "fil"}


def test_missing_shards_are_told(tmp_path: Path) -> None:
    planned = importer.plan(make(tmp_path, GOOD))
    assert f"{C4} sw: 2 of 3 shards" in planned.missing
    assert not any("sw-validation" in sentence for sentence in planned.missing)


def test_blank_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    reading = Reading()
    counts = import_all(tmp_path, {"text/train-ar.txt": "\nقطة\n \u200a\nكلب"}, reading)
    assert counts == {C4: {"ar": 2}}
    path = tmp_path / "source" / "text" / "train-ar.txt"
    assert reading.left_out == {(path, mc4.BLANK): 2}


def test_progress_reaches_the_size_of_the_files(tmp_path: Path) -> None:
    seen: list[int] = []
    planned = importer.plan(make(tmp_path / "source", GOOD))
    importer.write(planned, tmp_path / "out", Reading(seen.append))
    assert sum(seen) == planned.num_bytes


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["a/text/train-sw.txt", "b/text/train-sw.txt"], "both hold the split 'sw' of c4"),
        (["text/train-he.txt", "text/train-iw.txt"], "both hold the split 'iw' of c4"),
        (["text/train-sw.txt", SW.format(1)], "both hold the split 'sw' of c4"),
        ([SW.format(1), SW.format(1).removesuffix(".gz")], "are the same shard"),
        ([SW.format(1), SW.format(1).replace("of-00003", "of-00009")], "both hold the split 'sw'"),
        (["udhr/sw.txt", "text/sw.txt", "text/test-sw.txt"], "nothing to import"),
    ],
)
def test_files_of_one_split_or_of_another_name_are_not_read(names, reason, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        importer.plan(make(tmp_path, dict.fromkeys(names, "x\n")))


def packed(content: bytes) -> dict[str, bytes]:
    return {SW.format(2): gzip.compress(content)}


TEXT = "text/train-bn.txt"
MALFORMED = {
    "empty": ({TEXT: ""}, 1, "the file is empty"),
    "blank": ({TEXT: "\n \n"}, 1, "the file has blank lines alone"),
    "CRLF": ({TEXT: BENGALI.replace("\n", "\r\n")}, 1, "a Windows line end"),
    "NUL": ({TEXT: "a\nb\0\n"}, 2, "a NUL character"),
    "Latin-1": ({TEXT: b"a\nb\xe9\n"}, 2, "not valid UTF-8 at byte 2"),
    "UTF-16": ({TEXT: BENGALI.encode("utf-16")}, 1, "UTF-16"),
    "byte-order mark": ({TEXT: b"\xef\xbb\xbf" + BENGALI.encode()}, 1, "byte-order mark"),
    "not gzip": ({SW.format(2): shard(PAGE)}, 1, "the archive is damaged or not gzip"),
    "gzip cut off": (
        {SW.format(2): gzip.compress(shard(PAGE))[:-12]},
        None,
        "the archive is damaged or not gzip",
    ),
    "gzip of another content": (
        {SW.format(2): gzip.compress(shard(PAGE))[:-8] + bytes(8)},
        None,
        "the archive is damaged or not gzip",
    ),
    "empty archive": (packed(b""), 1, "the file is empty"),
    "Latin-1 inside": (
        packed(shard(PAGE) + b'{"text": "\xe9"}\n'),
        2,
        "not valid UTF-8 at byte 11",
    ),
    "no JSON": (packed(shard(PAGE) + b"Habari\n"), 2, "not valid JSON at column 1"),
    "a list": (packed(shard(PAGE) + b"[1]\n"), 2, "'text' is missing"),
    "cut off": (packed(shard(PAGE, PAGE)[:-9]), 2, "not valid JSON at column"),
    "blank line": (packed(shard(PAGE) + b"\n"), 2, "not valid JSON"),
    "no text": (packed(shard({"url": "x", "timestamp": ""})), 1, "'text' is missing"),
    "empty text": (packed(shard(PAGE, {**PAGE, "text": " "})), 2, "'text' is empty"),
    "text a number": (packed(shard({**PAGE, "text": 7})), 1, "'text' must be a string, found 7"),
    "no address": (packed(shard({"text": "x", "timestamp": ""})), 1, "'url' is missing"),
}


@pytest.mark.parametrize(("bad", "line", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_files_are_named(bad, line, reason, tmp_path: Path) -> None:
    refused(tmp_path, GOOD, bad, line, reason)


def test_the_original_archive(shared: Path, tmp_path: Path) -> None:
    name = "mc4_dummy_af_0.0.0.zip"
    with zipfile.ZipFile(shared / "data" / "original_formats" / name) as archive:
        archive.extractall(tmp_path / "source")
    planned = importer.plan(tmp_path / "source")
    counts = importer.write(planned, tmp_path / "out")
    assert counts == {C4: {"af": 3, "af-validation": 3}}
    assert f"{C4} af: 1 of 64 shards" in planned.missing
    assert all(row["url"].startswith("http") for row in read(tmp_path / "out", C4, "af"))


def test_real_texts(shared: Path, tmp_path: Path) -> None:
    folder = tmp_path / "text"
    folder.mkdir()
    udhr, news = shared / "data" / "udhr", shared / "data" / "swahili_text"
    for code in languages.STUDY:
        (folder / f"validation-{code}.txt").symlink_to(udhr / f"{code}.txt")
    (folder / "train-sw.txt").symlink_to(news / "voa_clean_final.txt")
    counts = importer.write(importer.plan(tmp_path), tmp_path / "out")[C4]
    assert counts.pop("sw") == 7672
    lines = {code: (udhr / f"{code}.txt").read_bytes().count(b"\n") for code in languages.STUDY}
    assert {split.removesuffix("-validation"): count for split, count in counts.items()} == {
        code: count + (not (udhr / f"{code}.txt").read_bytes().endswith(b"\n"))
        for code, count in lines.items()
    }
