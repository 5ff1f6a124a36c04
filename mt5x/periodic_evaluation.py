"""What is evaluated every EVAL_PERIOD steps of training."""

import dataclasses
from pathlib import Path

from jax.sharding import Mesh

from mt5x import distributed, input_pipeline, steps
from mt5x.evaluation import Evaluator
from mt5x.input_pipeline import DatasetConfig
from mt5x.metrics_log import MetricsLog
from mt5x.models import EncoderDecoderModel
from mt5x.monitored_metric import SCORED, TEACHER_FORCED
from mt5x.train_state import TrainState


@dataclasses.dataclass
class PeriodicEvaluation:
    """Scores the tasks with their metrics, and the teacher-forced loss.

    Attributes:
      model: the model.
      mesh: the devices.
      evaluator: how to score.
      infer: what to score with the tasks' metrics; None does not.
      teacher_forced: what to measure the loss on; None does not.
      period: steps between evaluations; 0 evaluates never.
      eval_steps: batches of each task in the teacher-forced evaluation.
      output_dir: where predictions go.
      log: where the figures go.
    """

    model: EncoderDecoderModel
    mesh: Mesh
    evaluator: Evaluator
    infer: DatasetConfig | None
    teacher_forced: DatasetConfig | None
    period: int
    eval_steps: int
    output_dir: Path
    log: MetricsLog

    def is_due(self, step: int, last: int) -> bool:
        """Whether to evaluate after this step, `last` being the run's last one."""
        wanted = self.infer is not None or self.teacher_forced is not None
        return wanted and self.period > 0 and (step % self.period == 0 or step == last)

    def was_cut_off(self, step: int, last: int) -> bool:
        """Whether the step from which a run resumes was saved and not evaluated to the end."""
        if not self.is_due(step, last):
            return False
        kinds = (f"{SCORED}/", f"{TEACHER_FORCED}/")
        # One entry holds all figures of an evaluation.
        return not distributed.from_first(
            lambda: any(name.startswith(kinds) for name in self.log.names(step))
        )

    def __call__(self, state: TrainState, step: int) -> dict[str, float]:
        """Evaluates, logs, and returns every figure by the name `monitored_metric` gives it."""
        figures: dict[str, float] = {}
        if self.teacher_forced is not None:
            figures |= self._teacher_forced(state)
        if self.infer is not None:
            scores = self.evaluator.evaluate(
                self.model, state.params, self.mesh, self.infer, self.output_dir, step
            )
            figures |= {
                f"{SCORED}/{one.task}/{metric}": value
                for one in scores
                for metric, value in one.metrics.items()
            }
        if figures:
            self.log.write(step, figures)
        return figures

    def _teacher_forced(self, state: TrainState) -> dict[str, float]:
        assert self.teacher_forced is not None
        eval_step = steps.eval_step(self.model, self.mesh)
        means: dict[str, float] = {}
        config = self.teacher_forced
        for task in input_pipeline.tasks_with_split(config.mixture_or_task_name, config.split):
            one = dataclasses.replace(config, mixture_or_task_name=task.name)
            totals = None
            batches = input_pipeline.training_batches(one, seed=42)
            for batch, _ in zip(batches, range(self.eval_steps), strict=False):
                metrics = eval_step(state.params, steps.place(batch, self.mesh))
                totals = steps.merge(totals, metrics)
            if totals is not None:
                means |= {
                    f"{TEACHER_FORCED}/{task.name}/{k}": v for k, v in steps.means(totals).items()
                }
        return means
