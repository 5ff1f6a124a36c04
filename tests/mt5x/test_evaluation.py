"""Evaluation: labels scored, texts decoded, each example of each language once, however batched."""

import json

import pytest

from mt5x import train_state
from mt5x.decoding import DecodeConfig
from mt5x.errors import UserError
from mt5x.evaluation import Evaluator
from mt5x.partitioning import make_mesh
from mt5x.prediction import encode_labels, predict_texts
from tests.mt5x import toy


@pytest.fixture(scope="module")
def trained():
    toy.register()
    mesh = make_mesh(1, 1)
    return toy.model(), train_state.init_state(toy.model(), mesh, seed=0).params, mesh


def evaluate(trained, evaluator=None, output_dir=None, **changes):
    settings = {"split": "validation", "task_feature_lengths": None, "pack": False, **changes}
    evaluator = evaluator or Evaluator(toy.labels_of)
    return evaluator.evaluate(*trained, toy.dataset(**settings), output_dir, step=7)


def predictions(folder, language):
    file = folder / f"toy_eval.{language}-000007-predictions.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_batch_size_does_not_change_predictions(trained, tmp_path):
    scores = {}
    for size in (8, 16, 64):
        folder = tmp_path / str(size)
        scores[size] = evaluate(trained, output_dir=folder, batch_size=size)
        assert [one["inputs"] for one in predictions(folder, "aa")] == [
            f"is {number:03} even" for number in range(13)
        ]
    assert scores[8] == scores[16] == scores[64]


def test_every_language_has_its_own_score_over_all_its_examples(trained):
    scores = evaluate(trained)
    assert [one.task for one in scores] == ["toy_eval.aa", "toy_eval.bb"]
    assert [one.num_examples for one in scores] == [13, 13]
    assert scores[0].metrics == scores[1].metrics


def test_a_label_is_predicted_even_by_a_model_that_knows_nothing(trained, tmp_path):
    evaluate(trained, output_dir=tmp_path)
    assert {one["prediction"] for one in predictions(tmp_path, "bb")} <= set(toy.LABELS)


def test_free_text_is_decoded(trained, tmp_path):
    evaluate(trained, Evaluator(), output_dir=tmp_path)
    assert all(isinstance(one["prediction"], str) for one in predictions(tmp_path, "aa"))


def test_free_text_is_decoded_as_configured(trained, tmp_path):
    decode = DecodeConfig(kind="sample", max_length=3, temperature=2.0)
    evaluate(trained, Evaluator(decode=decode), output_dir=tmp_path / "8", batch_size=8)
    evaluate(trained, Evaluator(decode=decode), output_dir=tmp_path / "16", batch_size=16)
    evaluate(trained, Evaluator(), output_dir=tmp_path / "greedy", batch_size=16)
    sampled = predictions(tmp_path / "8", "aa")
    assert sampled == predictions(tmp_path / "16", "aa")
    assert max(len(one["prediction"].encode()) for one in sampled) <= 3
    assert sampled != predictions(tmp_path / "greedy", "aa")


def test_only_some_tasks_and_examples(trained):
    one = evaluate(trained, Evaluator(toy.labels_of, num_examples=5, only=["toy_eval.bb"]))
    assert [(scores.task, scores.num_examples) for scores in one] == [("toy_eval.bb", 5)]
    with pytest.raises(UserError, match=r"has no task toy_eval.cc; did you mean toy_eval"):
        evaluate(trained, Evaluator(only=["toy_eval.cc"]))


def test_a_split_that_no_task_has_is_told(trained):
    with pytest.raises(UserError, match="toy_zeroshot has no split test"):
        evaluate(trained, split="test")


def test_labels_end_in_eos_and_are_padded():
    ids = encode_labels(toy.LABELS, toy.VOCABULARY)
    assert ids.shape == (2, 4)
    assert [row.tolist().count(toy.VOCABULARY.eos_id) for row in ids] == [1, 1]
    assert toy.VOCABULARY.decode(ids[1].tolist()) == "yes"


def test_predicted_texts_come_in_order(trained):
    inputs = [[*toy.VOCABULARY.encode("text " * (9 - number)), 1] for number in range(5)]
    model, params, mesh = trained
    alone = [predict_texts(model, params, mesh, [ids], toy.VOCABULARY, 1, 8)[0] for ids in inputs]
    assert predict_texts(model, params, mesh, inputs, toy.VOCABULARY, 2, 8) == alone
