"""A stage as an `mt5x` command for another machine, and its figures from what the command wrote.

The command is the one that a user would type: the stage's gin files, and its macros as flags.
"""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from mt5x import config, input_pipeline
from mt5x.errors import UserError
from mt5x.launch.job import Job
from mt5x.studies.jobs import language_of
from mt5x.studies.results import HIGH, LOW, read_rows
from mt5x.studies.stage import Stage, gin_bindings
from mt5x.studies.store import Figures

COMMANDS = {"train": "train", "evaluate": "evaluate", "lm_statistics": "lm-stats"}
"""Kinds of stages to the commands that do them; others need no device, and no other machine."""

_LM_ROWS = "lm_statistics.jsonl"


def job_of(
    stage: Stage, places: Mapping[str, str], data_dir: str, after: tuple[str, ...] = ()
) -> Job:
    """Returns the job of a stage.

    Args:
      stage: of a kind in `COMMANDS`.
      places: where the folders of its parents are, over there, and its own: 'folder'.
      data_dir: where the data sets are, over there.
      after: names of the jobs that it waits for.
    """
    command = COMMANDS[stage.kind]
    bindings = (line.split(" = ", 1) for line in gin_bindings(stage.macros, places))
    arguments = [
        command,
        *(f"--gin_file={file}" for file in stage.gin_files),
        *(f"--gin.{name}={value}" for name, value in bindings),
        f"--tfds_data_dir={data_dir}",
    ]
    if stage.kind == "lm_statistics":
        arguments.append(f"--out={places['folder']}/{_LM_ROWS}")
    return Job(job_name(Path(places["folder"])), tuple(arguments), after)


def command_of(stage: Stage, folders: Mapping[str, Path], data_dir: str) -> str:
    """The command that runs a stage alone on this machine, into its own folder."""
    if stage.kind not in COMMANDS:
        return "it has no command of its own"
    places = {name: str(folders[name]) for name in stage.parents}
    places["folder"] = str(folders[stage.name])
    arguments = job_of(stage, places, str(Path(data_dir).absolute())).arguments
    return shlex.join(["mt5x", *arguments])


def job_name(folder: Path) -> str:
    """The job's name: the stage's, and the key of all that determines it."""
    return re.sub(r"[^\w-]", "_", folder.name)


def figures_of(stage: Stage, folder: Path) -> Figures:
    """Reads what the job of a stage measured.

    Args:
      stage: of a kind in `COMMANDS`; its config is loaded.
      folder: the stage's, or a copy of it.

    Raises:
      UserError: it is not there, or cannot be read.
    """
    if stage.kind == "train":
        return {}
    if stage.kind == "lm_statistics":
        figures: dict[str, dict[str, float]] = {}
        for row in read_rows(folder / _LM_ROWS):
            one = figures.setdefault(row.target, {})
            one |= {row.metric: row.value, "num_examples": row.num_examples, "step": row.step}
            if row.low is not None and row.high is not None:
                one |= {row.metric + LOW: row.low, row.metric + HIGH: row.high}
        return figures
    found = {}
    for task in _evaluated():
        files = sorted(folder.glob(f"{_literally(task)}-*-metrics.json"))
        if not files:
            raise UserError(
                f"{stage.name} has ended, but there are no scores of {task} in {folder}"
            )
        found[language_of(task)] = json.loads(files[-1].read_text(encoding="utf-8"))
    return found


def _evaluated() -> list[str]:
    """The tasks that the loaded config evaluates, in the order in which it does."""
    names = (config.macro(name) for name in ("MIXTURE_OR_TASK_NAME", "SPLIT", "EVALUATOR_ONLY"))
    return [task.name for task in input_pipeline.tasks_with_split(*names)]


def _literally(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)
