"""Runs a study's stages on other machines; what needs no device runs here.

The records are those of the in-process runner (`runner`): the same folders, the same names, the
same table, so a study may be begun in one way and ended in another.
"""

import dataclasses
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mt5x.launch.job import Ended, Job
from mt5x.run_record import environment
from mt5x.studies import (
    fitting,
    forecast,
    outstanding,
    pruning,
    runner,
    stage_jobs,
    store,
    study_rows,
)
from mt5x.studies.accelerators import Accelerator
from mt5x.studies.expansion import expand
from mt5x.studies.plan import Study
from mt5x.studies.stage import Stage
from mt5x.studies.store import Figures


class Elsewhere(Protocol):
    """Other machines, and how their files come here."""

    data_dir: str | None
    """Where the data sets are over there; None where they are as here."""

    accelerator: Accelerator | None
    """What each job runs on; None where that is not known, and what fits is not looked at."""

    def place(self, folder: Path) -> str:
        """Where a stage's folder is over there."""

    def run(self, jobs: Sequence[Job], folders: Mapping[str, Path], ended: Ended) -> None:
        """Runs jobs, each after those it waits for.

        Args:
          jobs: what is to be run.
          folders: by the jobs' names, where what they write is to be found here.
          ended: told of each that has ended well, when what it wrote is here.

        Raises:
          UserError: some failed; those that need them were not run, all others were.
        """


def run(study: Study, jobs: Mapping[str, runner.Job], elsewhere: Elsewhere) -> Path:
    """Runs what is not yet done and writes the result table.

    Args:
      study: the declaration.
      jobs: for the kinds of stages that run here, the function that does it.
      elsewhere: where the others run.

    Returns:
      The path of the result table, output_dir/results.jsonl.

    Raises:
      UserError: some stages failed; what ended well is kept.
    """
    stages = expand(study)
    folders = store.folders_of(study, stages)
    done = [stage for stage in stages if store.is_done(folders[stage.name])]
    print(f"{len(done)} of {len(stages)} stages are done", file=sys.stderr)
    waiting = _waiting(stages, folders)
    fitted = _fitted(stages, elsewhere)
    record = environment() if waiting else {}

    def finish(stage: Stage, figures: Callable[[], Figures]) -> None:
        runner.load(stage, folders)
        runner.finish(stage, folders, figures(), record)

    for stage in waiting:
        if stage.kind not in stage_jobs.COMMANDS:
            finish(stage, functools.partial(jobs[stage.kind], stage.name))
    remote = {
        _name(folders[stage.name]): stage for stage in waiting if stage.kind in stage_jobs.COMMANDS
    }

    def ended(job: Job) -> None:
        stage = remote[job.name]
        finish(stage, functools.partial(stage_jobs.figures_of, stage, folders[stage.name]))

    if remote:
        handed = [
            _job(stage, folders, elsewhere, set(remote), study, fitted.get(stage.name, []))
            for stage in remote.values()
        ]
        at = {name: folders[stage.name] for name, stage in remote.items()}
        elsewhere.run(handed, at, ended)
    return study_rows.write_table(study, stages, folders)


def _waiting(stages: Sequence[Stage], folders: Mapping[str, Path]) -> list[Stage]:
    """What is to be run, ready to be; what failed is tried again, what was pruned done again."""
    states = {one.name: store.state(folders[one.name]) for one in stages}
    ended = (store.DONE, store.PRUNED)
    waiting = outstanding.to_do(
        stages, {name: one if one in ended else store.WAITING for name, one in states.items()}
    )
    for stage in waiting:
        pruning.begin_again(folders[stage.name])
    return waiting


def _name(folder: Path) -> str:
    """The name of a stage's job; another each time that it is run again after it was pruned."""
    again = store.times_pruned(folder)
    return stage_jobs.job_name(folder) + (f"-again{again}" if again else "")


def _job(
    stage: Stage,
    folders: Mapping[str, Path],
    elsewhere: Elsewhere,
    waiting: set[str],
    study: Study,
    bindings: Sequence[str],
) -> Job:
    places = {name: elsewhere.place(folders[name]) for name in stage.parents}
    places["folder"] = elsewhere.place(folders[stage.name])
    after = (_name(folders[name]) for name in stage.parents)
    data_dir = elsewhere.data_dir or str(Path(study.data_dir).absolute())
    job = stage_jobs.job_of(
        stage, places, data_dir, tuple(name for name in after if name in waiting)
    )
    added = tuple(f"--gin.{binding}" for binding in bindings)
    name = _name(folders[stage.name])
    return dataclasses.replace(job, name=name, arguments=job.arguments + added)


def _fitted(stages: Sequence[Stage], elsewhere: Elsewhere) -> dict[str, list[str]]:
    """What each stage needs beyond its config to fit; what cannot is refused before all else."""
    if elsewhere.accelerator is None:
        return {}
    found = forecast.of_stages(stages, elsewhere.accelerator)
    return {
        one.stage.name: fitting.bindings(one.work, one.setting)
        for one in found
        if one.setting is not None
    }
