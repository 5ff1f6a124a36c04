"""Evaluation of a mixture: all tasks in shared batches, scored by their own SeqIO metrics.

A label is scored, not generated: where a task has a closed set of targets, the likeliest of them
is the prediction. Free text is decoded, greedily unless told otherwise. Where sentences are to be
found among others, the prediction is the encoder's vector, and the task's metric compares them.
"""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh

from mt5x import distributed, input_pipeline, partitioning, prediction
from mt5x.decoding import GREEDY, DecodeConfig
from mt5x.input_pipeline import DatasetConfig, EvaluationExamples
from mt5x.models import EncoderDecoderModel
from mt5x.progress import Progress
from mt5x.whole_file import write_whole

LabelsOf = Callable[[str], Sequence[str] | None]

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
      embedded: maps a task's name to whether its prediction is a vector; by default none is.
      num_examples: evaluate at most so many examples of each task; None takes all.
      only: names of the mixture's tasks to evaluate; None evaluates all of them.
      decode: how free text is decoded; without a length, up to the longest target's.
    """

    labels_of: LabelsOf | None = None
    embedded: Callable[[str], bool] | None = None
    num_examples: int | None = None
    only: Sequence[str] | None = None
    decode: DecodeConfig = GREEDY

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
        predicted = self._predictions(model, params, mesh, dataset, tasks, examples, title)

        def score() -> list[list[Any]]:
            scored = map(score_predictions, tasks, examples, predicted)
            return [[one.task, one.metrics, one.num_examples] for one in scored]

        # Scored once: two processes may add in another order, and what is decided by a score
        # must be decided alike.
        scores = [TaskScores(*one) for one in distributed.from_first(score)]
        if output_dir is not None and jax.process_index() == 0:
            for one, examples_of, predicted_of in zip(scores, examples, predicted, strict=True):
                if not self._is_embedded(one.task):
                    _write_predictions(output_dir, step, one, examples_of, predicted_of)
                _write_metrics(output_dir, step, one)
        return scores

    def score_targets(self, task: Any, dataset: DatasetConfig) -> TaskScores:
        """Scores a task's own targets as if they had been predicted: every metric at its best."""
        examples = self._examples(task, dataset)
        gold = [
            _target_text(task, *one) for one in zip(examples.raw, examples.targets, strict=True)
        ]
        return score_predictions(task, examples, gold)

    def _is_embedded(self, task: str) -> bool:
        return self.embedded is not None and self.embedded(task)

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
    ) -> list[list[Any]]:
        """Predicts each task's examples; tasks that are predicted alike share batches."""
        groups: dict[Any, list[int]] = {}
        for index, task in enumerate(tasks):
            labels = self.labels_of(task.name) if self.labels_of else None
            kind = (self._is_embedded(task.name), None if labels is None else tuple(labels))
            groups.setdefault(kind, []).append(index)
        total = sum(len(one.inputs) for one in examples)
        progress = Progress(title, total, shown=jax.process_index() == 0)
        predicted: list[list[Any]] = [[] for _ in tasks]
        for (embedded, labels), members in groups.items():
            vocabulary = tasks[members[0]].output_features["targets"].vocabulary
            inputs = [ids for index in members for ids in examples[index].inputs]
            common = (model, params, mesh, inputs)
            rest = (vocabulary, dataset.batch_size)
            flat: Sequence[Any]
            if embedded:
                flat = prediction.predict_vectors(*common, dataset.batch_size, progress.advance)
            elif labels is None:
                longest = max(len(ids) for index in members for ids in examples[index].targets)
                flat = prediction.predict_texts(
                    *common, *rest, longest, progress.advance, self.decode
                )
            else:
                flat = prediction.predict_labels(*common, labels, *rest, progress.advance)
            start = 0
            for index in members:
                predicted[index] = list(flat[start : start + len(examples[index].inputs)])
                start += len(predicted[index])
        progress.close()
        return predicted


def score_predictions(
    task: Any, examples: EvaluationExamples, predicted: Sequence[Any]
) -> TaskScores:
    """Applies the task's SeqIO postprocessor and metrics to predicted texts or vectors.

    Args:
      task: the SeqIO task.
      examples: its examples.
      predicted: one text, or one vector [emb_dim], an example, in the same order.
    """
    targets, predictions = [], []
    for raw, ids, one in zip(examples.raw, examples.targets, predicted, strict=True):
        gold = _target_text(task, raw, ids)
        targets.append(task.postprocess_fn(gold, example=raw, is_target=True))
        predictions.append(task.postprocess_fn(one, example=raw, is_target=False))
    metrics: dict[str, float] = {}
    for metric_fn in task.predict_metric_fns:
        metrics |= {name: float(value) for name, value in metric_fn(targets, predictions).items()}
    return TaskScores(task.name, metrics, len(predictions))


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
    write_whole(output_dir / f"{scores.task}-{step:06}-predictions.jsonl", "\n".join(lines) + "\n")


def _write_metrics(output_dir: Path, step: int, scores: TaskScores) -> None:
    output_dir.mkdir(parents=True, exist_ok=True)
    metrics = {"step": step, "num_examples": scores.num_examples, **scores.metrics}
    write_whole(output_dir / f"{scores.task}-{step:06}-metrics.json", json.dumps(metrics) + "\n")


def _target_text(task: Any, raw: dict[str, Any], ids: Any) -> str:
    gold = raw.get("targets_pretokenized")
    if gold is None:
        return str(task.output_features["targets"].vocabulary.decode(ids.tolist()))
    return _decoded(gold)


def _decoded(text: bytes | str) -> str:
    return text.decode("utf-8") if isinstance(text, bytes) else str(text)
