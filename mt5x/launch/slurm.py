"""Runs jobs on a SLURM cluster through submitit, each after those that it waits for.

All jobs are handed over at once and SLURM keeps their order, so they go on without us: what was
handed over is written down, and the same command finds it again. A job is the `mt5x` command of its
arguments. Shortly before its time is over, or when it is preempted, it is told to save its state,
and is queued again.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError, pickle_load
from submitit.local.local import LocalJob
from submitit.slurm.slurm import SlurmJob

from mt5x.errors import UserError
from mt5x.launch.gcloud import say
from mt5x.launch.job import JOINING, Ended, Job, JobFailed, in_order, tell
from mt5x.whole_file import write_whole

_RECORD = "jobs.json"
# How often a job may use up its time, or be preempted when it has nearly done so.
_REQUEUED = 1000
_ENDED_BADLY = frozenset(
    "FAILED CANCELLED TIMEOUT NODE_FAIL OUT_OF_MEMORY BOOT_FAIL DEADLINE REVOKED "
    "INTERRUPTED".split()
)
_SECONDS_TO_SAVE = 300
# What training ends with when it was told to stop and has saved its state.
_STOPPED = 143


@dataclasses.dataclass(frozen=True)
class Resources:
    """What a job asks SLURM for; None leaves it to the cluster.

    Attributes:
      minutes: of one go; a job that is not done goes on in another.
      nodes: of one job; with several, one process on each, which join.
      gpus_per_node: GPUs of each.
      cpus_per_task: cores of each process.
      mem_gb: memory of each node.
      partition, account, qos, constraint: SLURM's.
      setup: lines of shell before the job: modules, environments.
    """

    minutes: int = 720
    nodes: int = 1
    gpus_per_node: int | None = None
    cpus_per_task: int | None = None
    mem_gb: float | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    setup: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses what SLURM would refuse."""
        for name in ("minutes", "nodes"):
            if getattr(self, name) < 1:
                raise UserError(f"--{name}={getattr(self, name)} must be 1 or more")

    def parameters(self) -> dict[str, Any]:
        """As `submitit.AutoExecutor.update_parameters` takes them."""
        return {
            "timeout_min": self.minutes,
            "nodes": self.nodes,
            "tasks_per_node": 1,
            "gpus_per_node": self.gpus_per_node,
            "cpus_per_task": self.cpus_per_task,
            "mem_gb": self.mem_gb,
            "stderr_to_stdout": True,
            "slurm_partition": self.partition,
            "slurm_account": self.account,
            "slurm_qos": self.qos,
            "slurm_constraint": self.constraint,
            "slurm_setup": list(self.setup) or None,
            "slurm_signal_delay_s": _SECONDS_TO_SAVE,
        }


class Command(submitit.helpers.Checkpointable):
    """What runs in the job: `mt5x` with its arguments, as a process of its own."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = tuple(arguments)
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        """Runs the command; its output is the job's log.

        Raises:
          RuntimeError: it ended with another exit code than 0.
        """
        command = [sys.executable, "-m", "scripts.main", *self._arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        code = self._process.wait()
        if code == _STOPPED:
            # SIGTERM came to all processes of a preempted job, this one's signal is on its way.
            time.sleep(_SECONDS_TO_SAVE)
        if code:
            raise RuntimeError(f"exit code {code}")

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """Has the command save its state and end; the same command goes on when it is queued."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)
            deadline = time.monotonic() + _SECONDS_TO_SAVE
            while not _has_ended(self._process.pid) and time.monotonic() < deadline:
                time.sleep(0.05)
        return submitit.helpers.DelayedSubmission(Command(self._arguments))

    def __getstate__(self) -> dict[str, Any]:
        return {"_arguments": self._arguments, "_process": None}


