"""Question answering: SQuAD's JSON of six data sets, its answers in code points, TFDS's rows."""

import copy
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
import tensorflow_datasets.question_answering.qa_utils as official
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_datasets.datasets.squad import squad_dataset_builder as official_v2

from tasks.errors import DataError
from tasks.importers import run as importer
from tasks.importers import squad, tydiqa
from tasks.importers.base import Reading
from tests.tasks.importing import import_all, make, read, refused

TYDIQA = tydiqa.NAME
# Astral and combining characters before the answer: code points, bytes and UTF-16 units differ.
HINDI = "😀😀 किताब मेज़ पर है।"


def question(identifier: str, context: str, answer: str | None, **changes: Any) -> dict:
    answers = [] if answer is None else [{"text": answer, "answer_start": context.index(answer)}]
    return {"id": identifier, "question": "Missä?", "answers": answers, **changes}


def document(*paragraphs: tuple[str, list[dict]], title: str | None = "Åbo") -> dict:
    """One article with the paragraphs, each a context and its questions."""
    article: dict[str, Any] = {"paragraphs": [{"context": c, "qas": qas} for c, qas in paragraphs]}
    return {"version": "1", "data": [article if title is None else {"title": title, **article}]}


def text(of: dict, **options: Any) -> str:
    return json.dumps(of, indent=1, ensure_ascii=False, **options)


FINNISH = "Asun Åbossa."
SWAHILI = "Nairobi ni mji."
FI = document((FINNISH, [question("finnish-1-0", FINNISH, "Åbo")]))
SW = document((SWAHILI, [question("swahili-2-0", SWAHILI, "mji")]))
ALL = {"data": FI["data"] + SW["data"]}
V2 = document(
    (
        FINNISH,
        [
            question("1", FINNISH, "Åbo", is_impossible=False),
            question(
                "2",
                FINNISH,
                None,
                is_impossible=True,
                plausible_answers=[{"text": "Asun", "answer_start": 0}],
            ),
            question("3", FINNISH, None, is_impossible=True),
        ],
    )
)
GOOD = {
    "tydiqa_goldp/dev-fi.json": text(FI),
    "tydiqa_goldp/dev-sw.json": text(SW),
    "xquad/xquad.hi.json": text(document((HINDI, [question("h", HINDI, "मेज़")]), title=None)),
    "MLQA_V1/dev/dev-context-de-question-de.json": text(SW),
    "MLQA_V1/test/test-context-de-question-ar.json": text(SW),
    "squad/train-v1.1.json": text(FI),
    "squad/dev-v2.0.json": text(V2),
}
ROW = {
    "id": "finnish-1-0",
    "title": "Åbo",
    "context": FINNISH,
    "question": "Missä?",
    "answers": {"text": ["Åbo"], "answer_start": [5]},
}


def test_all_are_imported_and_tfds_reads_them(tmp_path: Path) -> None:
    assert import_all(tmp_path, GOOD) == {
        "tydi_qa/goldp:3.0.0": {"validation": 2, "validation-fi": 1, "validation-sw": 1},
        "xquad/hi:3.0.0": {"test": 1},
        "mlqa/de:1.0.0": {"validation": 1},
        "mlqa_cross/de-ar:1.0.0": {"test": 1},
        "squad/v1.1:3.0.0": {"train": 1},
        "squad/v2.0:3.0.0": {"validation": 3},
    }
    out = tmp_path / "out"
    assert read(out, TYDIQA, "validation-fi") == [ROW]
    (hindi,) = read(out, "xquad/hi:3.0.0", "test")
    assert hindi["answers"] == {"text": ["मेज़"], "answer_start": [9]}
    assert hindi["title"] == ""
    none: dict[str, list] = {"text": [], "answer_start": []}
    plausible = {"text": ["Asun"], "answer_start": [0]}
    found = [
        (row["id"], row["is_impossible"], row["answers"], row["plausible_answers"])
        for row in read(out, squad.V2, "validation")
    ]
    assert found == [
        ("1", False, ROW["answers"], none),
        ("2", True, none, plausible),
        ("3", True, none, none),
    ]


