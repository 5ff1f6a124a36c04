"""Ends a run when a named figure of its evaluations has not improved for a while.

What is decided follows from the history in metrics.jsonl alone, so a run that was stopped and
resumed ends where the uninterrupted one does.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping

import jax
import numpy as np
from jax.experimental import multihost_utils

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
    ) -> None:
        """Refuses a figure that the run's evaluations will not have; see `MonitoredMetric.check`.

        Raises:
          UserError: they will not.
        """
        if self.monitored is not None:
            self.monitored.check(evaluator, scored, teacher_forced)

    def verdict(self, history_of: Callable[[str], Mapping[int, float]]) -> str | None:
        """Why the run should end now, or None if it should not.

        Args:
          history_of: gives the values of a figure by the steps of its evaluations; with several
            processes the first one's count.
        """
        if self.monitored is None:
            return None
        history = history_of(self.monitored.name)
        best_step, best, since = None, None, 0
        for step in sorted(history):
            if self.monitored.improves(history[step], best, self.min_delta):
                best_step, best, since = step, history[step], 0
            else:
                since += 1
        if not _agreed(since >= self.patience):
            return None
        return f"{self.metric} has not improved in {self.patience} evaluations; its best was " + (
            "not a number" if best is None else f"{best:.6g} at step {best_step}"
        )


def _agreed(first_says: bool) -> bool:
    """What the first process says, on all of them: it alone holds the history."""
    if jax.process_count() == 1:
        return first_says
    return bool(multihost_utils.broadcast_one_to_all(np.asarray(first_says)))
