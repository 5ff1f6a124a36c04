"""What a stage makes the devices compute, read from its gin config, before anything runs.

What is read is what the job itself is called with. Rows are taken to be full, and what is evaluated
to be as long as a row: the most that they can be, so the work is an upper bound.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax

from mt5x import config, inference, input_pipeline, train_loop, train_state
from mt5x.errors import UserError
from mt5x.evaluation import Evaluator
from mt5x.input_pipeline import DatasetConfig
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner
from mt5x.train_loop import CheckpointConfig

ExamplesOf = Callable[[str, str], int | None]
"""(SeqIO task, split) to its number of examples; None where nobody knows."""

WITHOUT_VOCABULARY = "EncoderDecoderModel.vocabulary = None"
"""A gin binding with which a config can be read where its vocabulary's file is not at hand."""

# T5X's default of beam search (DECODE_KIND='beam' without NUM_DECODES).
_BEAMS = 4


@dataclasses.dataclass(frozen=True)
class Workload:
    """The device work of one stage, and what it leaves on the disk.

    Attributes:
      model: network and optimizer; None where no device is used.
      inputs: positions of a row of inputs.
      targets: positions of a row of targets.
      batch_size: rows of a step, over all devices.
      first_step: step of the checkpoint that training begins from.
      steps: training steps.
      scored: rows read with their targets given, for losses and for the probabilities of labels.
      decoded: rows whose targets are written one token after another.
      hypotheses: beams or samples of a decoded row.
      checkpoints: training states that are kept.
      partitioner: the mesh that the config asks for.
      num_microbatches: parts that a batch is computed in.
    """

    model: EncoderDecoderModel | None = None
    inputs: int = 0
    targets: int = 0
    batch_size: int = 0
    first_step: int = 0
    steps: int = 0
    scored: int = 0
    decoded: int = 0
    hypotheses: int = 1
    checkpoints: int = 0
    partitioner: Partitioner = Partitioner()
    num_microbatches: int = 1

    @property
    def last_step(self) -> int:
        """Step of the last checkpoint."""
        return self.first_step + self.steps


NOTHING = Workload()
"""What a stage that uses no device computes."""

ON_DEVICES = ("train", "evaluate", "lm_statistics")
"""The kinds of stages that use devices."""


