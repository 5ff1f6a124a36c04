"""Ends a run when a named figure of its evaluations has not improved for a while.

What is decided follows from the history in metrics.jsonl alone, so a run that was stopped and
resumed ends where the uninterrupted one does.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping

from mt5x import distributed
from mt5x.errors import UserError
from mt5x.evaluation import Evaluator
from mt5x.input_pipeline import DatasetConfig
from mt5x.monitored_metric import MonitoredMetric


@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """When to stop before TRAIN_STEPS.

    Attributes:
      metric: the figure, as metrics.jsonl names it; None never stops early.
      mode: 'max' or 'min', which is better; None takes 'min' for losses and 'max' for all else.
      patience: evaluations without improvement after which the run ends.
      min_delta: what an improvement must exceed.

    Raises:
      UserError: a name, mode or number that cannot be meant.
    """

    metric: str | None = None
    mode: str | None = None
    patience: int = 5
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        """Refuses what cannot be meant."""
        if self.patience < 1:
            raise UserError(f"EARLY_STOPPING_PATIENCE must be 1 or more, not {self.patience}")
        if not self.min_delta >= 0.0:
            raise UserError(f"EARLY_STOPPING_MIN_DELTA must be 0 or more, not {self.min_delta}")
        _ = self.monitored

    @functools.cached_property
    def monitored(self) -> MonitoredMetric | None:
        """The figure; None never stops early."""
        if self.metric is None:
            return None
        return MonitoredMetric(self.metric, self.mode, macro="EARLY_STOPPING_METRIC")

    def check(
        self,
        evaluator: Evaluator,
        scored: DatasetConfig | None,
        teacher_forced: DatasetConfig | None,
        trained: DatasetConfig,
    ) -> None:
        """Refuses a figure that the run's evaluations will not have; says what is not zero-shot.

        Args:
          evaluator: how tasks are scored.
          scored: what is scored with the tasks' metrics; None for nothing.
          teacher_forced: what the loss is measured on; None for nothing.
          trained: what is trained on.

        Raises:
          UserError: there will be no such figure; the nearest names are offered.
        """
        if self.monitored is not None:
            self.monitored.check(evaluator, scored, teacher_forced)
            self.monitored.note_other_languages(trained, "ends the run")

    def rule(
        self, scored: DatasetConfig | None, teacher_forced: DatasetConfig | None
    ) -> str | None:
        """The figure in words, for the record of how a result was chosen; None without one."""
        if self.monitored is None:
            return None
        return self.monitored.described(scored, teacher_forced)

    def verdict(self, history_of: Callable[[str], Mapping[int, float]]) -> str | None:
        """Why the run should end now, or None if it should not.

        Args:
          history_of: gives the values of a figure by the steps of its evaluations; with several
            processes the first one's count.
        """
        monitored = self.monitored
        if monitored is None:
            return None
        return distributed.from_first(lambda: self._verdict(monitored, history_of(monitored.name)))

    def _verdict(self, monitored: MonitoredMetric, history: Mapping[int, float]) -> str | None:
        best_step, best, since = None, None, 0
        for step in sorted(history):
            if monitored.improves(history[step], best, self.min_delta):
                best_step, best, since = step, history[step], 0
            else:
                since += 1
        if since < self.patience:
            return None
        found = "not a number" if best is None else f"{best:.6g} at step {best_step}"
        return (
            f"{monitored.name} has not improved in {self.patience} evaluations; its best was "
            f"{found}"
        )