def test_squad_2_serves_as_squad_1_only_where_it_is_asked_for(tmp_path: Path) -> None:
    reading = Reading()
    name = "squad_v1_from_v2/dev-v2.0.json"
    counts = import_all(tmp_path, {name: text(V2), "squad/dev-v2.0.json": text(V2)}, reading)
    assert counts == {squad.V1: {"validation": 1}, squad.V2: {"validation": 3}}
    assert reading.left_out == {(tmp_path / "source" / name, squad.UNANSWERABLE): 2}
    (row,) = read(tmp_path / "out", squad.V1, "validation")
    assert row == {**ROW, "id": "1"}
    both = make(tmp_path / "both", {name: text(V2), "squad/dev-v1.1.json": text(FI)})
    with pytest.raises(DataError, match=r"both hold the split 'validation' of squad/v1\.1"):
        importer.plan(both)


def test_tydiqas_own_files_hold_all_languages(tmp_path: Path) -> None:
    counts = import_all(
        tmp_path,
        {
            "tydiqa-goldp-v1.1-dev.json": text(ALL),
            "tydiqa-goldp-v1.1-train.json": text(ALL),
            # One language as TFDS reads it; the other is found in the file of all.
            "tydiqa-goldp-v1.1-dev/tydiqa-goldp-dev-finnish.json": text(FI),
        },
    )
    assert counts == {TYDIQA: {"train": 2, "validation": 2, "validation-fi": 1, "validation-sw": 1}}
    assert read(tmp_path / "out", TYDIQA, "validation-fi") == [ROW]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["a/tydiqa_goldp/dev-fi.json", "b/tydiqa_goldp/dev-fi.json"], "one language's split"),
        (["tydiqa_goldp/dev-fi.json", "tydiqa-goldp-dev-finnish.json"], "one language's split"),
        (["tydiqa_goldp/train-fi.json", "tydiqa-goldp-v1.1-train.json"], "the split 'train' of"),
        (["a/tydiqa-goldp-v1.1-dev.json", "b/tydiqa-goldp-v1.1-dev.json"], "one split of tydi_qa"),
        (["tydiqa_goldp/dev-de.json"], "'de' is not a language of this data set"),
        (["tydiqa-goldp-dev-german.json"], "'german' is not a language of this data set"),
        (["tydiqa.translate.train.en-en.json"], "'en' is not a language of this data set"),
        (["xquad.fi.json"], "'fi' is not a language of this data set; it has ar de el"),
        (["squad.translate.train.en-en.json"], "'en' is not a language of this data set"),
        (["dev-context-de-question-fi.json"], "'fi' is not a language of this data set; it has ar"),
    ],
)
def test_files_of_no_language_or_of_one_split_are_refused(names, reason, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=reason):
        importer.plan(make(tmp_path, dict.fromkeys(names, text(FI))))


def test_files_that_xtremes_script_cut_are_left_out_with_the_reason(tmp_path: Path) -> None:
    names = ["tydiqa.goldp.fi.dev.json", "tydiqa.goldp.sw.train.json"]
    planned = importer.plan(make(tmp_path, {**GOOD, **dict.fromkeys(names, text(FI))}))
    cut = {path.name for path, reason in planned.left_out.items() if "XTREME's script" in reason}
    assert cut == set(names)


TRANSLATED = document(
    (
        HINDI,
        [
            question("kept", HINDI, "मेज़"),
            question("lost", HINDI, "मेज़", answers=[{"text": "मेज़", "answer_start": -1}]),
            question("moved", HINDI, "मेज़", answers=[{"text": "मेज़", "answer_start": 10}]),
            question("emptied", HINDI, "मेज़", answers=[{"text": "", "answer_start": 0}]),
            question("without", HINDI, None),
            # One of two answers is enough.
            question("half", HINDI, "मेज़"),
            question("half", HINDI, "मेज़", answers=[{"text": "मेज़", "answer_start": 0}]),
            question("unasked", HINDI, "मेज़", question=" "),
            # XTREME gives a question once for each answer.
            question("flat", HINDI, "मेज़"),
            question("flat", HINDI, "है"),
        ],
    ),
    ("", [question("no context", "", None)]),
)


