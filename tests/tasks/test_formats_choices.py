"""Multiple choice: the texts written out by hand."""

from pathlib import Path

import pytest
import seqio
import tensorflow as tf

from tasks import formats, tfds_schemas
from tests.tasks.by_hand import Case, formatted, texts_of


def cosmos(question_text: str, label: int) -> dict:
    return {
        "id": "3Q##1",
        "context": "I missed the bus .",
        "question": question_text,
        "answer0": "None of the above choices .",
        "answer1": "I was late .",
        "answer2": "It rained .",
        "answer3": "I was early .",
        "label": label,
    }


def csqa(key: str, labels: str = "ABCDE") -> dict:
    return {
        "id": "q1",
        "question": "Where does a kettle stand?",
        "question_concept": "kettle",
        "choices": {"label": list(labels), "text": ["sea", "stove", "sky", "tree", "moon"]},
        "answerKey": key,
    }


def swag(label: int) -> dict:
    return {
        "context": "She lifts the cup. she",
        "endings": ["drinks.", "swims.", "is a cup.", "melts."],
        "activity_label": "Drinking tea",
        "label": label,
        "split_type": "indomain",
        "source_id": "activitynet~v_1",
    }


def copa(premise: str, first: str, second: str, asked: str, label: int) -> dict:
    return {
        "premise": premise,
        "choice1": first,
        "choice2": second,
        "question": asked,
        "label": label,
        "idx": 0,
        "changed": False,
    }


CASES = [
    Case(
        "xcopa/ta:1.0.0",
        "validation",
        [copa("மழை பெய்தது.", "தரை நனைந்தது.", "தரை உலர்ந்தது.", "effect", 0)],
        (formats.copa,),
        [
            (
                "copa choice1: தரை நனைந்தது. choice2: தரை உலர்ந்தது. premise: மழை பெய்தது. "
                "question: effect",
                "choice1",
            )
        ],
    ),
    Case(
        "xcopa/zh:1.0.0",
        "test",
        [copa("地面湿了。", "天晴了。", "下雨了。", "cause", 1)],
        (formats.copa,),
        [
            (
                "copa choice1: 天晴了。 choice2: 下雨了。 premise: 地面湿了。 question: cause",
                "choice2",
            )
        ],
    ),
    Case(
        "hellaswag:1.1.0",
        "test",
        [swag(-1), swag(0), swag(3)],
        (formats.hellaswag,),
        [
            (
                "hellaswag: context: Drinking tea: She lifts the cup. she choice1: drinks. "
                "choice2: swims. choice3: is a cup. choice4: melts.",
                number,
            )
            for number in ("1", "4")
        ],
    ),
    Case(
        "cosmos_qa:1.0.0",
        "validation",
        [cosmos("What happened ?", 1), cosmos("of the test set", -1)],
        (formats.cosmosqa,),
        [
            (
                "cosmosqa: context: I missed the bus . question: What happened ? "
                "choice1: None of the above choices . choice2: I was late . choice3: It rained . "
                "choice4: I was early .",
                "2",
            )
        ],
    ),
    # The right choice is the one with the key, wherever it stands; the test set has no keys.
    Case(
        "commonsense_qa:1.11.0",
        "test",
        [csqa("B"), csqa("B", "EDCBA"), csqa("")],
        (formats.csqa,),
        [
            (
                "csqa: question: Where does a kettle stand? choice1: sea choice2: stove "
                "choice3: sky choice4: tree choice5: moon",
                number,
            )
            for number in ("2", "4")
        ],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_texts(case: Case, tmp_path: Path) -> None:
    made = formatted(case.name, case.split, case.rows, case.steps, tmp_path)
    assert texts_of(made) == case.texts


def test_a_key_that_no_choice_bears_is_an_error_and_not_the_first_choice(tmp_path: Path) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        formatted("commonsense_qa:1.11.0", "train", [csqa("F")], (formats.csqa,), tmp_path)


def test_labels_survive_mt5s_vocabulary(shared: Path) -> None:
    mt5 = seqio.SentencePieceVocabulary(str(shared / "data" / "mt5_vocab" / "spiece.model"))
    for labels in (
        tfds_schemas.PAWSX_LABELS,
        tfds_schemas.QQP_LABELS,
        tfds_schemas.XCOPA_LABELS,
        formats.SST2_LABELS,
        formats.ENTAILMENT_LABELS,
        (formats.UNANSWERABLE, "None"),
        tuple("012345"),
    ):
        assert tuple(mt5.decode(mt5.encode(label)) for label in labels) == labels
