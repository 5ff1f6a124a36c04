"""A job for another machine: an `mt5x` command with all its arguments, and how it can fail."""

import dataclasses
import shlex
from collections.abc import Sequence

from mt5x.errors import UserError

_TAIL_LINES = 20


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