def test_translations_lose_rows_and_all_of_them_are_counted(tmp_path: Path) -> None:
    reading = Reading()
    names = {
        "tydiqa.translate.train.en-fi.json": (TYDIQA, "translate-train-fi"),
        "squad.translate.train.en-hi.json": ("xquad/hi:3.0.0", "translate-train"),
        "squad.translate.dev.en-hi.json": ("xquad/hi:3.0.0", "translate-dev"),
        "xquad.translate.test.hi-en.json": ("xquad/hi:3.0.0", "translate-test"),
    }
    counts = import_all(tmp_path, dict.fromkeys(names, text(TRANSLATED)), reading)
    for file, (name, split) in names.items():
        assert counts[name][split] == 2
        path = tmp_path / "source" / file
        assert reading.left_out[path, squad.LOST] == 6
        assert reading.left_out[path, squad.UNASKED] == 1
        kept, flat = read(tmp_path / "out", name, split)
        assert (kept["id"], kept["answers"]) == ("kept", {"text": ["मेज़"], "answer_start": [9]})
        assert flat["answers"] == {"text": ["मेज़", "है"], "answer_start": [9, 17]}
    assert sum(reading.left_out.values()) == 28


def test_the_same_rows_are_refused_in_a_file_that_is_no_translation(tmp_path: Path) -> None:
    broken = {"xquad/xquad.hi.json": text(TRANSLATED)}
    refused(tmp_path, GOOD, broken, None, "question lost: the answer 'मेज़' is not in its context")


def test_a_translation_is_still_checked_for_what_translating_does_not_do(tmp_path: Path) -> None:
    other = document(
        (HINDI, [question("a", HINDI, "है")]), (FINNISH, [question("a", FINNISH, "Åbo")])
    )
    name = "squad.translate.train.en-hi.json"
    refused(tmp_path / "1", GOOD, {name: text(other)}, 26, "the id 'a' was used before, in line 11")
    other["data"][0]["paragraphs"][0]["qas"][0]["answers"][0]["answer_start"] = "17"
    refused(tmp_path / "2", GOOD, {name: text(other)}, 16, 'must be a whole number, found "17"')


def changed(of: dict, key: str, value: Any) -> str:
    """The document with a member of its first question, or of that question's answer, changed."""
    copied = copy.deepcopy(of)
    first = copied["data"][0]["paragraphs"][0]["qas"][0]
    owner = first["answers"][0] if key in ("text", "answer_start") else first
    if value is None:
        del owner[key]
    else:
        owner[key] = value
    return text(copied)


def twice(of: dict) -> str:
    copied = copy.deepcopy(of)
    copied["data"][0]["paragraphs"][0]["qas"] *= 2
    return text(copied)


