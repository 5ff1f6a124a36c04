"""Sentence vectors: the mean over a text's own tokens, whatever it is batched with."""

import json
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
import seqio
import tensorflow as tf
from jax.sharding import Mesh

from mt5x import embedding, train_state
from mt5x.evaluation import Evaluator
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import make_mesh
from mt5x.prediction import predict_vectors
from tests.mt5x import toy

Trained: TypeAlias = tuple[EncoderDecoderModel, Any, Mesh]
SENTENCES = ["one", "two words", "three words here", "a longer one with many more bytes in it"]


@pytest.fixture(scope="module")
def trained() -> Trained:
    toy.register()
    mesh = make_mesh(1, 1)
    return toy.model(), train_state.init_state(toy.model(), mesh, seed=0).params, mesh


def encode(text: str) -> list[int]:
    return [*toy.VOCABULARY.encode(text), toy.VOCABULARY.eos_id]


def test_the_vector_is_the_mean_of_the_encoder_states(trained: Trained) -> None:
    model, params, _ = trained
    ids = np.array([encode("two words")], np.int32)
    states = model.module.apply(
        {"params": params}, ids, enable_dropout=False, method=model.module.encode
    )
    vector = embedding.mean_pooled(model.module, params, ids)
    np.testing.assert_allclose(vector[0], np.asarray(states)[0].mean(axis=0), atol=1e-6)
    padded = np.pad(ids, [(0, 1), (0, 7)])
    vectors = np.asarray(embedding.mean_pooled(model.module, params, padded))
    np.testing.assert_allclose(vectors[0], np.asarray(vector)[0], atol=1e-6)
    assert not vectors[1].any()


def test_the_batch_size_does_not_change_vectors(trained: Trained) -> None:
    inputs = [encode(text) for text in SENTENCES]
    model, params, mesh = trained
    alone, together = (
        np.stack(predict_vectors(model, params, mesh, inputs, batch_size)) for batch_size in (1, 4)
    )
    assert alone.shape == (4, 16)
    assert alone.dtype == np.float32
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_a_task_is_scored_on_vectors(trained: Trained, tmp_path: Path) -> None:
    """The evaluator hands each example's own vector to the task's metric, in order."""

    def rows(split: str, shuffle_files: bool = False, seed: int | None = None) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices({"inputs": SENTENCES, "targets": ["x"] * 4})

    seen: dict[str, list] = {}

    def metric(targets: list, predictions: list) -> dict[str, float]:
        seen.update(predictions=predictions)
        return {"dimensions": float(np.stack(predictions).shape[1])}

    name = "toy_embedded_eval.aa"
    seqio.TaskRegistry.add(
        name,
        source=seqio.FunctionDataSource(dataset_fn=rows, splits=("validation",)),
        preprocessors=[seqio.preprocessors.tokenize, seqio.preprocessors.append_eos],
        output_features={
            "inputs": seqio.Feature(toy.VOCABULARY),
            "targets": seqio.Feature(toy.VOCABULARY),
        },
        metric_fns=[metric],
    )
    evaluator = Evaluator(embedded=lambda task: task == name)
    dataset = toy.dataset(
        mixture_or_task_name=name, split="validation", task_feature_lengths=None, pack=False
    )
    model, params, mesh = trained
    (scores,) = evaluator.evaluate(model, params, mesh, dataset, tmp_path, step=3)
    assert scores.metrics == {"dimensions": 16.0}
    expected = predict_vectors(model, params, mesh, [encode(text) for text in SENTENCES], 8)
    np.testing.assert_allclose(np.stack(seen["predictions"]), np.stack(expected), atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}-000003-metrics.json"]
    assert json.loads(next(tmp_path.iterdir()).read_text())["num_examples"] == 4
