"""Noise in real rows of many scripts, where ../shared/data is beside the checkout."""

import csv
import json
from pathlib import Path

import pytest
import tensorflow as tf

from tasks import formats, perturbations
from tasks.perturbations import graphemes, layouts, rows, segments
from tasks.perturbations.rows import Noise
from tasks.perturbations.text import KINDS

ROWS = 120


@pytest.fixture
def data(shared: Path) -> Path:
    return shared / "data"


def xnli(data: Path, language: str) -> list[str]:
    with (data / "xnli" / f"dev-{language}.tsv").open(encoding="utf-8", newline="") as file:
        read = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        found = [f"xnli: premise: {r['premise']} hypothesis: {r['hypothesis']}" for r in read]
    return found[:: len(found) // ROWS]


def panx(data: Path, language: str) -> list[tuple[str, str]]:
    """Inputs and targets; entities are read from the BIO tags."""
    text = (data / "panx" / f"dev-{language}.tsv").read_text(encoding="utf-8")
    found = []
    for block in text.strip().split("\n\n")[:ROWS]:
        tokens, tags = zip(*(line.split("\t") for line in block.splitlines()), strict=True)
        entities: list[list[str]] = []
        for token, tag in zip(tokens, tags, strict=True):
            if tag.startswith("B-"):
                entities.append([f"{tag[2:]}: {token}"])
            elif tag.startswith("I-"):
                entities[-1].append(token)
        found.append((f"tag: {' '.join(tokens)}", " $$ ".join(map(" ".join, entities))))
    return found


def questions(path: Path) -> tf.data.Dataset:
    def read() -> list[dict]:
        return [
            {
                "id": asked["id"],
                "question": asked["question"],
                "context": paragraph["context"],
                "answers": {"text": [answer["text"] for answer in asked["answers"]]},
            }
            for article in json.loads(path.read_text(encoding="utf-8"))["data"]
            for paragraph in article["paragraphs"]
            for asked in paragraph["qas"]
        ][:ROWS]

    text = tf.TensorSpec((), tf.string)
    signature = {
        **dict.fromkeys(("id", "question", "context"), text),
        "answers": {"text": tf.TensorSpec((None,), tf.string)},
    }
    raw = tf.data.Dataset.from_generator(lambda: iter(read()), output_signature=signature)
    return formats.question_answering(raw)


@pytest.mark.parametrize("language", ["ar", "hi", "zh", "th", "sw", "vi"])
def test_xnli_keeps_its_keywords_and_changes_by_the_strength(data: Path, language: str) -> None:
    texts = xnli(data, language)
    keywords = layouts.layout("xnli").keywords
    for kind in ("typos", "deletions", "swaps"):
        words = edited = 0
        for text in texts:
            after = rows.text(Noise(kind, 20, 0, "xnli", language), text, "0")
            spans = layouts.keyword_spans(after, keywords)
            assert [after[a:b] for a, b in spans] == ["xnli: premise: ", " hypothesis: "]
            before = segments.of(text, layouts.keyword_spans(text, keywords))
            clusters = graphemes.split(after)
            words += len(before.changeable())
            if kind == "deletions":
                edited += len(before.clusters) - len(clusters)
            else:
                pairs = zip(before.clusters, clusters, strict=True)
                edited += sum(one != other for one, other in pairs) // (2 if kind == "swaps" else 1)
        # A few words can be changed in none of their clusters. Rounding is fair, so that the sum
        # over the rows is 20 % up to six standard deviations of 1/2 a row.
        assert 0.19 * words - 3 * len(texts) ** 0.5 <= edited <= 0.2 * words + 3 * len(texts) ** 0.5


@pytest.mark.parametrize("language", ["ar", "bn", "hi", "sw"])
def test_panx_keeps_every_entity_as_tokens(data: Path, language: str) -> None:
    for inputs, targets in panx(data, language):
        entities = [part.split(": ", 1)[1] for part in targets.split(" $$ ") if ": " in part]
        for kind in KINDS:
            after = rows.text(Noise(kind, 100, 0, "panx", language), inputs, targets)
            assert after.startswith("tag: ")
            for entity in entities:
                assert f" {after} ".count(f" {entity} ") >= f" {inputs} ".count(f" {entity} ") > 0


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("tydiqa_goldp/dev-bn.json", "bn"),
        ("tydiqa_goldp/dev-sw.json", "sw"),
        ("xquad/xquad.ar.json", "ar"),
        ("xquad/xquad.hi.json", "hi"),
        ("mlqa/dev-context-zh-question-zh.json", "zh"),
    ],
)
def test_questions_keep_every_answer(data: Path, name: str, language: str) -> None:
    dataset = questions(data / name)
    before = list(dataset.as_numpy_iterator())
    for kind in ("typos", "spacing", "punctuation", "shuffle", "distractor"):
        change = perturbations.preprocessor(kind, 100, data="tydiqa", language=language)
        after = list(change(dataset).as_numpy_iterator())
        assert [row["targets"] for row in after] == [row["targets"] for row in before]
        for old, new in zip(before, after, strict=True):
            context = old["context"].decode(), new["context"].decode()
            # What the format gave is what is taken apart and joined again.
            assert (
                rows.question_inputs(old["question"].decode(), context[0]) == old["inputs"].decode()
            )
            for answer in (gold.decode().strip() for gold in new["answers"]):
                assert context[1].count(answer) >= context[0].count(answer) > 0
        changed = sum(
            old["inputs"] != new["inputs"] for old, new in zip(before, after, strict=True)
        )
        assert changed > 0.95 * len(before)