DEV, V1_FILE, V2_FILE = "tydiqa_goldp/dev-fi.json", "squad/train-v1.1.json", "squad/dev-v2.0.json"
MALFORMED = {
    "JSON cut off": (DEV, text(FI)[:-9], 22, "not valid JSON at column"),
    "JSON lines": (V1_FILE, '{"data": []}\n{"data": []}\n', 2, "Extra data"),
    "another shape": (DEV, "[1]", 1, "'data' is missing"),
    "a number": (DEV, "7", 1, "'data' is missing"),
    "no questions": (DEV, '{"data": []}', 1, "the file has no questions"),
    "paragraphs absent": (V1_FILE, '{"data":\n[{"title": "x"}]}', 2, "'paragraphs' is missing"),
    "questions absent": (V1_FILE, text(FI).replace('"qas"', '"qs"'), 7, "'qas' is missing"),
    "an object for a list": (V1_FILE, '{"data": {}}', 1, "'data' must be a list, found {}"),
    "nested too deeply": (V1_FILE, "[" * 100_000, 1, "nested too deeply"),
    "a title that is none": (
        V1_FILE,
        text(FI).replace('"Åbo",\n', "7,\n", 1),
        5,
        "must be a string",
    ),
    "an empty context": (V1_FILE, text(FI).replace(FINNISH, " "), 8, "'context' is empty"),
    "an empty question": (DEV, changed(FI, "question", " "), 12, "'question' is empty"),
    "an empty id": (V1_FILE, changed(FI, "id", ""), 11, "'id' is empty"),
    "no id": (V1_FILE, changed(FI, "id", None), 10, "'id' is missing"),
    "no answers": (DEV, changed(FI, "answers", None), 10, "finnish-1-0: 'answers' is missing"),
    "no answer": (DEV, changed(FI, "answers", []), 10, "finnish-1-0: the question has no answer"),
    "an answer elsewhere": (
        DEV,
        changed(FI, "answer_start", 6),
        14,
        "question finnish-1-0: the answer 'Åbo' is not in its context at answer_start 6; 'bos' is",
    ),
    "counted in bytes": (
        "xquad/xquad.hi.json",
        GOOD["xquad/xquad.hi.json"].replace('"answer_start": 9', '"answer_start": 25'),
        None,
        "is not in its context at answer_start 25; '' is there",
    ),
    "counted in UTF-16": (
        "xquad/xquad.hi.json",
        GOOD["xquad/xquad.hi.json"].replace('"answer_start": 9', '"answer_start": 11'),
        None,
        "is not in its context at answer_start 11",
    ),
    "counted from the end": (DEV, changed(FI, "answer_start", -7), 14, "at answer_start -7"),
    "start a string": (DEV, changed(FI, "answer_start", "5"), 16, 'a whole number, found "5"'),
    "start a fraction": (DEV, changed(FI, "answer_start", 5.0), 16, "whole number, found 5.0"),
    "start a truth": (DEV, changed(FI, "answer_start", True), 16, "whole number, found true"),
    "an emptied answer": (V1_FILE, changed(FI, "text", ""), 14, "XTREME's download script empties"),
    "an id of another language": (
        DEV,
        changed(FI, "id", "swahili-1-0"),
        11,
        "the id does not begin with 'finnish-'",
    ),
    "an id in two languages' files": (
        "tydiqa_goldp/dev-sw.json",
        text(FI),
        11,
        "the id 'finnish-1-0' was used before, in dev-fi.json",
    ),
    "an id twice": (V1_FILE, twice(FI), 21, "'finnish-1-0' was used before, in line 11"),
    "an id twice in SQuAD 2": (V2_FILE, twice(V2), None, "the id '1' was used before, in line 11"),
    "possible without answer": (
        V2_FILE,
        changed(V2, "answers", []),
        14,
        "question 1: 'is_impossible' is false, but the question has 0 answers",
    ),
    "impossible with answer": (
        V2_FILE,
        changed(V2, "is_impossible", True),
        19,
        "'is_impossible' is true, but the question has 1 answers",
    ),
    "SQuAD 1 as SQuAD 2": (V2_FILE, text(FI), 10, "'is_impossible' is missing"),
    "plausible answer elsewhere": (
        V2_FILE,
        text(V2).replace('"answer_start": 0', '"answer_start": 1'),
        27,
        "question 2: the answer 'Asun' is not in its context at answer_start 1",
    ),
    "byte-order mark": (DEV, b"\xef\xbb\xbf" + text(FI).encode(), 1, "byte-order mark"),
    "UTF-16": (DEV, text(FI).encode("utf-16"), 1, "UTF-16"),
    "Latin-1": (DEV, text(FI).encode("latin-1"), 5, "not valid UTF-8"),
    "CRLF": (DEV, text(FI).replace("\n", "\r\n"), 1, "Windows line end"),
    "empty file": (DEV, "", 1, "the file is empty"),
}