class Queue:
    """Jobs in the hands of a cluster.

    Args:
      folder: logs and records, on a disk that the compute nodes share.
      resources: of each job.
      cluster: 'slurm', or 'local' for processes of this machine.
      sleep: waits so many seconds.
      poll_seconds: between two looks.
    """

    def __init__(
        self,
        folder: Path,
        resources: Resources = Resources(),
        cluster: str = "slurm",
        sleep: Callable[[float], None] = time.sleep,
        poll_seconds: float = 10.0,
    ):
        self._folder, self._resources = folder.absolute(), resources
        self._cluster, self._sleep, self._poll_seconds = cluster, sleep, poll_seconds
        self._jobs: dict[str, submitit.Job[None]] = {}

    def hand_over(self, jobs: Sequence[Job]) -> None:
        """Hands jobs to SLURM, or finds them again, and does not wait.

        Raises:
          UserError: the cluster takes no jobs, or it is this machine, which keeps none.
        """
        if self._cluster != "slurm":
            raise UserError("--detach needs a cluster that keeps the jobs: --cluster=slurm")
        for job in self._with_earlier(jobs):
            if job.name not in self._jobs:
                self._submit_or_find(job)

    def run(self, jobs: Sequence[Job], ended: Ended = lambda job: None) -> None:
        """Runs jobs to their end, or finds them again and waits for that.

        A job that fails stops only those that wait for it. What they wait for may have been handed
        over before, from the same folder.

        Args:
          jobs: what is to be run.
          ended: told of each that has ended well.

        Raises:
          JobFailed: the only job that failed.
          UserError: several failed, or the cluster takes no jobs.
        """
        failures: dict[str, JobFailed] = {}
        left_out: dict[str, str] = {}
        done: set[str] = set()
        waiting = {job.name: job for job in self._with_earlier(jobs)}
        while waiting:
            for job in list(waiting.values()):
                lost = [name for name in job.after if name in failures or name in left_out]
                if lost:
                    left_out[job.name] = lost[0]
                    self._cancel(job)
                    del waiting[job.name]
                    continue
                if job.name not in self._jobs:
                    # SLURM knows of dependencies, this machine does not.
                    if self._cluster == "slurm" or done.issuperset(job.after):
                        self._submit_or_find(job)
                    continue
                failure = self._failure(job)
                if failure is not None:
                    failures[job.name] = failure
                    say(f"{job.name} failed")
                    del waiting[job.name]
                elif self._is_done(job):
                    done.add(job.name)
                    ended(job)
                    say(f"{job.name} is done; {len(waiting) - 1} to go")
                    del waiting[job.name]
            if waiting:
                self._sleep(self._poll_seconds)
        tell(list(failures.values()), left_out)

    def _with_earlier(self, jobs: Sequence[Job]) -> list[Job]:
        """The jobs in order, with those of the record that they wait for."""
        if self._cluster == "slurm" and submitit.SlurmExecutor.affinity() < 0:
            raise UserError("srun is not in PATH: this is no machine of a SLURM cluster")
        names = {job.name for job in jobs}
        awaited = {name for job in jobs for name in job.after if name not in names}
        earlier = [job for job in self._handed_over() if job.name in awaited]
        for job in earlier:
            self._jobs[job.name] = self._found(job)
        return in_order([*earlier, *jobs])

    # One job.

    def _submit_or_find(self, job: Job) -> None:
        if dataclasses.replace(job, after=()) in self._handed_over():
            self._jobs[job.name] = found = self._found(job)
            if self._failure(job) is None:
                say(f"{job.name} is job {found.job_id}, found again")
                return
            say(f"{job.name} failed before; it is handed over again")
        folder = self._folder / job.name
        executor = submitit.AutoExecutor(
            folder, self._cluster, **{f"{self._cluster}_max_num_timeout": _REQUEUED}
        )
        # Of one name no two run at once, should we have died before we wrote the first one down.
        dependency = ",".join([*(f"afterok:{self._jobs[name].job_id}" for name in job.after),
                               "singleton"])  # fmt: skip
        executor.update_parameters(
            **self._resources.parameters(),
            name=f"mt5x-{job.name}-{_digest(job)}",
            slurm_dependency=dependency,
            slurm_additional_parameters={"kill-on-invalid-dep": "yes", "requeue": True},
        )
        arguments = job.arguments
        if self._resources.nodes > 1 and arguments[0] in JOINING:
            arguments = (*arguments, "--multiprocess_gpu")
        try:
            submitted = executor.submit(Command(arguments))
        except (FailedJobError, FailedSubmissionError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(f"SLURM does not take {job.name}: {reason}") from error
        self._jobs[job.name] = submitted
        self._write_down(job, submitted.job_id)
        say(f"{job.name} is job {submitted.job_id}; its log is {submitted.paths.stdout}")

    def _found(self, job: Job) -> submitit.Job[None]:
        """A job that was handed over before."""
        kind = SlurmJob if self._cluster == "slurm" else LocalJob
        job_id = self._record()[job.name]["id"]
        return kind(self._folder / job.name, job_id, list(range(self._resources.nodes)))

    def _is_done(self, job: Job) -> bool:
        handed = self._jobs[job.name]
        return self._has_result(handed) and self._outcome(job)[0] == "success"

    def _has_result(self, handed: submitit.Job[None]) -> bool:
        if self._cluster == "local" and not handed.done():
            # Its process is about to end.
            return False
        return handed.paths.result_pickle.exists()

    def _failure(self, job: Job) -> JobFailed | None:
        """Why the job failed; None where it did not."""
        handed = self._jobs[job.name]
        file = handed.paths.stdout
        log = file.read_text(errors="replace") if file.exists() else ""
        if self._has_result(handed):
            outcome, result = self._outcome(job)
            if outcome == "success":
                return None
            cause = str(result).strip().splitlines()[-1].removeprefix("RuntimeError: ")
            return JobFailed(job, cause, _own_output(log))
        state = self._state(handed)
        if state in _ENDED_BADLY:
            return JobFailed(job, f"job {handed.job_id} is {state}", _own_output(log))
        return None

    def _state(self, handed: submitit.Job[None]) -> str:
        # 'CANCELLED by 1000' and 'NODE_FAIL+', too.
        state = handed.state.split(" ")[0].rstrip("+").upper()
        if self._cluster == "local" and not _is_alive(int(handed.job_id)):
            # It may have ended between the two looks.
            return "DONE" if handed.paths.result_pickle.exists() else "INTERRUPTED"
        return state

    def _outcome(self, job: Job) -> tuple[str, Any]:
        outcome: tuple[str, Any] = pickle_load(self._jobs[job.name].paths.result_pickle)
        return outcome

    def _cancel(self, job: Job) -> None:
        handed = self._jobs.get(job.name)
        if handed is not None:
            handed.cancel(check=False)

    # The record.

    def _record(self) -> dict[str, dict[str, Any]]:
        file = self._folder / _RECORD
        found: dict[str, dict[str, Any]] = json.loads(file.read_text()) if file.exists() else {}
        return found

    def _handed_over(self) -> list[Job]:
        """The jobs of the record, without what they waited for."""
        return [Job(name, tuple(one["arguments"])) for name, one in self._record().items()]

    def _write_down(self, job: Job, job_id: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        record = {**self._record(), job.name: {"id": job_id, "arguments": job.arguments}}
        write_whole(self._folder / _RECORD, json.dumps(record, indent=1) + "\n")


def _digest(job: Job) -> str:
    """Tells a job from one of the same name with other arguments."""
    return hashlib.sha256(json.dumps(job.arguments).encode()).hexdigest()[:12]


def _own_output(log: str) -> str:
    """The command's own output, without what submitit says before and after it."""
    lines = log.partition("submitit ERROR")[0].splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("submitit INFO"))


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; it may be waited for elsewhere, where a signal found us."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
