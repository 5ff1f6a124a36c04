"""The noise inside tf.data: the same for a row wherever it is read, and nothing else touched."""

import pytest
import tensorflow as tf

from tasks import formats, perturbations
from tasks.perturbations import rows

TEXTS = [f"xnli: premise: Mvua kubwa {n} hypothesis: inanyesha sana mjini {n}." for n in range(40)]


def sentences() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(
        {"inputs": TEXTS, "targets": [str(n % 3) for n in range(40)], "idx": list(range(40))}
    )


def questions(contexts: list[str], asked: str = "Which river is wide {} ?") -> tf.data.Dataset:
    def rows() -> list[dict]:
        return [
            {
                "id": f"q{number}",
                "question": asked.format(number),
                "context": context,
                "answers": {"text": [context.split()[1], "river"]},
            }
            for number, context in enumerate(contexts)
        ]

    text = tf.TensorSpec((), tf.string)
    signature = {
        **dict.fromkeys(("id", "question", "context"), text),
        "answers": {"text": tf.TensorSpec((None,), tf.string)},
    }
    raw = tf.data.Dataset.from_generator(lambda: iter(rows()), output_signature=signature)
    return formats.question_answering(raw)


FIRST = [f"The Aura{n} is a stream. It runs past town {n}. Wide it is not." for n in range(5)]
SECOND = [f"Some Kemi{n} flows north. The ice {n} is old there. Frogs like it." for n in range(5)]


def read(dataset: tf.data.Dataset) -> list[dict]:
    return list(dataset.as_numpy_iterator())


def by_index(dataset: tf.data.Dataset) -> dict[int, bytes]:
    return {row["idx"]: row["inputs"] for row in read(dataset)}


@pytest.mark.parametrize("kind", perturbations.kinds_for("xnli"))
def test_noise_does_not_depend_on_order_or_shards(kind: str) -> None:
    change = perturbations.preprocessor(kind, 50, 3, data="xnli", language="sw")
    whole = by_index(change(sentences()))
    assert len(whole) == 40
    assert by_index(change(sentences().shuffle(40, seed=1))) == whole
    parts = [by_index(change(sentences().shard(3, index))) for index in range(3)]
    assert {key: value for part in parts for key, value in part.items()} == whole
    other = perturbations.preprocessor(kind, 50, 4, data="xnli", language="sw")
    assert kind == "undiacritics" or by_index(other(sentences())) != whole


@pytest.mark.parametrize("kind", perturbations.kinds_for("xnli"))
def test_only_inputs_change_and_their_spec_stays(kind: str) -> None:
    dataset = sentences()
    changed = perturbations.preprocessor(kind, 100, data="xnli", language="sw")(dataset)
    assert changed.element_spec == dataset.element_spec
    for before, after in zip(read(dataset), read(changed), strict=True):
        assert {**before, "inputs": after["inputs"]} == after


def test_strength_0_is_the_dataset_itself() -> None:
    dataset = sentences()
    assert perturbations.preprocessor("typos", 0, data="xnli", language="sw")(dataset) is dataset


@pytest.mark.parametrize("kind", perturbations.kinds_for("tydiqa"))
def test_questions_change_with_their_inputs_and_answers_stay(kind: str) -> None:
    dataset = questions(FIRST)
    changed = perturbations.preprocessor(kind, 100, data="tydiqa", language="en")(dataset)
    assert changed.element_spec == dataset.element_spec
    texts = 0
    for before, after in zip(read(dataset), read(changed), strict=True):
        assert (before["id"], before["targets"]) == (after["id"], after["targets"])
        assert before["answers"].tolist() == after["answers"].tolist()
        question, context = after["question"].decode(), after["context"].decode()
        assert after["inputs"].decode() == rows.question_inputs(question, context)
        assert all(gold.decode().strip() in context for gold in after["answers"][:1])
        texts += after["context"] != before["context"]
    assert kind == "undiacritics" or texts == 5


def test_a_distractor_comes_from_the_split_of_its_row() -> None:
    splits = [questions(FIRST), questions(SECOND)]
    change = perturbations.preprocessor(
        "distractor", 100, data="tydiqa", language="en", pool=lambda: splits
    )
    for dataset in splits:
        before, after = read(dataset), read(change(dataset))
        # A shard of it gets the same, since the pool is the whole.
        assert read(change(dataset.shard(2, 1)))[0]["inputs"] == after[1]["inputs"]
        contexts = [row["context"].decode() for row in before]
        for own, row in zip(contexts, after, strict=True):
            added = row["context"].decode().removeprefix(own.rstrip()).strip()
            assert added
            assert added not in own
            assert any(added in context for context in contexts)


def test_a_context_that_no_split_of_the_pool_has_is_said() -> None:
    change = perturbations.preprocessor(
        "distractor", 100, data="tydiqa", language="en", pool=lambda: [questions(SECOND)]
    )
    with pytest.raises(tf.errors.OpError, match="no split of the pool of distractors has the"):
        read(change(questions(FIRST)))


def test_in_retrieval_only_the_source_side_changes() -> None:
    dataset = tf.data.Dataset.from_tensor_slices(
        {
            "inputs": ["Kedinin uykusu vardı.", "The cat was sleepy."],
            "targets": ["t1", "s1"],
            "id": ["s1", "t1"],
            "side": ["source", "target"],
        }
    )
    change = perturbations.preprocessor("swaps", 100, data="tatoeba", language="tr")
    before, after = read(dataset), read(change(dataset))
    assert after[0]["inputs"] != before[0]["inputs"]
    assert after[1] == before[1]
    assert {**after[0], "inputs": b""} == {**before[0], "inputs": b""}
