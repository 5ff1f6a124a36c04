"""The stages of a study as jobs of one Cloud TPU slice, their folders in a bucket."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mt5x.errors import UserError
from mt5x.launch.gcloud import say
from mt5x.launch.job import Ended, Job, JobFailed, in_order, tell
from mt5x.launch.on_cluster import refuse_alone
from mt5x.launch.tpu import HeldSlice
from mt5x.studies.accelerators import Accelerator


class OnSlice:
    """Runs jobs one after another on a slice; see `mt5x.studies.handed_over.Elsewhere`.

    The slice is asked for when the first job is to run, and is held until the last has ended.

    Args:
      held: asks for the slice.
      bucket: 'gs://BUCKET/FOLDER', in which every stage has its folder.
      data_dir: where the data sets are, 'gs://...'.
      accelerator: the slice.
    """

    def __init__(
        self,
        held: Callable[[], HeldSlice],
        bucket: str,
        data_dir: str,
        accelerator: Accelerator,
    ):
        if not bucket.startswith("gs://"):
            raise UserError(f"--bucket={bucket} is to be gs://BUCKET/FOLDER")
        self._held, self._bucket = held, bucket.rstrip("/")
        self.accelerator: Accelerator | None = accelerator
        self._hosts = accelerator.hosts
        self.data_dir: str | None = data_dir

    def place(self, folder: Path) -> str:
        """The folder of the same name in the bucket."""
        return f"{self._bucket}/{folder.name}"

    def run(self, jobs: Sequence[Job], folders: Mapping[str, Path], ended: Ended) -> None:
        """Runs the jobs to their end; what they wrote, checkpoints aside, is copied here.

        Raises:
          UserError: some failed, the slice cannot be had, or one cannot run on several hosts.
        """
        refuse_alone(jobs, self._hosts, "--accelerator=v5e-8")
        failures: dict[str, JobFailed] = {}
        left_out: dict[str, str] = {}
        with self._held() as held:
            for job in in_order(jobs):
                lost = [name for name in job.after if name in failures or name in left_out]
                if lost:
                    left_out[job.name] = lost[0]
                    continue
                try:
                    held.run(job)
                except JobFailed as failure:
                    say(f"{job.name} failed")
                    failures[job.name] = failure
                    continue
                folder = folders[job.name]
                held.fetch(self.place(folder), folder)
                ended(job)
        tell(list(failures.values()), left_out)
