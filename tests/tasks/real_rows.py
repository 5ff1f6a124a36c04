"""The beginnings of the files in ../shared/data, imported once and read as the tasks read them.

Nothing of them is in the project. A file that has thousands of rows is cut to its first `ROWS`
before the real import reads it, so that the tests stay quick; its first rows stay what they were.
"""

import atexit
import functools
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import seqio

from tasks import catalogue, vocabulary
from tasks.importers import run as importer

ROWS = 300
# Of BUCC, one side follows the other: all that `_gold_and_first` keeps.
BUCC_ROWS = 1200
# No row is cut off, whatever its length; plain text is, into pieces to hide spans in.
LENGTHS = {"inputs": 1 << 16, "targets": 1 << 16}
TEXT_LENGTHS = {"inputs": 256, "targets": 128}

Cut = Callable[[Path], bytes]
Row = Mapping[str, Any]
Counts = dict[str, dict[str, int]]


def _whole(path: Path) -> bytes:
    return path.read_bytes()


def _lines(path: Path) -> bytes:
    """The header, where there is one, and the first rows."""
    return b"\n".join(path.read_bytes().split(b"\n")[: ROWS + 1]).rstrip(b"\n") + b"\n"


def _sentences(path: Path) -> bytes:
    return b"\n\n".join(path.read_bytes().strip(b"\n").split(b"\n\n")[:ROWS]) + b"\n"


def _questions(path: Path) -> bytes:
    """The first articles that have so many questions together."""
    kept: list[dict] = []
    count = 0
    for article in json.loads(path.read_bytes())["data"]:
        if count < ROWS:
            kept.append(article)
            count += sum(len(paragraph["qas"]) for paragraph in article["paragraphs"])
    return json.dumps({"data": kept}, ensure_ascii=False).encode()


def _gold_and_first(path: Path) -> bytes:
    """The sentences of BUCC's gold pairs, wherever they are, and the first of the others."""
    gold = set(path.with_suffix(".gold").read_bytes().split())
    lines = path.read_bytes().splitlines(keepends=True)
    return b"".join(
        line for at, line in enumerate(lines) if at < ROWS or line.split(b"\t")[0] in gold
    )


# Files below ../shared/data, the folder in which the import is given them, and how they are cut.
_FILES: tuple[tuple[str, str, Cut], ...] = (
    ("xnli/*.tsv", "xnli", _lines),
    ("mnli/*.tsv", "mnli", _lines),
    ("anli/*.jsonl", "anli", _lines),
    ("paws_x/*.tsv", "paws_x", _lines),
    # Too many of the first are damaged for the import, which takes one in a hundred.
    ("qqp/*.tsv", "qqp", _whole),
    ("advglue/*.json", "advglue", _whole),
    ("panx/*.tsv", "panx", _sentences),
    ("ccg/fracas_candc_silver.conll", "ccg/dev.conll", _whole),
    ("tydiqa_goldp/*.json", "tydiqa_goldp", _questions),
    ("xquad/*.json", "xquad", _questions),
    ("mlqa/*.json", "mlqa", _questions),
    ("squad_v2/*.json", "squad_v2", _questions),
    ("squad_v2/*.json", "squad_v1_from_v2", _questions),
    ("hellaswag/*.jsonl", "hellaswag", _lines),
    ("cosmos_qa/*.csv", "cosmos_qa", _whole),
    ("commonsense_qa/dev_rand_split.jsonl", "commonsense_qa", _lines),
    ("commonsense_qa/ecqa_train.tsv", "commonsense_qa", _lines),
    ("xcopa/*.jsonl", "xcopa", _whole),
    ("tatoeba/tatoeba.*", "tatoeba", _whole),
    ("bucc2018/*", "bucc2018", _gold_and_first),
    ("swahili_text/*.txt", "text/train-sw.txt", _lines),
    *(
        (f"{folder}/{code}.txt", f"text/{split}-{code}.txt", _lines)
        for code in "ar bn de en es fi hi id ru sw".split()
        for folder, split in (("ud_pud", "train"), ("udhr", "validation"))
    ),
)
# Archives whose rows are not SQuAD's but made up, or MultiNLI's a second time.
_LEFT_OUT = ("squad_dummy", "multi_nli", "glue_dummy_mnli")


@functools.cache
def imported(data: Path, cut: bool = True) -> tuple[Path, Counts]:
    """Imports all files, cut or whole; returns the TFDS data directory and the counts."""
    source, out = _folders()
    for pattern, place, how in _FILES:
        for path in sorted(data.glob(pattern)):
            target = source / place
            if not target.suffix:
                target /= path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((how if cut else _whole)(path))
    return out, importer.write(importer.plan(source), out)


@functools.cache
def imported_originals(data: Path) -> tuple[Path, Counts]:
    """Imports the archives of the original downloads, a few rows each, as they unpack."""
    source, out = _folders()
    for archive in data.glob("original_formats/*.zip"):
        if not archive.name.startswith(_LEFT_OUT):
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(source / archive.stem)
    return out, importer.write(importer.plan(source), out)


def _folders() -> tuple[Path, Path]:
    """Returns where to put files and where to import them to; both last as long as the process."""
    holder = tempfile.TemporaryDirectory(prefix="real_rows.")
    atexit.register(holder.cleanup)
    return Path(holder.name, "source"), Path(holder.name, "out")


def use(
    shared: Path, monkeypatch: pytest.MonkeyPatch, cut: bool = True, originals: bool = False
) -> Counts:
    """Puts the real rows and mT5's real vocabulary in force; returns the counts of the import."""
    data = shared / "data"
    folder, counts = imported_originals(data) if originals else imported(data, cut)
    monkeypatch.setenv("TFDS_DATA_DIR", os.fspath(folder))
    vocabulary.choose(data / "mt5_vocab" / "spiece.model")
    return counts


def read(task: str, split: str, count: int = -1) -> list[dict[str, Any]]:
    """Returns the first rows of a task, or all, with ids in mT5's vocabulary; after `use`."""
    lengths = TEXT_LENGTHS if catalogue.parse(task).data in catalogue.TEXT else LENGTHS
    dataset = seqio.get_mixture_or_task(task).get_dataset(lengths, split, shuffle=False, seed=0)
    return list(dataset.take(count).as_numpy_iterator())


def rows(task: str, split: str) -> list[dict[str, Any]]:
    """Returns the first rows of a task as `read` does, and remembers them."""
    return _remembered(task, split, os.environ["TFDS_DATA_DIR"])


@functools.cache
def _remembered(task: str, split: str, folder: str) -> list[dict[str, Any]]:
    return read(task, split, BUCC_ROWS if catalogue.parse(task).data == "bucc" else ROWS)


def texts(task: str, row: Row) -> tuple[str, str]:
    """Returns the inputs and the targets of a row; of plain text, what its ids say."""
    if catalogue.parse(task).data in catalogue.TEXT:
        inputs, targets = (
            vocabulary.chosen().decode(row[side].tolist()) for side in ("inputs", "targets")
        )
        return inputs, targets
    return row["inputs_pretokenized"].decode(), row["targets_pretokenized"].decode()
