"""Runs the stages of a study in this process, so that they share compilations.

Several runners may work on one study, or on studies that share stages: each claims a stage before
it runs it. A stage that fails stops those alone that need it.
"""

import collections
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mt5x import config
from mt5x.checkpoints import best
from mt5x.errors import UserError, said
from mt5x.run_record import environment
from mt5x.studies import flips, outstanding, pruning, stage_jobs, status, store, study_rows
from mt5x.studies.expansion import expand
from mt5x.studies.plan import Study
from mt5x.studies.stage import Stage, gin_bindings
from mt5x.studies.store import Done, Failure, Figures

Job = Callable[[str], Figures]
"""Runs a stage whose config is loaded; takes the title for its progress bar."""

_LOOK_AGAIN = 1.0
"""Seconds between looks at what other runners do."""
_MOST_TOLD = 5
"""Failures that are told one by one in the end."""
_TELL_AFTER = 60.0
"""Seconds between lines that say how far the whole study is."""


class StudyFailed(UserError):
    """Some stages failed; all that do not need them are done."""


def run(study: Study, jobs: Mapping[str, Job], again: bool = False) -> Path:
    """Runs what is not yet done and writes the result table.

    Args:
      study: the declaration.
      jobs: for each kind of stage, the function that does it.
      again: tries what has failed before once more.

    Returns:
      The path of the result table, output_dir/results.jsonl.

    Raises:
      StudyFailed: some stages failed, now or before; the table has what is done.
    """
    work = Work(study, jobs)
    if again:
        work.forget_failures()
    work.run()
    results = study_rows.write_table(study, work.stages, work.folders)
    work.tell()
    return results


class Work:
    """What is to be done of a study, by this runner and by others.

    Attributes:
      stages: all of the study, parents first.
      folders: of each, by its name.
    """

    def __init__(self, study: Study, jobs: Mapping[str, Job]) -> None:
        self.stages = expand(study)
        self.folders = store.folders_of(study, self.stages)
        self._study, self._jobs = study, jobs
        self._record: dict[str, Any] = {}
        self._seconds: dict[str, float] = {}
        self._told = time.monotonic()

    def forget_failures(self) -> None:
        """Lets every stage that has failed be tried again."""
        for folder in self.folders.values():
            store.forget_failure(folder)

    def run(self) -> None:
        """Runs all that can be, here or by waiting for whoever runs it."""
        done = len(self._in(store.DONE, store.PRUNED))
        if done:
            print(f"{done} of {len(self.stages)} stages are done", file=sys.stderr)
        while waiting := outstanding.to_do(self.stages, self._states()):
            if not any(self._run_if_free(one) for one in waiting):
                # All are in the hands of others, or wait for what is.
                time.sleep(_LOOK_AGAIN)

    def tell(self) -> None:
        """Says where the time went, and what failed.

        Raises:
          StudyFailed: something did.
        """
        if self._seconds:
            print(time_table(self.stages, self._seconds), file=sys.stderr)
        if failed := self._in(store.FAILED):
            raise StudyFailed(failure_page(failed, self.folders, len(self._in(store.WAITING))))

    def _states(self) -> dict[str, str]:
        return {one.name: store.state(self.folders[one.name]) for one in self.stages}

    def _in(self, *states: str) -> list[Stage]:
        found = self._states()
        return [one for one in self.stages if found[one.name] in states]

    def _run_if_free(self, stage: Stage) -> bool:
        """Runs a stage if what it needs is there and nobody else has it; whether it did."""
        folder = self.folders[stage.name]
        if not all(store.has_output(self.folders[name]) for name in stage.parents):
            return False
        with store.claim(folder) as mine:
            # Another may have ended it since it was looked at.
            if not mine or store.has_ended(folder):
                return False
            self._run(stage, folder)
        self._tell_how_far()
        return True

    def _tell_how_far(self) -> None:
        """A line now and then: how far all is, what failed, and how long it will take."""
        if time.monotonic() - self._told < _TELL_AFTER:
            return
        self._told = time.monotonic()
        states = self._states()
        counts = collections.Counter(states.values())
        left = status.seconds_left(self.stages, self.folders, states)
        done = counts[store.DONE] + counts[store.PRUNED]
        parts = [f"{done} of {len(self.stages)} stages are done"]
        if counts[store.FAILED]:
            parts.append(f"{counts[store.FAILED]} failed")
        if left:
            parts.append(f"about {status.duration(left)} left")
        print("; ".join(parts), file=sys.stderr)

    def _run(self, stage: Stage, folder: Path) -> None:
        title = f"[{self.stages.index(stage) + 1}/{len(self.stages)}] {stage.name}"
        self._record = self._record or environment()
        begin = time.monotonic()
        try:
            pruning.begin_again(folder)
            load(stage, self.folders)
            figures = self._jobs[stage.kind](title)
            self._seconds[stage.name] = time.monotonic() - begin
            finish(stage, self.folders, figures, self._record, self._seconds[stage.name])
        except Exception as error:
            failure = Failure(
                cause_of(error),
                stage_jobs.command_of(stage, self.folders, self._study.data_dir),
                traceback.format_exc(),
            )
            store.fail(folder, failure)
            print(f"{title} failed: {failure.cause}", file=sys.stderr)


