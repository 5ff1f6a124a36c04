"""Each kind of wrong file is refused with file, line and reason, and changes nothing stored.

Every kind goes through the whole import, beside files that are right and over an earlier import.
What other importers alone can refuse is in their own tests.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tasks.errors import DataError
from tasks.importers import run as importer
from tests.tasks import benchmark_files as bf
from tests.tasks.importing import make, refused

MNLI = "mnli/validation_matched.tsv"
PANX, PAWSX, XNLI = "panx/dev-bn.tsv", "paws_x/dev-de.tsv", "xnli/dev-hi.tsv"
JOINED = "XNLI-1.0/xnli.dev.tsv"
XTREME = "xnli/translate-train/en-tr-translated.tsv"
PAWSX_TRAIN = "x-final/de/translated_train.tsv"
MULTINLI, SNLI = "multinli_1.0/multinli_1.0_train.jsonl", "snli_1.0/snli_1.0_dev.txt"
ANLI = "anli_v1.0/R1/dev.jsonl"
GLUE_QQP, PARTITION = "QQP/train.tsv", "qqp/dev.tsv"
ADVGLUE = "advglue/dev.json"
HELLASWAG, COSMOS = "hellaswag_val.jsonl", "cosmosqa/valid.csv"
CSQA, ECQA = "csqa/dev_rand_split.jsonl", "csqa/ecqa_train.tsv"
XCOPA = "xcopa/val.sw.jsonl"
TYDIQA = "tydiqa_goldp/dev-fi.json"

_XTREME_ROW = ("It rained.", "It was wet.", "Yağdı.", "Islaktı.", "neutral")
# A right file of each form; what is not named here needs no companion.
RIGHT: dict[str, str] = {
    MNLI: bf.MNLI,
    PANX: bf.PANX,
    PAWSX: bf.PAWSX,
    XNLI: bf.XNLI_HI,
    JOINED: bf.XNLI_JOINED,
    XTREME: bf.tsv(_XTREME_ROW),
    PAWSX_TRAIN: bf.PAWSX,
    MULTINLI: bf.MULTINLI,
    SNLI: bf.SNLI_TXT,
    ANLI: bf.jsonl(bf.anli_object()),
    GLUE_QQP: bf.GLUE_QQP,
    PARTITION: bf.PARTITION_QQP,
    ADVGLUE: bf.advglue(),
    HELLASWAG: bf.jsonl(bf.HELLASWAG),
    COSMOS: bf.COSMOS,
    CSQA: bf.jsonl(bf.CSQA_FLAT),
    ECQA: bf.ECQA,
    XCOPA: bf.jsonl({**bf.COPA, "changed": True}),
    TYDIQA: bf.squad(),
}
# Files that must be right beside these.
BESIDE: dict[str, dict[str, str]] = {
    XNLI: {"xnli/dev-en.tsv": bf.XNLI_EN},
    XTREME: {"xnli/translate-train/en-ar-translated.tsv": bf.tsv(_XTREME_ROW)},
}


class Wrong(NamedTuple):
    """A wrong file, the line that must be named, and what must be said."""

    name: str
    content: str | bytes
    line: int
    reason: str


def edited(name: str, old: str, new: str, line: int, reason: str) -> Wrong:
    """A right file with one passage exchanged."""
    assert old in RIGHT[name], old
    return Wrong(name, RIGHT[name].replace(old, new, 1), line, reason)


def more(name: str, lines: str | bytes, line: int, reason: str) -> Wrong:
    """A right file with lines after its end."""
    extra = lines.encode("utf-8", "surrogateescape") if isinstance(lines, str) else lines
    return Wrong(name, RIGHT[name].encode() + extra, line, reason)


def member(name: str, line: int, reason: str, **changes: Any) -> Wrong:
    """A JSON Lines file whose only row has other members; None takes one away."""
    row = {**json.loads(RIGHT[name]), **changes}
    kept = {key: value for key, value in row.items() if value is not None}
    return Wrong(name, json.dumps(kept) + "\n", line, reason)


def encoded(name: str, encode: Callable[[str], bytes], line: int, reason: str) -> Wrong:
    """A right file in another encoding."""
    return Wrong(name, encode(RIGHT[name]), line, reason)


def _twice() -> str:
    document = json.loads(bf.squad())
    document["data"][0]["paragraphs"][0]["qas"] *= 2
    return json.dumps(document, indent=1)


def _five(*texts: str) -> dict[str, list[str]]:
    return {"label": bf.LETTERS, "text": list(texts)}


_DEEP = b"[" * 100_000
_MANY_SHORT = "".join(f"{n}\t1\t2\tIs it?\n" for n in range(100, 110))

KINDS: dict[str, Wrong] = {
    # The file as a whole.
    "empty file": Wrong(PAWSX, b"", 1, "the file is empty"),
    "byte-order mark": encoded(PANX, lambda t: t.encode("utf-8-sig"), 1, "byte-order mark"),
    "UTF-16": encoded(ANLI, lambda t: t.encode("utf-16"), 1, "is UTF-16, not UTF-8"),
    "UTF-16 without a mark": encoded(MNLI, lambda t: t.encode("utf-16-le"), 1, "a NUL character"),
    "invalid UTF-8": edited(PANX, "met", "m\udce9t", 2, "not valid UTF-8 at byte 2"),
    "mixed encodings": more(
        PAWSX, "9\tä\tb\t1\n".encode("latin-1"), 4, "not valid UTF-8 at byte 3"
    ),
    "overlong UTF-8": more(PAWSX, b"9\t\xc0\xaf\tb\t1\n", 4, "not valid UTF-8 at byte 3"),
    "a surrogate in UTF-8": more(PAWSX, b"9\t\xed\xa0\x80\tb\t1\n", 4, "not valid UTF-8"),
    "CRLF": encoded(PAWSX, lambda t: t.replace("\n", "\r\n").encode(), 1, "Windows line end"),
    "one CRLF": edited(MNLI, "neutral\n", "neutral\r\n", 2, "Windows line end (CRLF)"),
    "CR alone": edited(PAWSX, "\n8", "\r8", 2, "Windows line end"),
    "NUL": edited(PAWSX, "Sie", "S\0e", 2, "a NUL character"),
    # Tables.
    "header only": Wrong(PAWSX, "id\tsentence1\tsentence2\tlabel\n", 1, "no rows"),
    "no header": Wrong(XNLI, bf.XNLI_HI.split("\n", 1)[1], 1, "must name the columns premise"),
    "header in other words": edited(XNLI, "hypothesis", "claim", 1, "hypothesis is not there"),
    "header with commas": edited(PAWSX, "id\tsentence1", "id,sentence1", 1, "with tabs between"),
    "a column too few": edited(XNLI, "\tnews", "", 2, "expected 4 columns, found 3"),
    "a column too many": edited(MNLI, "A .", "A\t.", 2, "expected 4 columns, found 5"),
    "blank line": edited(PAWSX, "\n8\t", "\n\n8\t", 3, "expected 4 columns, found 1"),
    "cut off within a row": edited(PAWSX, "\tb\t1\n", "", 3, "expected 4 columns, found 2"),
    "blank field": edited(XNLI, "गीला था।", " \u3000", 2, "the column 'hypothesis' is empty"),
    "unknown NLI label": edited(XNLI, "entailment", "Entailment", 2, "unknown label 'Entailment'"),
    "label as a number": edited(MNLI, "neutral", "1", 2, "expected one of entailment neutral"),
    "unknown PAWS-X label": edited(PAWSX, "b\t1", "b\t2", 3, "unknown label '2'"),
    "duplicate PAWS-X id": edited(
        PAWSX, "\n8\t", "\n7\t", 3, "the id '7' was used before, in line 2"
    ),
    "duplicate MNLI index": more(MNLI, "3\tx\ty\tneutral\n", 3, "used before, in line 2"),
    "more annotators than columns": edited(
        SNLI,
        "entailment\n",
        "entailment" + 5 * "\tx" + "\n",
        2,
        "expected 5 to 10 columns, found 11",
    ),
    "label of an annotator": edited(SNLI, "\n-\t", "\n?\t", 3, "unknown gold_label '?'"),
    # Distributions that are known for a few damaged rows are still not read with many.
    "many short rows in GLUE's QQP": more(GLUE_QQP, _MANY_SHORT, 4, "10 of 12 rows are damaged"),
    "unknown QQP label": edited(GLUE_QQP, "food?\t1", "food?\t3", 2, "unknown label '3'"),
    "duplicate QQP id": edited(GLUE_QQP, "\n5\t", "\n12\t", 3, "'12' was used before, in line 2"),
    "Latin-1 among cut characters": more(
        PARTITION, "1\tIs it \udce9?\ta\t9\n", 3, "not valid UTF-8 at byte 9"
    ),
    "partition of three columns": edited(PARTITION, "\t80", "", 2, "expected 4 columns, found 3"),
    "partition's id a word": edited(PARTITION, "\t80", "\tx8", 2, "the id must be a number"),
    "partition's blank question": edited(PARTITION, "When?", "", 2, "'question2' is empty"),
    "every second translation unlabelled": edited(
        PAWSX_TRAIN, "b\t1", "b\tja", 3, "unknown label 'ja', expected one of 0 1; 1 of 2 rows"
    ),
    # Languages that must hold the same examples.
    "languages disagree": edited(
        XNLI, "entailment", "neutral", 2, "but 'entailment' in dev-en.tsv"
    ),
    "a language has more rows": more(XNLI, "a\tb\tneutral\tx\n", 3, "more rows than in dev-en.tsv"),
    "XNLI pair twice": more(JOINED, "sw\tneutral\t\ta\tb\t1\n", 6, "'1' is there twice in 'sw'"),
    "XNLI pair in one language": more(
        JOINED, "sw\tneutral\t\ta\tb\t3\n", 6, "the pairID '3' is not there in ar, but others are"
    ),
    "XNLI labels disagree": edited(
        JOINED, "sw\tneutral", "sw\tentailment", 4, "'1' is 'entailment' in 'sw', but 'neutral' in"
    ),
    "not a language of XNLI": edited(
        JOINED, "sw\tneutral", "fi\tneutral", 4, "unknown language 'fi'"
    ),
    "translations of other rows": edited(
        XTREME, "It rained.", "It snowed.", 1, "the English pair is not that of en-ar-"
    ),
    "translation without English": edited(
        XTREME, "It rained.\t", "", 1, "expected 5 columns, found 4"
    ),
    # JSON Lines.
    "JSON cut off": edited(ANLI, '"}\n', "", 1, "not valid JSON at column"),
    "JSON with a comma too many": edited(ANLI, '"}', '",}', 1, "not valid JSON at column"),
    "JSON of another type": more(MULTINLI, "[1, 2]\n", 4, "expected a JSON object, found [1, 2]"),
    "one JSON document for many": Wrong(HELLASWAG, json.dumps([1], indent=1), 1, "not valid JSON"),
    "JSON nested without end": Wrong(ANLI, _DEEP, 1, "nested too deeply"),
    "blank line in JSON Lines": more(HELLASWAG, " \n", 2, "the line is blank"),
    "key missing": member(ANLI, 1, "'hypothesis' is missing", hypothesis=None),
    "text a number": member(ANLI, 1, "'context' must be a string, found 7", context=7),
    "text empty": member(ANLI, 1, "'context' is empty", context=" \n"),
    "unknown ANLI label": member(ANLI, 1, "unknown label 'x', expected one of e n c", label="x"),
    "duplicate uid": more(ANLI, bf.jsonl(bf.anli_object()), 2, "'a1' was used before, in line 1"),
    "unknown gold_label": edited(
        MULTINLI, '"contradiction"', '"con"', 3, "unknown gold_label 'con'"
    ),
    "a blank premise in three rows": edited(
        MULTINLI, "She sang.", "", 3, "a sentence is empty; 1 of 3 rows are damaged"
    ),
    # Multiple choice.
    "three endings": member(HELLASWAG, 1, "expected 4 endings, found 3", endings=bf.ENDINGS[:3]),
    "an empty ending": member(HELLASWAG, 1, "'endings[1]' is empty", endings=["a", "", "b", "c"]),
    "label index out of range": member(HELLASWAG, 1, "the label 4 is none of 0 to 3", label=4),
    "label a string": member(HELLASWAG, 1, "'label' must be a whole number", label="3"),
    "label true": member(HELLASWAG, 1, "must be a whole number, found true", label=True),
    "no label": member(HELLASWAG, 1, "'label' is missing", label=None),
    "query without activity": member(HELLASWAG, 1, "an activity, a colon", query="He runs."),
    "four choices": member(
        CSQA, 1, "found A B C D E with 4 texts", choices=_five("a", "b", "c", "d")
    ),
    "choices in another order": member(
        CSQA, 1, "found E D C B A", choices={"label": bf.LETTERS[::-1], "text": bf.OPTIONS}
    ),
    "answer that is no choice": member(CSQA, 1, "unknown answerKey 'F'", answerKey="F"),
    "ECQA answer that is no option": edited(ECQA, "\tlock\t", "\tLock\t", 1, "'Lock' is not among"),
    "ECQA of four options": edited(ECQA, "\\n- car", "", 1, "expected 5 options, found 4"),
    "ECQA without options": edited(ECQA, "Options:", "", 1, "expected a question"),
    "quote that does not end": edited(
        COSMOS, 'left ."', "left .", 3, "not valid CSV: unexpected end"
    ),
    "text after a quote": edited(COSMOS, 'left ."', 'left ."x', 3, "not valid CSV"),
    "CSV column too many": edited(COSMOS, "Why ?,", "Why ?,,", 3, "expected 8 columns, found 9"),
    "CSV without header": Wrong(COSMOS, bf.COSMOS.split("\n", 1)[1], 1, "must name the columns id"),
    "CSV header only": Wrong(COSMOS, bf.COSMOS.split("\n", 1)[0] + "\n", 1, "no rows"),
    "unknown Cosmos QA label": edited(COSMOS, ",d,2", ",d,4", 3, "unknown label '4'"),
    "empty answer": edited(COSMOS, ",a,b,", ",,b,", 3, "the column 'answer0' is empty"),
    "duplicate Cosmos QA id": more(COSMOS, "k##1,c,q,a,b,c,d,0\n", 4, "'k##1' was used before"),
    "unknown question of XCOPA": member(XCOPA, 1, "unknown question 'why'", question="why"),
    "label of XCOPA": member(XCOPA, 1, "the label 2 is neither 0 nor 1", label=2),
    "changed a word": member(XCOPA, 1, "'changed' must be true or false", changed="no"),
    "duplicate idx": more(XCOPA, bf.jsonl(bf.COPA), 2, "the idx 0 was used before, in line 1"),
    # JSON documents: the line is that of the value which is wrong.
    "AdvGLUE cut off": Wrong(ADVGLUE, bf.advglue()[:-20], 46, "not valid JSON"),
    "AdvGLUE label out of range": edited(
        ADVGLUE, '"label": 2', '"label": 3', 22, "mnli 4: the label 3"
    ),
    "AdvGLUE label a fraction": edited(ADVGLUE, '"label": 2', '"label": 2.0', 22, "found 2.0"),
    "AdvGLUE text missing": edited(
        ADVGLUE, '"hypothesis"', '"hypo"', 18, "'hypothesis' is missing"
    ),
    "AdvGLUE no list": Wrong(ADVGLUE, bf.advglue(rte={"idx": 1}), 41, "'rte' must be a list"),
    "AdvGLUE idx twice": Wrong(
        ADVGLUE, bf.advglue(sst2=2 * bf.advglue_document()["sst2"]), 8, "sst2 0: the idx 0 was used"
    ),
    # PANX and TyDiQA.
    "a token too many columns": edited(PANX, "met\tO", "met\tx\tO", 2, "found 3 columns"),
    "unknown tag": edited(PANX, "met\tO", "met\tB-DOG", 2, "unknown tag 'B-DOG'"),
    "I after O": edited(PANX, "met\tO", "met\tO\nx\tI-PER", 3, "I-PER cannot follow O"),
    "I of another kind": edited(PANX, "met\tO", "met\tI-LOC", 2, "I-LOC cannot follow B-PER"),
    "I at the beginning": edited(PANX, "কেউ\tO", "কেউ\tI-ORG", 6, "cannot follow the beginning"),
    "QA cut off": Wrong(TYDIQA, bf.squad()[:-9], 20, "not valid JSON"),
    "QA of another shape": Wrong(TYDIQA, "[1]", 1, "'data' is missing"),
    "no questions": Wrong(TYDIQA, '{"data": []}', 1, "no questions"),
    "answer not in its context": Wrong(
        TYDIQA, bf.squad(start=5), 12, "the answer 'Åbo' is not in its context at answer_start 5"
    ),
    "duplicate question id": Wrong(
        TYDIQA, _twice(), 19, "'finnish-1-0' was used before, in line 9"
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_file_is_named_and_changes_nothing(kind: str, tmp_path: Path) -> None:
    name, content, line, reason = KINDS[kind]
    # ANLI is read, and would be written, before and after what is wrong.
    other = {"anli/r3-dev.jsonl": bf.jsonl(bf.anli_object())}
    good = {name: RIGHT[name], **BESIDE.get(name, {}), **other}
    refused(tmp_path, good, {name: content}, line, reason)


def test_there_are_kinds_enough() -> None:
    assert len(KINDS) >= 20
    assert {wrong.name for wrong in KINDS.values()} == RIGHT.keys()


def test_a_language_with_fewer_rows_is_named(tmp_path: Path) -> None:
    longer = {"xnli/dev-ar.tsv": bf.XNLI_EN + "a\tb\tneutral\tnews\n"}
    source = make(tmp_path, {**longer, "xnli/dev-hi.tsv": bf.XNLI_HI})
    with pytest.raises(DataError, match=r"dev-hi.tsv, line 3: the file ends, but dev-ar.tsv has"):
        importer.write(importer.plan(source), tmp_path / "out")
    assert not (tmp_path / "out").exists()