@pytest.mark.parametrize(("name", "content", "line", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_files_are_named(name, content, line, reason, tmp_path: Path) -> None:
    refused(tmp_path, GOOD, {name: content}, line, reason)


WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00") | st.sampled_from("😀की́ 한글\n\u200d"),
    min_size=1,
)


@settings(max_examples=150)
@given(data=st.data(), shift=st.integers(-3, 3))
def test_an_answer_is_right_exactly_where_it_stands(tmp_path_factory, data, shift) -> None:
    context = data.draw(WORDS.filter(str.strip))
    start = data.draw(st.integers(0, len(context) - 1))
    end = data.draw(st.integers(start + 1, len(context)))
    answer = context[start:end]
    claimed = start + shift
    asked = question("q", context, None, answers=[{"text": answer, "answer_start": claimed}])
    path = tmp_path_factory.getbasetemp() / "hypothesis.json"
    path.write_bytes(json.dumps(document((context, [asked]))).encode())
    right = claimed >= 0 and context[claimed : claimed + len(answer)] == answer
    if right and answer.strip():
        (row,) = squad.rows(path, Reading())
        assert row["answers"] == {"text": [answer], "answer_start": [claimed]}
        assert [row] == list(squad.translated_rows(path, Reading()))
    else:
        with pytest.raises(DataError, match=r"line 1: question q: .*"):
            list(squad.rows(path, Reading()))
        reading = Reading()
        assert not list(squad.translated_rows(path, reading))
        assert reading.left_out == {(path, squad.LOST): 1}


def random_document(seed: int) -> dict:
    """A file as large as the real ones are small, flattened as XTREME's are."""
    draw = random.Random(seed)
    articles = []
    for number in range(draw.randint(1, 5)):
        context = "".join(draw.choice("ab ñ😀क्") for _ in range(60)) + "."
        qas = []
        for asked in range(draw.randint(1, 4)):
            start = draw.randrange(50)
            answer = context[start : start + 9]
            qas += [question(f"{number}.{asked}", context, answer)] * draw.choice((1, 1, 2))
        articles.append({"paragraphs": [{"context": context, "qas": qas}], "title": f"t{number}"})
    return {"data": articles}


@pytest.mark.parametrize("seed", range(20))
def test_rows_are_those_of_tfdss_builders(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text(random_document(seed)), encoding="utf-8")
    expected = [row for _, row in official.generate_squadlike_examples(path)]
    assert list(squad.translated_rows(path, Reading())) == expected


def test_progress_reaches_the_size_of_the_files(tmp_path: Path) -> None:
    seen: list[int] = []
    planned = importer.plan(make(tmp_path / "source", GOOD))
    importer.write(planned, tmp_path / "out", Reading(seen.append))
    assert sum(seen) == planned.num_bytes


def test_a_large_file_is_read_in_time_that_grows_with_it(tmp_path: Path) -> None:
    """Lines are counted for errors alone: 20,000 questions take seconds, not minutes."""
    qas = [question(str(number), FINNISH, "Åbo") for number in range(20_000)]
    path = tmp_path / "x.json"
    path.write_text(text(document((FINNISH, qas))), encoding="utf-8")
    assert sum(1 for _ in squad.rows(path, Reading())) == 20_000


REAL = {
    "xquad": ("xquad/xquad.*.json", 6 * 1190),
    "mlqa": ("mlqa/*.json", 4199),
    "tydiqa": ("tydiqa_goldp/*.json", 4132 + 6451),
}


@pytest.mark.parametrize(("pattern", "count"), REAL.values(), ids=REAL)
def test_real_files_give_tfdss_rows(pattern: str, count: int, shared: Path) -> None:
    total = 0
    for path in sorted((shared / "data").glob(pattern)):
        rows = list(squad.rows(path, Reading()))
        assert rows == [row for _, row in official.generate_squadlike_examples(path)]
        total += len(rows)
    assert total == count


def test_the_real_squad_2_gives_tfdss_rows(shared: Path) -> None:
    (path,) = (shared / "data" / "squad_v2").glob("*.json")
    rows = list(squad.rows_v2(path, Reading()))
    assert rows == [row for _, row in official_v2._generate_v2_examples(path)]
    reading = Reading()
    answerable = list(squad.answerable_rows(path, reading))
    assert (len(rows), len(answerable), sum(reading.left_out.values())) == (6078, 2910, 3168)


@pytest.mark.parametrize(
    ("archive", "counts"),
    [
        ("mlqa_dummy_mlqa.en.ar_1.0.0", {"mlqa_cross/en-ar:1.0.0": {"test": 1, "validation": 1}}),
        ("squad_v2_dummy_squad_v2_2.0.0", {squad.V2: {"validation": 2, "train": 2}}),
        (
            "tydiqa_dummy_secondary_task_1.0.0",
            {TYDIQA: {"train": 2, "validation": 1, "validation-ar": 1}},
        ),
        ("xquad_dummy_xquad.ar_1.0.0", {"xquad/ar:3.0.0": {"test": 153}}),
    ],
)
def test_original_archives(archive: str, counts: dict, shared: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shared / "data" / "original_formats" / f"{archive}.zip") as packed:
        packed.extractall(tmp_path / "source")
    assert importer.write(importer.plan(tmp_path / "source"), tmp_path / "out") == counts


def test_an_original_archive_of_answers_that_are_not_there(shared: Path, tmp_path: Path) -> None:
    name = "squad_dummy_plain_text_1.0.0.zip"
    with zipfile.ZipFile(shared / "data" / "original_formats" / name) as packed:
        packed.extractall(tmp_path / "source")
    with pytest.raises(DataError, match=r"dev-v1.1.json, line \d+: question .* is not in its cont"):
        importer.write(importer.plan(tmp_path / "source"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
