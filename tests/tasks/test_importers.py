"""Files that are right are imported whole; each kind of wrong file is named, line and reason."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import seqio

from scripts.main import main
from tasks.errors import DataError
from tasks.importers import run as importer
from tasks.importers.panx import spans

PANX = "Ada\tB-PER\nmet\tO\nসুমন\tB-PER\nরায়\tI-PER\n\nকেউ\tO\n"
XNLI_EN = "premise\thypothesis\tlabel\tgenre\nIt rained.\tIt was wet.\tentailment\tnews\n"
XNLI_HI = "premise\thypothesis\tlabel\tgenre\nबारिश हुई।\tगीला था।\tentailment\tnews\n"
PAWSX = 'id\tsentence1\tsentence2\tlabel\n7\tEr "kam".\tSie kam.\t0\n8\ta\tb\t1\n'
MNLI = "index\tpremise\thypothesis\tlabel\n3\tA .\tB .\tneutral\n"


def squad(identifier: str = "finnish-1-0", start: int = 4, **changes: object) -> str:
    """A SQuAD file of one question, each part on a line of its own."""
    question = {
        "id": identifier,
        "question": "Missä?",
        "answers": [{"text": "Åbo", "answer_start": start}],
        **changes,
    }
    paragraphs = [{"context": "Asun Åbossa."[1:], "qas": [question]}]
    return json.dumps({"data": [{"paragraphs": paragraphs}]}, indent=1, ensure_ascii=False)


def _twice() -> str:
    document = json.loads(squad())
    document["data"][0]["paragraphs"][0]["qas"] *= 2
    return json.dumps(document, indent=1)


TWICE = _twice()

GOOD = {
    "panx/dev-bn.tsv": PANX,
    "panx/train-bn.tsv": PANX * 2,
    "xnli/dev-en.tsv": XNLI_EN,
    "xnli/dev-hi.tsv": XNLI_HI,
    "xnli/train-en.tsv": XNLI_EN,
    "mnli/validation_matched.part.tsv": MNLI,
    "paws_x/dev-de.tsv": PAWSX,
    "tydiqa_goldp/dev-fi.json": squad(),
    "tydiqa_goldp/train-fi.json": squad("finnish-2-0"),
    "tydiqa_goldp/train-en.json": squad("english-2-0"),
}


def files(folder: Path, contents: Mapping[str, str | bytes]) -> Path:
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def run(source: Path, out: Path) -> dict[str, dict[str, int]]:
    return importer.write(importer.plan(source), out)


def test_everything_is_imported_and_the_tasks_read_it(tmp_path, monkeypatch) -> None:
    source, out = files(tmp_path / "source", GOOD), tmp_path / "out"
    assert run(source, out) == {
        "xnli:1.1.0": {"validation": 1},
        "multi_nli:1.1.0": {"train": 1, "validation_matched": 1},
        "wikiann/bn:1.0.0": {"validation": 2, "train": 3},
        "tydi_qa/goldp:3.0.0": {"validation": 1, "validation-fi": 1, "train": 2},
        "paws_x_wiki/de:1.0.0": {"validation": 2},
    }
    assert not list(out.glob("incomplete*"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(out))
    texts = {}
    for name in ("xnli_eval.hi", "panx_eval.bn", "tydiqa_eval.fi", "pawsx_eval.de"):
        task = seqio.get_mixture_or_task(name)
        rows = task.get_dataset(None, "validation", shuffle=False).as_numpy_iterator()
        texts[name] = [
            tuple(r[f"{key}_pretokenized"].decode() for key in ("inputs", "targets")) for r in rows
        ]
    assert texts == {
        "xnli_eval.hi": [("xnli: premise: बारिश हुई। hypothesis: गीला था।", "0")],
        "panx_eval.bn": [("tag: Ada met সুমন রায়", "PER: Ada $$ PER: সুমন রায়"), ("tag: কেউ", "None")],
        "tydiqa_eval.fi": [("question: Missä ? context: sun Åbossa . ", "Åbo")],
        "pawsx_eval.de": [
            ('paws sentence1: Er "kam". sentence2: Sie kam.', "different_meaning"),
            ("paws sentence1: a sentence2: b", "paraphrase"),
        ],
    }


def test_what_is_missing_and_left_out_is_told(tmp_path: Path) -> None:
    source = files(tmp_path, {**GOOD, "panx/LICENSE": "free"})
    planned = importer.plan(source)
    assert [path.name for path in planned.left_out] == ["LICENSE"]
    missing = "\n".join(planned.missing)
    for part in (
        "xnli:1.1.0 validation: no file for ar bg de el es fr ru",
        "xnli:1.1.0: no file for test",
        "wikiann: no file for test",
        "tydi_qa/goldp:3.0.0 train: no file for ar bn id ko ru sw te",
        "paws_x_wiki: no file for train test",
    ):
        assert part in missing


def test_progress_reaches_the_size_of_the_files(tmp_path: Path) -> None:
    planned = importer.plan(files(tmp_path / "source", GOOD))
    seen: list[int] = []
    importer.write(planned, tmp_path / "out", seen.append)
    assert sum(seen) == planned.num_bytes


def test_spans_of_tags() -> None:
    tags = ["B-PER", "B-PER", "I-PER", "O", "B-LOC"]
    assert spans(list("abcde"), tags) == ["PER: a", "PER: b c", "LOC: e"]
    assert spans(["a"], ["O"]) == ["None"]


def edit(name: str, old: str, new: str) -> Callable[[], dict[str, bytes]]:
    """The good file with one thing changed."""
    assert old in str(GOOD[name]), (name, old)
    return lambda: {name: GOOD[name].replace(old, new).encode("utf-8", "surrogateescape")}


PANX_DEV, XNLI_DEV, PAWSX_DEV = "panx/dev-bn.tsv", "xnli/dev-hi.tsv", "paws_x/dev-de.tsv"
TYDIQA_DEV, MNLI_DEV = "tydiqa_goldp/dev-fi.json", "mnli/validation_matched.part.tsv"
MALFORMED = {
    "panx: three columns": (edit(PANX_DEV, "met\tO", "met\tx\tO"), 2, "found 3 columns"),
    "panx: no tag": (edit(PANX_DEV, "met\tO", "met O"), 2, "found 1 columns"),
    "panx: empty token": (edit(PANX_DEV, "met\t", "\t"), 2, "the token is empty"),
    "panx: unknown tag": (edit(PANX_DEV, "met\tO", "met\tB-DOG"), 2, "unknown tag 'B-DOG'"),
    "panx: I after O": (
        edit(PANX_DEV, "met\tO", "met\tO\nx\tI-PER"),
        3,
        "I-PER cannot follow O; an entity begins with B-PER",
    ),
    "panx: I of another kind": (
        edit(PANX_DEV, "met\tO", "met\tI-LOC"),
        2,
        "I-LOC cannot follow B-PER",
    ),
    "panx: I at the beginning": (
        edit(PANX_DEV, "কেউ\tO", "কেউ\tI-ORG"),
        6,
        "cannot follow the beg",
    ),
    "panx: no sentences": (lambda: {PANX_DEV: b"\n\n"}, 1, "no sentences"),
    "invalid UTF-8": (edit(PANX_DEV, "met", "m\udce9t"), 2, "not valid UTF-8 at byte 2"),
    "mixed encodings": (
        lambda: {PAWSX_DEV: PAWSX.encode() + "9\tä\tb\t1\n".encode("latin-1")},
        4,
        "not valid UTF-8",
    ),
    "byte-order mark": (lambda: {PANX_DEV: b"\xef\xbb\xbf" + PANX.encode()}, 1, "byte-order mark"),
    "UTF-16": (lambda: {PANX_DEV: PANX.encode("utf-16")}, 1, "UTF-16"),
    "CRLF": (lambda: {PAWSX_DEV: PAWSX.replace("\n", "\r\n").encode()}, 1, "Windows line end"),
    "NUL": (edit(PAWSX_DEV, "Sie", "S\0e"), 2, "NUL"),
    "empty file": (lambda: {PAWSX_DEV: b""}, 1, "the file is empty"),
    "header only": (lambda: {PAWSX_DEV: b"id\tsentence1\tsentence2\tlabel\n"}, 1, "no rows"),
    "no header": (lambda: {XNLI_DEV: XNLI_HI.split("\n", 1)[1].encode()}, 1, "must name the col"),
    "column too few": (edit(XNLI_DEV, "\tnews", ""), 2, "expected 4 columns, found 3"),
    "empty field": (edit(XNLI_DEV, "गीला था।", "  "), 2, "the column 'hypothesis' is empty"),
    "blank line": (edit(PAWSX_DEV, "\n8\t", "\n\n8\t"), 3, "expected 4 columns, found 1"),
    "truncated row": (edit(PAWSX_DEV, "\tb\t1\n", ""), 3, "expected 4 columns, found 2"),
    "unknown NLI label": (edit(XNLI_DEV, "entailment", "Entailment"), 2, "unknown label 'Entail"),
    "unknown PAWS-X label": (edit(PAWSX_DEV, "b\t1", "b\t2"), 3, "unknown label '2'"),
    "languages disagree": (edit(XNLI_DEV, "entailment", "neutral"), 2, "'entailment' in dev-en"),
    "a language has more rows": (
        lambda: {XNLI_DEV: (XNLI_HI + "a\tb\tneutral\tnews\n").encode()},
        3,
        "more rows than in dev-en.tsv",
    ),
    "duplicate PAWS-X id": (edit(PAWSX_DEV, "\n8\t", "\n7\t"), 3, "'7' was used before, in line 2"),
    "duplicate MNLI index": (
        lambda: {MNLI_DEV: (MNLI + "3\tx\ty\tneutral\n").encode()},
        3,
        "used before, in line 2",
    ),
    "JSON cut off": (lambda: {TYDIQA_DEV: squad()[:-9].encode()}, None, "not valid JSON"),
    "JSON of another shape": (lambda: {TYDIQA_DEV: b"[1]"}, 1, "'data' is missing"),
    "no questions": (lambda: {TYDIQA_DEV: b'{"data": []}'}, 1, "no questions"),
    "answer elsewhere": (
        lambda: {TYDIQA_DEV: squad(start=5).encode()},
        9,
        "question finnish-1-0: the answer 'Åbo' is not in its context at answer_start 5; 'bos'",
    ),
    "negative answer_start": (lambda: {TYDIQA_DEV: squad(start=-8).encode()}, 9, "is not in its"),
    "answer_start a string": (
        lambda: {TYDIQA_DEV: squad(answers=[{"text": "Å", "answer_start": "4"}]).encode()},
        9,
        "must be a whole number",
    ),
    "no answer": (lambda: {TYDIQA_DEV: squad(answers=[]).encode()}, 9, "has no answer"),
    "empty question": (
        lambda: {TYDIQA_DEV: squad(question=" ").encode()},
        9,
        "'question' is empty",
    ),
    "id of another language": (
        lambda: {TYDIQA_DEV: squad("swahili-1").encode()},
        9,
        "does not begin with 'finnish-'",
    ),
    "duplicate question id": (lambda: {TYDIQA_DEV: TWICE.encode()}, 19, "before, in line 9"),
}


@pytest.mark.parametrize(("change", "line", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_files_are_named_and_nothing_is_left(change, line, reason, tmp_path) -> None:
    source = files(tmp_path / "source", GOOD)
    (changed,) = change()
    files(source, change())
    out = tmp_path / "out"
    with pytest.raises(DataError) as error:
        run(source, out)
    message = str(error.value)
    assert message.startswith(f"{source / changed}, line {line or ''}")
    assert reason in message
    assert "\n" not in message
    assert not out.exists()


def test_a_language_with_fewer_rows_is_named(tmp_path: Path) -> None:
    longer = {"xnli/dev-en.tsv": XNLI_EN + "a\tb\tneutral\tnews\n"}
    source = files(tmp_path / "source", {**GOOD, **longer})
    with pytest.raises(DataError, match=r"dev-hi.tsv, line 3: the file ends, but dev-en.tsv has"):
        run(source, tmp_path / "out")


def test_an_import_that_fails_leaves_the_last_one_as_it_was(tmp_path: Path) -> None:
    source, out = files(tmp_path / "source", GOOD), tmp_path / "out"
    run(source, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    files(source, {PAWSX_DEV: PAWSX + "9\n"})
    with pytest.raises(DataError):
        run(source, out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ({}, "nothing to import"),
        ({"other/dev-en.tsv": "x"}, "expected at least one of the folders xnli, mnli, panx"),
        ({"paws_x/dev-sw.tsv": PAWSX}, "'sw' is not a language of this data set; it has de en es"),
    ],
)
def test_folders_with_nothing_to_import(contents, reason, tmp_path) -> None:
    with pytest.raises(DataError, match=reason):
        importer.plan(files(tmp_path, contents))


def test_the_command_tells_what_was_imported(tmp_path, capsys) -> None:
    source, out = files(tmp_path / "source", GOOD), tmp_path / "out"
    assert main(["import-data", str(source), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "wikiann/bn:1.0.0      validation 2, train 3\n" in printed
    assert "wikiann: no file for test" in printed
    assert f"export TFDS_DATA_DIR={out}" in printed


def test_the_command_ends_in_one_sentence(tmp_path, capsys) -> None:
    source = files(tmp_path / "source", {PANX_DEV: "Ada\tI-PER\n"})
    assert main(["import-data", str(source), "--out", str(tmp_path / "out")]) == 2
    assert "mt5x: error: " in capsys.readouterr().err
    assert main(["import-data", str(tmp_path / "nowhere"), "--out", "x"]) == 2
    assert "there is no folder" in capsys.readouterr().err
