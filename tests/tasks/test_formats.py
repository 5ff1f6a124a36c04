"""The texts that a model reads and writes, by hand, in several scripts, as mT5 formats them."""

from pathlib import Path

import pytest
import seqio

LENGTHS = {"inputs": 512, "targets": 128}

EXPECTED = {
    ("xnli_train.en", "train"): [
        ("xnli: premise: A dog barks. hypothesis: It is loud.", "1"),
    ]
    * 3,
    ("xnli_train.sw", "train"): [
        ("xnli: premise: Paka amelala. hypothesis: Mnyama anapumzika.", "0"),
    ],
    ("xnli_eval.ar", "validation"): [
        ("xnli: premise: القطة نائمة. hypothesis: حيوان يستريح.", "0"),
    ],
    ("xnli_eval.en", "validation"): [
        ("xnli: premise: The cat sleeps. hypothesis: An animal rests.", "0"),
        ("xnli: premise: Rain fell. hypothesis: It was dry.", "2"),
    ],
    ("xnli_eval.hi", "test"): [
        ("xnli: premise: बिल्ली सो रही है। hypothesis: एक जानवर आराम कर रहा है।", "0"),
    ],
    ("panx_train.en", "train"): [
        (
            "tag: Ada Lovelace met Mary in London .",
            "PER: Ada Lovelace $$ PER: Mary $$ LOC: London",
        ),
    ]
    * 2,
    ("panx_eval.bn", "validation"): [("tag: রবি ঢাকায় থাকে", "PER: রবি $$ LOC: ঢাকায়")],
    ("panx_eval.ar", "validation"): [("tag: لا أحد", "None")],
    ("pawsx_train.en", "train"): [
        ("paws sentence1: He left after her. sentence2: She left after him.", "different_meaning"),
    ],
    ("pawsx_eval.ja", "validation"): [
        ("paws sentence1: 雨が降る。 sentence2: 雨降りだ。", "paraphrase"),
    ],
    # Only the English question of a train split that begins with a Finnish one.
    ("tydiqa_train.en", "train"): [
        ("question: Who ran ? context: Only Bob_2 ran 3 . 5 km . ", "Bob_2"),
    ],
    ("tydiqa_eval.fi", "validation"): [
        ("question: Missä Åbo on ? context: Åbo ( Turku ) on etelässä . ", "etelässä"),
    ],
    # Vowel signs stay with their letters; quotes and commas stand apart.
    ("tydiqa_eval.te", "validation"): [
        ("question: ఎవరు ? context: అతను రాము , ' కవి ' . ", "రాము , ' కవి ' "),
    ],
}


def examples(name: str, split: str) -> list[dict]:
    task = seqio.get_mixture_or_task(name)
    return list(task.get_dataset(LENGTHS, split, shuffle=False).as_numpy_iterator())


@pytest.mark.parametrize(("name", "split"), EXPECTED)
def test_texts(name: str, split: str, tfds_env: Path) -> None:
    read = [
        (row["inputs_pretokenized"].decode(), row["targets_pretokenized"].decode())
        for row in examples(name, split)
    ]
    assert read == EXPECTED[name, split]


def test_ids_end_with_eos_and_are_cut_to_the_lengths(tfds_env: Path) -> None:
    (row,) = examples("pawsx_eval.ja", "validation")
    # ByT5's ids are the UTF-8 bytes plus three.
    assert row["targets"].tolist() == [byte + 3 for byte in b"paraphrase"] + [1]
    task = seqio.get_mixture_or_task("pawsx_eval.ja")
    short = task.get_dataset({"inputs": 10, "targets": 5}, "validation", shuffle=False)
    (cut,) = short.as_numpy_iterator()
    assert cut["inputs"].tolist() == [byte + 3 for byte in b"paws sent"] + [1]
    assert len(cut["targets"]) == 5


def test_questions_keep_all_answers_for_the_scoring(tfds_env: Path) -> None:
    (row,) = examples("tydiqa_eval.fi", "validation")
    task = seqio.get_mixture_or_task("tydiqa_eval.fi")
    gold = task.postprocess_fn("etelässä", example=row, is_target=True)
    assert gold == ["etelässä", "etelässä ."]
    assert task.postprocess_fn("Turku", example=row, is_target=False) == "Turku"
    scores: dict[str, float] = {}
    for metric in task.metric_fns:
        scores |= metric([gold], ["etelässä."])
    assert (scores["em"], scores["f1"]) == (100.0, 100.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [("ORG: km² ", "ORG: km2"), ("ফিট্\u200cজেরাল্ড", "ফিট্ জেরাল্ড"), ("ﬁ\ufeff  x", "fi x")],
)
def test_entities_and_answers_are_compared_as_a_vocabulary_can_say_them(text, said) -> None:
    task = seqio.get_mixture_or_task("panx_eval.bn")
    assert task.postprocess_fn(text, example={}, is_target=True) == said
    assert task.postprocess_fn(said, example={}, is_target=False) == said
    questions = seqio.get_mixture_or_task("tydiqa_eval.bn")
    gold = questions.postprocess_fn("", example={"answers": [text.encode()]}, is_target=True)
    assert gold == [said]


def test_labels_lose_the_white_space_that_a_tokenizer_adds() -> None:
    task = seqio.get_mixture_or_task("xnli_eval.en")
    assert task.postprocess_fn(" 0 ", example={}, is_target=False) == "0"
