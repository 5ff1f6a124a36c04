"""The stages on the disk: a folder each, which studies and runners share.

    stages/NAME-KEY/      what the stage wrote, its checkpoints among it
      done.json           it has ended well, and what it measured
      pruned.json         the same, but its checkpoints were deleted since (`pruning`)
      failed.json         it has ended badly, and why
    stages/.claims/KEY    locked by the one that runs it, and says who; freed when that one dies

A folder is found by its key, whatever a study calls the stage.
"""

import contextlib
import dataclasses
import datetime
import fcntl
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mt5x.studies import stage_key
from mt5x.studies.plan import Study
from mt5x.studies.stage import Stage
from mt5x.whole_file import write_whole

Figures = Mapping[str, Mapping[str, float]]
"""{target language: {metric: value}}, with 'num_examples' and 'step' among the metrics."""

DONE, PRUNED, RUNNING, FAILED, WAITING = "done", "pruned", "running", "failed", "waiting"
"""What a stage can be: `PRUNED` is done without what it wrote, `WAITING` none of the others."""

_DONE, _PRUNED, _FAILED = "done.json", "pruned.json", "failed.json"
_CLAIMS = ".claims"


@dataclasses.dataclass(frozen=True)
class Done:
    """What is kept of a stage that has ended well.

    Attributes:
      figures: what it measured.
      selection: how the checkpoint that it measured was chosen.
      record: versions, commit and devices that it ran with.
      seconds: that it took; None where nobody knows.
    """

    figures: Figures
    selection: str
    record: Mapping[str, Any]
    seconds: float | None = None


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a stage has ended badly.

    Attributes:
      cause: in a sentence.
      command: runs it alone.
      traceback: of what was raised.
    """

    cause: str
    command: str
    traceback: str = ""


def folders_of(study: Study, stages: Sequence[Stage]) -> dict[str, Path]:
    """Returns the folder of every stage, named by what determines it; loads each one's config."""
    root = root_of(study)
    there = {path.name.rpartition("-")[2]: path for path in root.glob("*-*") if path.is_dir()}
    keys = stage_key.keys(stages, study.data_dir)
    return {name: there.get(key, root / f"{name}-{key}") for name, key in keys.items()}


def root_of(study: Study) -> Path:
    """Where the stages of a study lie, as an absolute path."""
    if study.stages_dir is not None:
        return Path(study.stages_dir).absolute()
    return Path(study.output_dir).absolute().parent / "stages"


def key_of(folder: Path) -> str:
    """The key of the stage that a folder is of."""
    return folder.name.rpartition("-")[2]


def is_done(folder: Path) -> bool:
    """Whether the stage of this folder has ended well, so that what it measured is known."""
    return has_output(folder) or (folder / _PRUNED).is_file()


def has_output(folder: Path) -> bool:
    """Whether the stage of this folder has ended well, and what it wrote is there."""
    return (folder / _DONE).is_file()


def has_ended(folder: Path) -> bool:
    """Whether nothing is left to run of the stage of this folder: it ended, well or badly."""
    return has_output(folder) or (folder / _FAILED).is_file()


def state(folder: Path) -> str:
    """What the stage of this folder is: 'done', 'pruned', 'running', 'failed' or 'waiting'."""
    if has_output(folder):
        return DONE
    if _is_claimed(folder):
        return RUNNING
    if (folder / _FAILED).is_file():
        return FAILED
    return PRUNED if is_done(folder) else WAITING


def finish(folder: Path, done: Done) -> None:
    """Writes down that a stage has ended well."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(dataclasses.asdict(done), ensure_ascii=False)
    write_whole(folder / _DONE, content + "\n")
    (folder / _FAILED).unlink(missing_ok=True)


def fail(folder: Path, failure: Failure) -> None:
    """Writes down that a stage has ended badly."""
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(dataclasses.asdict(failure), ensure_ascii=False, indent=1)
    write_whole(folder / _FAILED, content + "\n")


def forget_failure(folder: Path) -> None:
    """Lets a stage that has ended badly be tried again."""
    (folder / _FAILED).unlink(missing_ok=True)


def give_up_output(folder: Path) -> None:
    """Lets what a finished stage wrote be deleted; what it measured stays."""
    if has_output(folder):
        (folder / _DONE).replace(folder / _PRUNED)


def begin_again(folder: Path) -> None:
    """Lets a pruned stage be run once more, from its beginning."""
    if (folder / _PRUNED).is_file():
        (folder / _PRUNED).replace(folder / f"pruned_{times_pruned(folder) + 1}.json")


def times_pruned(folder: Path) -> int:
    """How often a stage was run again after it was pruned."""
    return len(list(folder.glob("pruned_*.json")))


def done_of(folder: Path) -> Done:
    """Reads what is kept of a stage that has ended well."""
    file = folder / (_DONE if has_output(folder) else _PRUNED)
    return Done(**json.loads(file.read_text(encoding="utf-8")))


def failure_of(folder: Path) -> Failure:
    """Reads why a stage has ended badly."""
    return Failure(**json.loads((folder / _FAILED).read_text(encoding="utf-8")))


def runner_of(folder: Path) -> str:
    """Who runs a stage, and since when, in words."""
    try:
        found = json.loads(_claim_file(folder).read_text(encoding="utf-8"))
        return f"process {found['process']} on {found['host']} since {found['since']}"
    except (OSError, ValueError, KeyError):
        return "a process that has just begun"


@contextlib.contextmanager
def claim(folder: Path) -> Iterator[bool]:
    """Claims a stage for this process while entered; False where another has it.

    The claim is a lock that the system frees when its process ends, however it ends.
    """
    file = _claim_file(folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        since = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        who = {"host": platform.node(), "process": os.getpid(), "since": since}
        lock.truncate(0)
        lock.write(json.dumps(who) + "\n")
        lock.flush()
        yield True


def someone_at_work(root: Path) -> bool:
    """Whether any stage that lies in `root` is being run."""
    return any(_is_locked(file) for file in (root / _CLAIMS).glob("*"))


def _is_claimed(folder: Path) -> bool:
    return _is_locked(_claim_file(folder))


def _is_locked(claim: Path) -> bool:
    try:
        with claim.open("r") as lock:
            # Shared, so that two that look do not take each other for the runner.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _claim_file(folder: Path) -> Path:
    return folder.parent / _CLAIMS / key_of(folder)
