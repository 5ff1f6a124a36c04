"""One figure of a run's evaluations that decides something: which checkpoint is best, when to stop.

A figure is named as metrics.jsonl and TensorBoard name it: `eval/TASK/METRIC` for what a task's own
metric functions return, `training_eval/TASK/METRIC` for the teacher-forced loss and its like.
"""

import dataclasses
import math
import sys
from collections.abc import Collection, Mapping
from typing import Any

import jax

from mt5x import input_pipeline
from mt5x.errors import UserError, nearest
from mt5x.evaluation import Evaluator
from mt5x.input_pipeline import DatasetConfig

SCORED, TEACHER_FORCED = "eval", "training_eval"
MODES = ("max", "min")

# What the teacher-forced evaluation measures that says how good a model is.
TEACHER_FORCED_METRICS = ("loss", "cross_entropy", "z_loss", "accuracy")
_LOWER_IS_BETTER = ("loss", "cross_entropy", "z_loss")


@dataclasses.dataclass(frozen=True)
class MonitoredMetric:
    """A figure's name, and whether more or less of it is better.

    Attributes:
      name: `eval/TASK/METRIC` or `training_eval/TASK/METRIC`.
      mode: 'max' or 'min'; None takes 'min' for losses and 'max' for all else.
      macro: how the person set it, for messages.

    Raises:
      UserError: a name that is not of this form, an unknown mode, a loss to be maximised.
    """

    name: str
    mode: str | None = None
    macro: str = "the monitored metric"

    def __post_init__(self) -> None:
        """Refuses what can be refused without knowing the tasks."""
        kind, _, rest = str(self.name).partition("/")
        if kind not in (SCORED, TEACHER_FORCED) or not all(rest.partition("/")):
            raise UserError(
                f"{self.macro} must be {SCORED}/TASK/METRIC or {TEACHER_FORCED}/TASK/METRIC, "
                f"as metrics.jsonl names the figure, not {self.name!r}"
            )
        is_loss = kind == TEACHER_FORCED and self.metric in _LOWER_IS_BETTER
        if self.mode is None:
            object.__setattr__(self, "mode", "min" if is_loss else "max")
        if self.mode not in MODES:
            raise UserError(f"the mode of {self.macro} must be 'max' or 'min', not {self.mode!r}")
        if is_loss and self.mode == "max":
            raise UserError(f"{self.macro}={self.name} is better when lower: set its mode to 'min'")

    @property
    def kind(self) -> str:
        """'eval' or 'training_eval'."""
        return self.name.split("/")[0]

    @property
    def task(self) -> str:
        """The SeqIO name of the task that is evaluated."""
        return self.name.split("/")[1]

    @property
    def metric(self) -> str:
        """The metric's name within the task."""
        return self.name.split("/", 2)[2]

    def described(self, scored: DatasetConfig | None, teacher_forced: DatasetConfig | None) -> str:
        """The figure in words: its name, its mode where lower is better, and the split."""
        dataset = scored if self.kind == SCORED else teacher_forced
        split = "" if dataset is None else f" on {dataset.split}"
        return f"{self.name}{' (lowest)' if self.mode == 'min' else ''}{split}"

    def note_other_languages(self, trained: DatasetConfig, what: str) -> None:
        """Says on standard error if the figure is of a language that is not trained on.

        Args:
          trained: what is trained on.
          what: what the figure does, as 'chooses the checkpoint'.
        """
        tasks = input_pipeline.tasks_with_split(trained.mixture_or_task_name, trained.split)
        of_training = set().union(*(languages(task.name) for task in tasks))
        others = languages(self.task) - of_training
        if of_training and others and jax.process_index() == 0:
            print(
                f"mt5x: note: {self.macro}={self.name} {what} by {' and '.join(sorted(others))}, "
                f"which this run does not train on ({' '.join(sorted(of_training))}): its results "
                "are not zero-shot",
                file=sys.stderr,
            )

    def improves(self, value: float, best: float | None, min_delta: float = 0.0) -> bool:
        """Whether `value` is better than `best` by more than `min_delta`; NaN never is."""
        if math.isnan(value):
            return False
        if best is None:
            return True
        gain = value - best if self.mode == "max" else best - value
        return gain > min_delta

    def best(self, history: Mapping[int, float]) -> tuple[int, float] | None:
        """The step of the best value and that value, the earliest of equals; None without one."""
        found: tuple[int, float] | None = None
        for step in sorted(history):
            if self.improves(history[step], None if found is None else found[1]):
                found = step, history[step]
        return found

    def check(
        self,
        evaluator: Evaluator,
        scored: DatasetConfig | None,
        teacher_forced: DatasetConfig | None,
    ) -> None:
        """Refuses, before training, a figure that its evaluations would not have.

        Args:
          evaluator: how tasks are scored.
          scored: what is scored with the tasks' metrics; None for nothing.
          teacher_forced: what the loss is measured on; None for nothing.

        Raises:
          UserError: there is no such evaluation, task or metric; the nearest names are offered.
        """
        dataset = scored if self.kind == SCORED else teacher_forced
        if dataset is None:
            periods = "EVAL_PERIOD" if self.kind == SCORED else "EVAL_PERIOD and EVAL_STEPS"
            raise UserError(
                f"{self.macro}={self.name} needs an evaluation that this run does not do: "
                f"set {periods} above 0"
            )
        only = evaluator.only if self.kind == SCORED else None
        tasks = {
            task.name: task
            for task in input_pipeline.tasks_with_split(
                dataset.mixture_or_task_name, dataset.split, only
            )
        }
        if self.task not in tasks:
            raise UserError(
                f"{self.macro}={self.name}: no task {self.task} is evaluated on "
                f"{dataset.split}{nearest(self.task, tasks)}"
            )
        known: Collection[str] = TEACHER_FORCED_METRICS
        if self.kind == SCORED:
            known = _metric_names(evaluator, tasks[self.task], dataset)
        if known and self.metric not in known:
            near = nearest(self.metric, known) or f"; it has {', '.join(sorted(known))}"
            raise UserError(
                f"{self.macro}={self.name}: {self.task} has no metric {self.metric}{near}"
            )


def languages(task: str) -> set[str]:
    """The languages that a task's name ends in: {'ar', 'de'} of 'mlqa_cross_eval.ar.de:short'."""
    return set(task.partition(":")[0].split(".")[1:])


def _metric_names(evaluator: Evaluator, task: Any, dataset: DatasetConfig) -> Collection[str]:
    """The metrics that a task reports, found by scoring its own answers; () if they are vectors."""
    if evaluator.embedded is not None and evaluator.embedded(task.name):
        return ()
    return evaluator.score_targets(task, dataset).metrics
