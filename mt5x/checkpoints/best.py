"""The best checkpoint of a run by a named figure: kept, named `best`, and how it was chosen noted.

    runs/panx/best              a link to the best checkpoint so far; a checkpoint like any other
    runs/panx/selection.json    the rule, and the step, value and checkpoint that it chose

A checkpoint that was chosen by target-language data does not give zero-shot results, so the rule
goes with every result (`rule_of`).
"""

import dataclasses
import functools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from mt5x import distributed
from mt5x.checkpoints import native
from mt5x.checkpoints.saving import CheckpointDirectory
from mt5x.errors import UserError
from mt5x.evaluation import Evaluator
from mt5x.input_pipeline import DatasetConfig
from mt5x.monitored_metric import MonitoredMetric
from mt5x.whole_file import write_whole

BEST = "best"
LAST = "last"
FILE = "selection.json"
_ENDED_BY = "early_stopping"


@dataclasses.dataclass(frozen=True)
class KeepBest:
    """Which checkpoint to keep however old it gets; named as in T5X's `BestCheckpointManager`.

    Attributes:
      metric_name_to_monitor: the figure, as metrics.jsonl names it; None keeps the newest alone.
      metric_mode: 'max' or 'min', which is better; None takes 'min' for losses and 'max' for all
        else.

    Raises:
      UserError: a name or mode that cannot be meant.
    """

    metric_name_to_monitor: str | None = None
    metric_mode: str | None = None

    def __post_init__(self) -> None:
        """Refuses what cannot be meant."""
        _ = self.monitored

    @functools.cached_property
    def monitored(self) -> MonitoredMetric | None:
        """The figure; None keeps the newest alone."""
        if self.metric_name_to_monitor is None:
            return None
        return MonitoredMetric(
            self.metric_name_to_monitor, self.metric_mode, macro="KEEP_BEST_METRIC"
        )

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
        if self.monitored is None:
            return
        self.monitored.check(evaluator, scored, teacher_forced)
        self.monitored.note_other_languages(trained, "chooses the checkpoint")

    def rule(self, scored: DatasetConfig | None, teacher_forced: DatasetConfig | None) -> str:
        """Words for the rule: 'last', or 'best FIGURE on SPLIT'."""
        if self.monitored is None:
            return LAST
        return f"{BEST} {self.monitored.described(scored, teacher_forced)}"


@dataclasses.dataclass(frozen=True)
class Selection:
    """Chooses among a run's checkpoints, and writes down what was chosen.

    Attributes:
      model_dir: the run's folder.
      keep_best: the rule.
      rule: the rule in words.
      checkpoints: the run's.
      history_of: gives the values of a figure by the steps of its evaluations; with several
        processes the first one's count.
      ended_by: the figure that may end the run early, which is a choice too; None for none.
    """

    model_dir: Path
    keep_best: KeepBest
    rule: str
    checkpoints: CheckpointDirectory
    history_of: Callable[[str], Mapping[int, float]]
    ended_by: str | None = None

    @property
    def by_figure(self) -> bool:
        """Whether evaluations choose, so that what is evaluated must be saved."""
        return self.keep_best.monitored is not None

    def update(self) -> Path | None:
        """Chooses again, after an evaluation; the best is kept, and what it replaces deleted.

        Returns:
          the folder of the best checkpoint; None without a rule, or if none was evaluated.

        Raises:
          UserError: a checkpoint could not be saved, or what was chosen not be written down.
        """
        monitored = self.keep_best.monitored
        if monitored is None:
            return None
        # Only what is whole can be chosen.
        self.checkpoints.wait()
        there = self.checkpoints.steps
        history = {
            step: value for step, value in self.history_of(monitored.name).items() if step in there
        }
        best = distributed.from_first(lambda: monitored.best(history))
        if best is None:
            return None
        step, value = best
        checkpoint = self.model_dir / f"{native.PREFIX}_{step}"
        if jax.process_index() == 0:
            considered = {str(step): history[step] for step in sorted(history)}
            self._write(step, metric=monitored.name, mode=monitored.mode, value=value,
                        considered=considered)  # fmt: skip
            _link(self.model_dir / BEST, checkpoint.name)
        distributed.barrier("best checkpoint")
        self.checkpoints.keep(step)
        return checkpoint

    def finish(self, step: int) -> None:
        """Notes the end of a run that chose nothing: its last checkpoint is the result."""
        if not self.by_figure and jax.process_index() == 0:
            self._write(step)

    def _write(self, step: int, **more: Any) -> None:
        record = {
            "rule": self.rule, "checkpoint": f"{native.PREFIX}_{step}", "step": step, **more
        }  # fmt: skip
        if self.ended_by is not None:
            record[_ENDED_BY] = self.ended_by
        write_whole(self.model_dir / FILE, json.dumps(record, indent=1) + "\n")


def rule_of(checkpoint_path: str | None) -> str:
    """How the checkpoint at a path was chosen, for the results that it gives.

    Args:
      checkpoint_path: a folder of checkpoints, which stands for the last; a run's `best`; or one
        checkpoint; None where there is none.

    Raises:
      UserError: it is a run's `best` and the run does not say by which rule.
    """
    if not checkpoint_path:
        return LAST
    path = Path(checkpoint_path)
    step = native.step_of(path)
    file = (path if step is None and path.name != BEST else path.parent) / FILE
    rule = LAST if step is None else f"step {step}"
    if path.name == BEST or file.is_file():
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            rule = str(record["rule"]) if path.name == BEST else rule
            ended_by = record.get(_ENDED_BY)
        except (AttributeError, OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{file} does not say how {path} was chosen ({error}); name a checkpoint by its "
                "step instead, and take the file away"
            ) from error
        if ended_by is not None:
            rule += f", training ended by {ended_by}"
    return rule


def _link(link: Path, target: str) -> None:
    """Makes or replaces a link at once, so that it always leads somewhere."""
    partial = link.with_name(f".{link.name}.{os.getpid()}.partial")
    try:
        partial.unlink(missing_ok=True)
        partial.symlink_to(target, target_is_directory=True)
        partial.replace(link)
    except OSError as error:
        raise UserError(f"cannot write {link}: {error.strerror}") from error
