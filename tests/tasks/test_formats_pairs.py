"""Inference and paraphrase, AdvGLUE among them: the texts written out by hand."""

import functools
from pathlib import Path

import pytest

from tasks import formats
from tests.tasks.by_hand import Case, formatted, texts_of


def pair_of_nli(premise: str, hypothesis: str, label: int) -> dict:
    return {"premise": premise, "hypothesis": hypothesis, "label": label}


def advglue(text1: str, text2: str, label: int) -> dict:
    return {"idx": 0, "text1": text1, "text2": text2, "label": label}


def adversarial(task: str, row: dict, *texts: tuple[str, str]) -> Case:
    step = functools.partial(formats.advglue, task=task)
    return Case(f"advglue/{task}:1.0.0", "validation", [row], (step,), list(texts))


CASES = [
    Case(
        "multi_nli:1.1.0",
        "validation_mismatched",
        [pair_of_nli("Rain fell.", "It was wet.", 0), pair_of_nli("Rain fell.", "It was dry.", 2)],
        (formats.intermediate_nli,),
        [
            ("nli: premise: Rain fell. hypothesis: It was wet.", "0"),
            ("nli: premise: Rain fell. hypothesis: It was dry.", "2"),
        ],
    ),
    # The annotators of the first row of SNLI did not agree.
    Case(
        "snli:1.1.0",
        "train",
        [pair_of_nli("A boy runs.", "He is glad.", -1), pair_of_nli("A boy runs.", "He jogs.", 1)],
        (formats.intermediate_nli,),
        [("nli: premise: A boy runs. hypothesis: He jogs.", "1")],
    ),
    Case(
        "anli/r2:0.1.0",
        "test",
        [{"uid": "u1", "context": "Ann is 30.", "hypothesis": "Ann is 31.", "label": "c"}],
        (formats.anli,),
        [("nli: premise: Ann is 30. hypothesis: Ann is 31.", "2")],
    ),
    Case(
        "glue/qqp:2.0.0",
        "validation",
        [
            {"question1": "Who am I?", "question2": "Who are you?", "label": 0, "idx": 0},
            {"question1": "How old is he?", "question2": "What is his age?", "label": 1, "idx": 1},
            {"question1": "of the test", "question2": "without a label", "label": -1, "idx": 2},
        ],
        (formats.qqp,),
        [
            ("qqp question1: Who am I? question2: Who are you?", "not_duplicate"),
            ("qqp question1: How old is he? question2: What is his age?", "duplicate"),
        ],
    ),
    Case(
        "paws_x_wiki/zh:1.0.0",
        "test",
        [{"sentence1": "他在她之后离开。", "sentence2": "她在他之后离开。", "label": 0}],
        (formats.paraphrase,),
        [("paws sentence1: 他在她之后离开。 sentence2: 她在他之后离开。", "different_meaning")],
    ),
    Case(
        "xtreme_pawsx/ko:1.0.0",
        "train",
        [{"sentence1": "비가 온다.", "sentence2": "비가 내린다.", "label": 1}],
        (formats.paraphrase,),
        [("paws sentence1: 비가 온다. sentence2: 비가 내린다.", "paraphrase")],
    ),
]

ADVERSARIAL = [
    adversarial(
        "sst2",
        advglue("A jooy to watch .", "", 1),
        ("sst2 sentence: A jooy to watch .", "positive"),
    ),
    adversarial(
        "qqp",
        advglue("Who am I ?", "Who r you ?", 0),
        ("qqp question1: Who am I ? question2: Who r you ?", "not_duplicate"),
    ),
    adversarial(
        "mnli",
        advglue("Rain fell .", "It was drry .", 2),
        ("nli: premise: Rain fell . hypothesis: It was drry .", "2"),
    ),
    adversarial(
        "mnli_mismatched",
        advglue("Rain fell .", "It was so wet .", 0),
        ("nli: premise: Rain fell . hypothesis: It was so wet .", "0"),
    ),
    adversarial(
        "qnli",
        advglue("Who won ?", "Ann did not run .", 1),
        ("qnli question: Who won ? sentence: Ann did not run .", "not_entailment"),
    ),
    adversarial(
        "rte",
        advglue("Ann won the race .", "Ann ran .", 0),
        ("rte sentence1: Ann won the race . sentence2: Ann ran .", "entailment"),
    ),
]


@pytest.mark.parametrize("case", [*CASES, *ADVERSARIAL], ids=str)
def test_texts(case: Case, tmp_path: Path) -> None:
    made = formatted(case.name, case.split, case.rows, case.steps, tmp_path)
    assert texts_of(made) == case.texts
