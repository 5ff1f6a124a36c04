"""Evaluation of a mixture: all tasks in shared batches, scored by their own SeqIO metrics.

A label is scored, not generated: where a task has a closed set of targets, the likeliest of them
is the prediction. Free text is decoded greedily.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from mt5x import input_pipeline, partitioning, run_record, steps
from mt5x.input_pipeline import DatasetConfig, EvaluationExamples
from mt5x.models import EncoderDecoderModel
from mt5x.progress import Progress

TokenIds = Sequence[int] | np.ndarray
LabelsOf = Callable[[str], Sequence[str] | None]

# Lengths are rounded up so that data sets of like lengths share a compiled step.
_INPUT_LENGTH_STEP = 32
_TARGET_LENGTH_STEP = 8

# {(task, split, lengths, limit): (vocabulary, examples)}
_examples_read: dict[Any, tuple[Any, EvaluationExamples]] = {}


def forget_examples() -> None:
    """Drops the examples read so far, for when the data directory changes."""
    _examples_read.clear()


@dataclasses.dataclass(frozen=True)
class TaskScores:
    """The scores of one task.

    Attributes:
      task: its SeqIO name.
      metrics: as the task's metric functions return them.
      num_examples: how many examples they are over.
    """

    task: str
    metrics: dict[str, float]
    num_examples: int


@dataclasses.dataclass(frozen=True)
class Evaluator:
    """How to evaluate, apart from the model and the data.

    Attributes:
      labels_of: maps a task's name to its closed set of target strings, or to None for free text;
        by default every task is free text.
      num_examples: evaluate at most so many examples of each task; None takes all.
      only: names of the mixture's tasks to evaluate; None evaluates all of them.
    """

    labels_of: LabelsOf | None = None
    num_examples: int | None = None
    only: Sequence[str] | None = None

    def evaluate(
        self,
        model: EncoderDecoderModel,
        params: Any,
        mesh: Mesh,
        dataset: DatasetConfig,
        output_dir: Path | None = None,
        step: int = 0,
        title: str = "evaluate",
    ) -> list[TaskScores]:
        """Scores every task of the mixture that has the split, each example once.

        Args:
          model: the model.
          params: its parameters, on `mesh`.
          mesh: the devices.
          dataset: the mixture, split, lengths and batch size.
          output_dir: where to write predictions and metrics as JSON lines; None writes nothing.
          step: the training step, for the names of those files.
          title: shown by the progress bar.
        """
        partitioning.Partitioner(mesh.shape[partitioning.MODEL_AXIS]).check_batch_size(
            dataset.batch_size
        )
        tasks = input_pipeline.tasks_with_split(
            dataset.mixture_or_task_name, dataset.split, self.only
        )
        examples = [self._examples(task, dataset) for task in tasks]
        texts = self._predictions(model, params, mesh, dataset, tasks, examples, title)
        scores = [
            score_predictions(task, examples_of, texts_of)
            for task, examples_of, texts_of in zip(tasks, examples, texts, strict=True)
        ]
        if output_dir is not None and jax.process_index() == 0:
            for one, examples_of, texts_of in zip(scores, examples, texts, strict=True):
                _write_predictions(output_dir, step, one, examples_of, texts_of)
        return scores

    def _examples(self, task: Any, dataset: DatasetConfig) -> EvaluationExamples:
        """Reads a task's examples, or finds them again: a study evaluates them for every source."""
        lengths = dataset.task_feature_lengths
        key = (
            task,
            dataset.split,
            None if lengths is None else tuple(sorted(lengths.items())),
            self.num_examples,
        )
        vocabulary = task.output_features["inputs"].vocabulary
        if key not in _examples_read or _examples_read[key][0] is not vocabulary:
            examples = input_pipeline.evaluation_examples(
                task, dataset.split, lengths, dataset.use_cached, self.num_examples
            )
            _examples_read[key] = (vocabulary, examples)
        return _examples_read[key][1]

    def _predictions(
        self,
        model: EncoderDecoderModel,
        params: Any,
        mesh: Mesh,
        dataset: DatasetConfig,
        tasks: Sequence[Any],
        examples: Sequence[EvaluationExamples],
        title: str,
    ) -> list[list[str]]:
        """Predicts each task's examples; tasks with the same set of labels share batches."""
        input_length = _round_up(
            max(len(ids) for one in examples for ids in one.inputs), _INPUT_LENGTH_STEP
        )
        groups: dict[tuple[str, ...] | None, list[int]] = {}
        for index, task in enumerate(tasks):
            labels = self.labels_of(task.name) if self.labels_of else None
            groups.setdefault(None if labels is None else tuple(labels), []).append(index)
        total = sum(len(one.inputs) for one in examples)
        progress = Progress(title, total)
        texts: list[list[str]] = [[] for _ in tasks]
        for labels, members in groups.items():
            vocabulary = tasks[members[0]].output_features["targets"].vocabulary
            inputs: list[TokenIds] = [ids for index in members for ids in examples[index].inputs]
            if labels is None:
                targets = [ids for index in members for ids in examples[index].targets]
                length = _round_up(max(map(len, targets)), _TARGET_LENGTH_STEP)
                decode = steps.greedy_step(model, mesh, length)
                predict = functools.partial(decode, params)
            else:
                label_ids = encode_labels(labels, vocabulary)
                score = steps.label_step(model, mesh)
                predict = functools.partial(_likeliest, score, params, label_ids)
            flat = []
            for rows in _in_batches(inputs, dataset.batch_size, input_length, mesh, predict):
                flat += [_text(row, labels, vocabulary) for row in rows]
                progress.advance(len(rows))
            start = 0
            for index in members:
                texts[index] = flat[start : start + len(examples[index].inputs)]
                start += len(texts[index])
        progress.close()
        return texts


