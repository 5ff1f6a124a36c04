"""Questions on a text: the texts written out by hand, and answers that stay in their context."""

from pathlib import Path

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import formats
from tests.tasks.by_hand import Case, formatted, texts_of
from tests.tasks.conftest import question


def squad2(row: dict) -> dict:
    """A row of SQuAD 2.0, which may have no answer but a plausible one."""
    plausible: dict[str, list] = {"text": [], "answer_start": []}
    if not row["answers"]["text"]:
        plausible = {"text": ["Rome"], "answer_start": [0]}
    return {
        **row,
        "plausible_answers": plausible,
        "is_impossible": not row["answers"]["text"],
    }


CASES = [
    Case(
        "squad/v1.1:3.0.0",
        "validation",
        [question("56be", "Who won?", "Ann (aged 30) won.", "Ann", "Ann (aged 30)")],
        (formats.question_answering,),
        [("question: Who won ? context: Ann ( aged 30 ) won . ", "Ann")],
    ),
    Case(
        "squad/v2.0:3.0.0",
        "train",
        [
            squad2(question("a1", "Where is it?", "Rome is in Italy.", "in Italy")),
            squad2(question("a2", "Who rules it?", "Rome is in Italy.")),
        ],
        (formats.question_answering,),
        [
            ("question: Where is it ? context: Rome is in Italy . ", "in Italy"),
            ("question: Who rules it ? context: Rome is in Italy . ", "unanswerable"),
        ],
    ),
    Case(
        "xquad/ar:3.0.0",
        "translate-train",
        [question("q1", "من فاز؟", "فازت ليلى، كما قيل.", "ليلى")],
        (formats.question_answering,),
        [("question: من فاز ؟ context: فازت ليلى ، كما قيل . ", "ليلى")],
    ),
    # Vowel signs and the virama stay with their letters; the danda stands apart.
    Case(
        "xquad/hi:3.0.0",
        "test",
        [question("q2", "रवि कहाँ है?", "रवि दिल्ली में है।", "दिल्ली में")],
        (formats.question_answering,),
        [("question: रवि कहाँ है ? context: रवि दिल्ली में है । ", "दिल्ली में")],
    ),
    Case(
        "tydi_qa/goldp:3.0.0",
        "translate-train-bn",
        [question("bengali-1", "রবি কোথায়?", "রবি ঢাকায় (বাংলাদেশ)।", "ঢাকায় (বাংলাদেশ)")],
        (formats.question_answering,),
        [
            (
                "question: রবি কোথায় ? context: রবি ঢাকায় ( বাংলাদেশ ) । ",
                "ঢাকায় ( বাংলাদেশ ) ",
            )
        ],
    ),
    Case(
        "mlqa/zh:1.0.0",
        "test",
        [question("q3", "谁赢了？", "李华赢了，3.5分。", "李华")],
        (formats.question_answering,),
        [("question: 谁赢了 ？ context: 李华赢了 ， 3 . 5分 。 ", "李华")],
    ),
    # The context in Hindi, the question in Arabic.
    Case(
        "mlqa_cross/hi-ar:1.0.0",
        "validation",
        [question("q4", "أين رافي؟", "रवि दिल्ली में है।", "दिल्ली")],
        (formats.question_answering,),
        [("question: أين رافي ؟ context: रवि दिल्ली में है । ", "दिल्ली")],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_texts(case: Case, tmp_path: Path) -> None:
    made = formatted(case.name, case.split, case.rows, case.steps, tmp_path)
    assert texts_of(made) == case.texts


def test_a_question_without_an_answer_keeps_what_the_scoring_needs(tmp_path: Path) -> None:
    row = squad2(question("a2", "Who rules it?", "Rome is in Italy."))
    (made,) = formatted(
        "squad/v2.0:3.0.0", "validation", [row], (formats.question_answering,), tmp_path
    )
    assert made["answers"].tolist() == [formats.UNANSWERABLE.encode()]
    assert (made["id"], made["question"]) == (b"a2", b"Who rules it ? ")
    assert made["context"] == b"Rome is in Italy . "


@st.composite
def spans(draw) -> tuple[str, str]:
    """A context of any characters, and a piece of it."""
    context = draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
    start = draw(st.integers(0, len(context) - 1))
    return context, context[start : draw(st.integers(start + 1, len(context)))]


@given(pairs=st.lists(spans(), min_size=1, max_size=20))
@settings(max_examples=30)
def test_an_answer_stays_in_its_context(pairs: list[tuple[str, str]]) -> None:
    dataset = tf.data.Dataset.from_tensor_slices(
        {
            "id": ["1"] * len(pairs),
            "question": ["?"] * len(pairs),
            "context": [context for context, _ in pairs],
            "answers": {"text": [[answer] for _, answer in pairs]},
        }
    )
    for row in formats.question_answering(dataset).as_numpy_iterator():
        assert row["targets"].decode().strip() in row["context"].decode()