@dataclasses.dataclass(frozen=True)
class Reader:
    """Reads the work of stages.

    Attributes:
      examples_of: counts the examples of a task's split.
      assumed_examples: taken for each task where it does not know.
      assumed_lengths: positions of a row where a checkpoint from elsewhere is evaluated, and so
        nothing says how long: mT5's in fine-tuning.
    """

    examples_of: ExamplesOf = lambda task, split: None
    assumed_examples: int = 5000
    assumed_lengths: Mapping[str, int] = dataclasses.field(
        default_factory=lambda: {"inputs": 1024, "targets": 128}
    )

    def of_loaded_config(self, kind: str, parents: Iterable[Workload] = ()) -> Workload:
        """Returns the work of the stage whose gin config is loaded, `WITHOUT_VOCABULARY` or with.

        Args:
          kind: 'train', 'evaluate' or 'lm_statistics'; any other computes on the host alone.
          parents: the work of the stages that it reads: where training begins, and how long the
            rows of an evaluation are.

        Raises:
          UserError: the config names no work that can be counted.
        """
        models = [parent for parent in parents if parent.model is not None]
        if kind == "train":
            return self._training(models)
        if kind == "evaluate":
            return self._evaluation(models)
        if kind == "lm_statistics":
            return self._lm_statistics()
        return NOTHING

    def _training(self, parents: Sequence[Workload]) -> Workload:
        bound = config.arguments(train_loop.train)
        trained: DatasetConfig = bound["train_dataset_cfg"]
        kept: CheckpointConfig = bound.get("checkpoint_cfg", CheckpointConfig())
        first = _first_step(kept.initial_path, parents)
        relative: Any = bound.get("relative_steps")
        total: Any = bound.get("total_steps")
        if (relative is None) == (total is None):
            raise UserError("set one of TRAIN_STEPS and TRAIN_STEPS_RELATIVE")
        steps = relative if total is None else max(total - first, 0)
        evaluated = _due(first, steps, bound.get("eval_period", 1000))
        evaluations = len(evaluated)
        saved = _due(first, steps, kept.period)
        scored, decoded = 0, 0
        evaluator: Evaluator = bound.get("evaluator") or Evaluator()
        teacher_forced: DatasetConfig | None = bound.get("train_eval_dataset_cfg")
        if evaluations and teacher_forced is not None:
            tasks = _tasks(teacher_forced)
            scored += len(tasks) * bound.get("eval_steps", 20) * teacher_forced.batch_size
        infer: DatasetConfig | None = bound.get("infer_eval_dataset_cfg")
        if evaluations and infer is not None:
            by_labels, as_text = self._evaluated(evaluator, infer)
            scored, decoded = scored + by_labels, decoded + as_text
        return Workload(
            model=bound["model"],
            **_lengths(trained.task_feature_lengths),
            batch_size=trained.batch_size,
            first_step=first,
            steps=steps,
            scored=evaluations * scored,
            decoded=evaluations * decoded,
            hypotheses=_hypotheses(evaluator),
            checkpoints=_kept(first + steps, kept, saved, evaluated) if steps else 0,
            partitioner=bound.get("partitioner", Partitioner()),
            num_microbatches=bound.get("num_microbatches", 1),
        )

    def _evaluation(self, parents: Sequence[Workload]) -> Workload:
        bound = config.arguments(inference.evaluate)
        dataset: DatasetConfig = bound["dataset_cfg"]
        evaluator: Evaluator = bound.get("evaluator") or Evaluator()
        lengths = dataset.task_feature_lengths or config.macro("TASK_FEATURE_LENGTHS")
        if lengths is None and parents:
            # What a stage evaluates is as long as what its checkpoint was trained on.
            lengths = {"inputs": parents[-1].inputs, "targets": parents[-1].targets}
        elif lengths is None:
            lengths = self.assumed_lengths
        scored, decoded = self._evaluated(evaluator, dataset)
        return Workload(
            model=bound["model"],
            **_lengths(lengths),
            batch_size=dataset.batch_size,
            scored=scored,
            decoded=decoded,
            hypotheses=_hypotheses(evaluator),
            partitioner=bound.get("partitioner", Partitioner()),
        )

    def _lm_statistics(self) -> Workload:
        bound = config.arguments("lm_job.lm_statistics")
        rows = len(bound["languages"]) * (bound.get("num_examples") or self.assumed_examples)
        return Workload(
            model=bound["model"],
            **_lengths(bound["task_feature_lengths"]),
            batch_size=bound.get("batch_size", 64),
            # At most all of them are decoded after they were scored.
            scored=rows,
            decoded=rows,
            partitioner=bound.get("partitioner", Partitioner()),
        )

    def _evaluated(self, evaluator: Evaluator, dataset: DatasetConfig) -> tuple[int, int]:
        """Rows that one evaluation scores, and rows that it decodes."""
        scored = decoded = 0
        for task in _tasks(dataset, evaluator.only):
            known = self.examples_of(task.name, dataset.split)
            rows = self.assumed_examples if known is None else known
            if evaluator.num_examples is not None:
                rows = min(rows, evaluator.num_examples)
            labels = evaluator.labels_of(task.name) if evaluator.labels_of else None
            embedded = evaluator.embedded is not None and evaluator.embedded(task.name)
            if embedded or labels is not None:
                scored += rows
            else:
                decoded += rows
        return scored, decoded


def checkpoint_bytes(model: EncoderDecoderModel) -> int:
    """Bytes of a training state: parameters and the optimizer's slots, as they are stored."""
    leaves = jax.tree.leaves(train_state.abstract_state(model))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)


def _tasks(dataset: DatasetConfig, only: Sequence[str] | None = None) -> list[Any]:
    return input_pipeline.tasks_with_split(dataset.mixture_or_task_name, dataset.split, only)


def _hypotheses(evaluator: Evaluator) -> int:
    decode = evaluator.decode
    return decode.num_decodes or (_BEAMS if decode.kind == "beam" else 1)


def _lengths(lengths: Mapping[str, int] | None) -> dict[str, int]:
    if lengths is None:
        raise UserError("set TASK_FEATURE_LENGTHS: nothing says how long the rows are")
    return {name: int(lengths[name]) for name in ("inputs", "targets")}


def _first_step(initial_path: str | None, parents: Sequence[Workload]) -> int:
    """The step that training starts from: the parent's last, or the one in the path's name."""
    if initial_path is None:
        return 0
    if parents:
        return parents[-1].last_step
    match = re.search(r"_(\d+)/*$", initial_path)
    return int(match[1]) if match else 0


def _due(first: int, steps: int, period: int) -> set[int]:
    """The steps after which something is done each `period` steps (never for 0), and at the end."""
    last = first + steps
    if not steps or not period:
        return set()
    return {*range(period * (first // period + 1), last + 1, period), last}


def _kept(last: int, kept: CheckpointConfig, saved: set[int], evaluated: set[int]) -> int:
    """Checkpoints on the disk when training has ended."""
    best = kept.keep_best.monitored is not None
    all_saved = saved | {last} | (evaluated if best else set())
    # Beside the newest, the best one.
    return len(all_saved) if kept.keep is None else min(len(all_saved), kept.keep + best)