def load(stage: Stage, folders: Mapping[str, Path]) -> None:
    """Loads the config of a stage, with the folders of this machine."""
    places = {name: str(folders[name]) for name in stage.parents}
    places["folder"] = str(folders[stage.name])
    config.load(stage.gin_files, gin_bindings(stage.macros, places))


def finish(
    stage: Stage,
    folders: Mapping[str, Path],
    figures: Figures,
    record: Mapping[str, Any],
    seconds: float | None = None,
) -> None:
    """Writes down that a stage whose config is loaded has ended well.

    Args:
      stage: what has ended.
      folders: of all stages.
      figures: what it measured.
      record: the environment that it ran in.
      seconds: that it took; None where nobody knows.
    """
    folder = folders[stage.name]
    if stage.compared_with is not None:
        figures = flips.with_flips(figures, folder, folders[stage.compared_with])
    selection = best.rule_of(config.macro("CHECKPOINT_PATH"))
    rounded = None if seconds is None else round(seconds, 2)
    store.finish(folder, Done(figures, selection, record, rounded))


def cause_of(error: Exception) -> str:
    """What went wrong, in a line."""
    text = " ".join(said(error).split()) or type(error).__name__
    if isinstance(error, UserError):
        return text
    short = text if len(text) <= 300 else f"{text[:300]} …"
    if "RESOURCE_EXHAUSTED" in text or isinstance(error, MemoryError):
        return f"out of memory ({short}); `mt5x plan` says what fits"
    return f"{type(error).__name__}: {short}"


def failure_page(failed: Sequence[Stage], folders: Mapping[str, Path], unreached: int) -> str:
    """What failed, why, and how to run each alone."""
    stages = "1 stage failed" if len(failed) == 1 else f"{len(failed)} stages failed"
    lines = [f"{stages}, and {unreached} that need what it gives were not run:"]
    for stage in failed[:_MOST_TOLD]:
        failure = store.failure_of(folders[stage.name])
        lines += [f"  {stage.name}: {failure.cause}", f"    alone: {failure.command}"]
    if len(failed) > _MOST_TOLD:
        lines.append(f"  and {len(failed) - _MOST_TOLD} more, which `mt5x study status` lists")
    return "\n".join([*lines, "`mt5x study retry` tries them again; the others are kept"])


def time_table(stages: Sequence[Stage], seconds: Mapping[str, float]) -> str:
    """Where the time of these stages went, a line for each kind and task."""
    groups: dict[str, list[float]] = {}
    for stage in stages:
        if stage.name in seconds:
            groups.setdefault(status.group_of(stage), []).append(seconds[stage.name])
    width = max(map(len, groups))
    lines = [f"{'stages':<{width}}  number  seconds  each"]
    for name, taken in groups.items():
        total = sum(taken)
        lines.append(f"{name:<{width}}  {len(taken):>6}  {total:>7.1f}  {total / len(taken):>4.1f}")
    return "\n".join(lines)