def score_predictions(task: Any, examples: EvaluationExamples, texts: Sequence[str]) -> TaskScores:
    """Applies the task's SeqIO postprocessor and metrics to predicted texts.

    Args:
      task: the SeqIO task.
      examples: its examples.
      texts: one predicted text an example, in the same order.
    """
    vocabulary = task.output_features["targets"].vocabulary
    targets, predictions = [], []
    for raw, ids, text in zip(examples.raw, examples.targets, texts, strict=True):
        gold = raw.get("targets_pretokenized")
        gold = vocabulary.decode(ids.tolist()) if gold is None else _decoded(gold)
        targets.append(task.postprocess_fn(gold, example=raw, is_target=True))
        predictions.append(task.postprocess_fn(text, example=raw, is_target=False))
    metrics: dict[str, float] = {}
    for metric_fn in task.predict_metric_fns:
        metrics |= {name: float(value) for name, value in metric_fn(targets, predictions).items()}
    return TaskScores(task.name, metrics, len(texts))


def encode_labels(labels: Sequence[str], vocabulary: Any) -> np.ndarray:
    """Returns the labels' ids with EOS, int32 [labels, longest], padded with 0."""
    rows = [[*vocabulary.encode(label), vocabulary.eos_id] for label in labels]
    return _pad(rows, len(rows), max(map(len, rows)))


def predict_texts(
    model: EncoderDecoderModel,
    params: Any,
    mesh: Mesh,
    inputs: Sequence[TokenIds],
    vocabulary: Any,
    batch_size: int,
    max_decode_length: int,
) -> list[str]:
    """Greedily decodes inputs of token ids, with EOS, to texts."""
    length = _round_up(max(map(len, inputs)), _INPUT_LENGTH_STEP)
    decode = functools.partial(steps.greedy_step(model, mesh, max_decode_length), params)
    batches = _in_batches(inputs, batch_size, length, mesh, decode)
    return [_text(row, None, vocabulary) for rows in batches for row in rows]


def _in_batches(
    inputs: Sequence[TokenIds],
    batch_size: int,
    length: int,
    mesh: Mesh,
    predict: Callable[[jax.Array], jax.Array],
) -> Any:
    """Yields the predictions of each batch, padding rows dropped, one batch behind the device."""
    pending: tuple[jax.Array, int] | None = None
    mine = slice(
        jax.process_index() * batch_size // jax.process_count(),
        (jax.process_index() + 1) * batch_size // jax.process_count(),
    )
    for start in range(0, len(inputs), batch_size):
        rows = inputs[start : start + batch_size]
        batch = {"tokens": _pad(rows, batch_size, length)[mine]}
        result = predict(steps.place(batch, mesh)["tokens"])
        if pending is not None:
            yield np.asarray(pending[0])[: pending[1]]
        pending = (result, len(rows))
    if pending is not None:
        yield np.asarray(pending[0])[: pending[1]]


def _likeliest(
    score: Callable[..., jax.Array], params: Any, label_ids: np.ndarray, tokens: jax.Array
) -> jax.Array:
    return score(params, tokens, label_ids).argmax(axis=-1)


def _text(prediction: Any, labels: Sequence[str] | None, vocabulary: Any) -> str:
    if labels is not None:
        return labels[int(prediction)]
    ids = prediction.tolist()
    end = ids.index(vocabulary.eos_id) if vocabulary.eos_id in ids else len(ids)
    return str(vocabulary.decode([token for token in ids[:end] if token]))


def _write_predictions(
    output_dir: Path, step: int, scores: TaskScores, examples: EvaluationExamples, texts: list[str]
) -> None:
    output_dir.mkdir(parents=True, exist_ok=True)
    lines = [
        json.dumps(
            {
                "inputs": _decoded(raw.get("inputs_pretokenized", b"")),
                "targets": _decoded(raw.get("targets_pretokenized", b"")),
                "prediction": text,
            },
            ensure_ascii=False,
        )
        for raw, text in zip(examples.raw, texts, strict=True)
    ]
    run_record.write_whole(
        output_dir / f"{scores.task}-{step:06}-predictions.jsonl", "\n".join(lines) + "\n"
    )
    metrics = {"step": step, "num_examples": scores.num_examples, **scores.metrics}
    run_record.write_whole(
        output_dir / f"{scores.task}-{step:06}-metrics.json", json.dumps(metrics) + "\n"
    )


def _decoded(text: bytes | str) -> str:
    return text.decode("utf-8") if isinstance(text, bytes) else str(text)


def _pad(rows: Sequence[TokenIds], count: int, length: int) -> np.ndarray:
    padded = np.zeros((count, length), np.int32)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
