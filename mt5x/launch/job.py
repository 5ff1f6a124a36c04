"""A job for another machine: an `mt5x` command with all its arguments, and how it can fail."""

import dataclasses
import shlex
from collections.abc import Callable, Mapping, Sequence

from mt5x.errors import UserError

_TAIL_LINES = 20

JOINING = ("train", "evaluate")
"""The commands that join the processes of several hosts into one run."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One `mt5x` command: what would run here runs there, with the same gin files.

    Attributes:
      name: names its folder, its log and its row in a queue; letters, digits, '-' and '_'.
      arguments: what follows `mt5x`: ('train', '--gin_file=...', ...).
      after: names of the jobs that must have ended well before it begins.
    """

    name: str
    arguments: tuple[str, ...]
    after: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The line of shell that runs it alone, here."""
        return shlex.join(["mt5x", *self.arguments])


Ended = Callable[[Job], None]
"""Told of a job that has ended well."""


class JobFailed(UserError):
    """A job ended badly; the message names it, the cause, its log's end, and how to run it alone.

    Attributes:
      job: the job.
    """

    def __init__(self, job: Job, cause: str, log: str) -> None:
        self.job = job
        super().__init__(
            f"{job.name} failed: {cause}; its log ends with\n{tail(log)}\n"
            f"to run it alone: {job.command}"
        )


def tell(failures: Sequence[JobFailed], left_out: Mapping[str, str]) -> None:
    """Raises what is to be said of jobs that failed; nothing where none did.

    Args:
      failures: of which jobs.
      left_out: jobs that were not run, each with the one that it needs.

    Raises:
      JobFailed: the only failure.
      UserError: several failed, or others were not run.
    """
    if not failures:
        return
    if len(failures) == 1 and not left_out:
        raise failures[0]
    told = [f"{len(failures)} of the jobs failed", *map(str, failures)]
    told += [f"not run: {name}, which needs {needed}" for name, needed in left_out.items()]
    raise UserError("\n".join(told))


def tail(log: str, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log, indented; of a progress bar what stands there at the end."""
    shown = [line.rsplit("\r", 1)[-1] for line in log.rstrip().split("\n")][-lines:]
    return "\n".join(f"  {line}" for line in shown) if log.strip() else "  (nothing)"


def in_order(jobs: Sequence[Job]) -> list[Job]:
    """The jobs, each after those it waits for.

    Raises:
      UserError: two have one name, or one waits for a job that is not there or for itself.
    """
    by_name = {job.name: job for job in jobs}
    if len(by_name) < len(jobs):
        raise UserError("two jobs have the same name")
    ordered: dict[str, Job] = {}
    waiting = list(jobs)
    while waiting:
        ready = [job for job in waiting if all(name in ordered for name in job.after)]
        if not ready:
            stuck = waiting[0]
            missing = [name for name in stuck.after if name not in by_name]
            why = f"{missing[0]}, which is not there" if missing else "itself, by way of others"
            raise UserError(f"the job {stuck.name} waits for {why}")
        ordered |= {job.name: job for job in ready}
        waiting = [job for job in waiting if job.name not in ordered]
    return list(ordered.values())
