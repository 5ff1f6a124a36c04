"""The stages of a study as jobs of a cluster that shares our disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mt5x.errors import UserError
from mt5x.launch.job import JOINING, Ended, Job
from mt5x.launch.slurm import Queue
from mt5x.studies.accelerators import Accelerator


class OnCluster:
    """Runs jobs in a queue; see `mt5x.studies.handed_over.Elsewhere`.

    Args:
      queue: the queue.
      nodes: of each of its jobs.
      accelerator: the GPUs of each job, if what fits is to be looked at.
    """

    data_dir: str | None = None

    def __init__(self, queue: Queue, nodes: int = 1, accelerator: Accelerator | None = None):
        self._queue, self._nodes, self.accelerator = queue, nodes, accelerator

    def place(self, folder: Path) -> str:
        """The same: the disk is shared."""
        return str(folder)

    def run(self, jobs: Sequence[Job], folders: Mapping[str, Path], ended: Ended) -> None:
        """Runs the jobs to their end.

        Raises:
          UserError: some failed, or one cannot run on several nodes.
        """
        refuse_alone(jobs, self._nodes, "--nodes=1")
        self._queue.run(jobs, ended)


def refuse_alone(jobs: Sequence[Job], hosts: int, instead: str) -> None:
    """Refuses, on several hosts, a job whose processes would not join.

    Raises:
      UserError: there is one.
    """
    alone = [job.name for job in jobs if job.arguments[0] not in JOINING]
    if hosts > 1 and alone:
        raise UserError(
            f"{alone[0]} runs on one host, and here are {hosts}; run the study with {instead} "
            "until it is done, then go on here"
        )
