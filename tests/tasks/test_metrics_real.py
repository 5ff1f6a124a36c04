"""Real gold answers under every measure, where ../shared/data is beside the checkout."""

import json
from pathlib import Path

import pytest

from tasks import metrics
from tasks.metrics import normalize_mlqa
from tasks.postprocessors import answers

# Right-to-left, Indic, Chinese, and letters with accents among them.
FILES = [
    *(f"mlqa/dev-context-{c}-question-{c}.json" for c in "ar de en es hi vi zh".split()),
    *(f"tydiqa_goldp/dev-{code}.json" for code in ("ar", "bn", "fi", "sw")),
    *(f"xquad/xquad.{code}.json" for code in ("ar", "hi", "ru")),
]


def examples(path: Path) -> list[dict]:
    """SQuAD's JSON as the postprocessors see its rows."""
    return [
        {
            "context": paragraph["context"].encode(),
            "answers": [answer["text"].encode() for answer in question["answers"]],
        }
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]


@pytest.mark.parametrize("name", FILES)
def test_gold_is_right_and_legal(name: str, shared: Path) -> None:
    rows = examples(shared / "data" / name)
    assert len(rows) > 100
    gold: list = [answers("", example=row, is_target=True) for row in rows]
    predicted: list = [answers(row["answers"][-1].decode(), example=row) for row in rows]
    language = Path(name).stem[-2:]
    expected = {"em": pytest.approx(100), "f1": pytest.approx(100)}
    assert metrics.squad(gold, predicted) == expected
    assert metrics.not_in_context(gold, predicted) == {"not_in_context": 0.0}
    assert metrics.wrong_script_rate(language)(gold, predicted) == {"wrong_script": 0.0}
    if name.startswith("mlqa"):
        assert metrics.mlqa(language)(gold, predicted) == expected
        # The official script gives F1 0 to an answer that normalises to nothing. It is this one.
        empty = [answer for one in gold for answer in one if not normalize_mlqa(answer, language)]
        assert empty == (["una"] if language == "es" else [])
    # Answers to the questions of other paragraphs are wrong.
    half = len(rows) // 2
    elsewhere = predicted[half:] + predicted[:half]
    assert metrics.squad(gold, elsewhere)["em"] < 5
    assert metrics.not_in_context(gold, elsewhere)["not_in_context"] > 75
