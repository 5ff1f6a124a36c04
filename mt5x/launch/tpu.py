"""Runs jobs on a Cloud TPU slice, and brings them through preemption, stalls and failing calls.

A slice is asked for, mt5x is installed on all workers, and each job is started there apart from the
connection, so that nothing is lost when this machine is: the same command finds slice and job
again. It is asked after from time to time. A slice that was taken away is asked for anew, a job
whose log stands still is ended, and both go on from the run's last checkpoint, which lies in a
bucket. In the end the slice is deleted, whatever the end was.
"""

import contextlib
import dataclasses
import hashlib
import signal
import time
import types
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

from mt5x.errors import UserError
from mt5x.launch import gcloud_commands as commands
from mt5x.launch.gcloud import Answer, Call, call, say, shown
from mt5x.launch.gcloud_commands import STATUS, Command, TpuSlice
from mt5x.launch.job import Job, JobFailed

_USER_ERROR = 2
# What training ends with when it was told to stop and has saved its state.
_STOPPED = 143
_QUICK, _SLOW = 120.0, 1800.0
# What another try would not change.
_SETTLED = (
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "UNAUTHENTICATED", "INVALID_ARGUMENT",
    "Error parsing", "active account", "unrecognized arguments",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long things may take, and how often they may go wrong.

    Attributes:
      poll_seconds: between two looks at a job.
      wait_hours: for a slice that was asked for.
      stall_minutes: a job whose log has not grown for so long is ended and started again.
      lost_slices: slices of one run that may be taken away.
      restarts: of a job that ended badly on a slice that is well, or stalled.
      failed_calls: of `gcloud`, in a row.
    """

    poll_seconds: float = 30.0
    wait_hours: float = 24.0
    stall_minutes: float = 45.0
    lost_slices: int = 50
    restarts: int = 2
    failed_calls: int = 5


@dataclasses.dataclass(frozen=True)
class Package:
    """What is installed on the workers.

    Attributes:
      wheel: mt5x.
      constraints: the exact versions.
      files: the user's own gin files and modules, copied to where the job runs.
    """

    wheel: Path
    constraints: Path
    files: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        """Refuses what cannot be copied."""
        everything = (self.wheel, self.constraints, *self.files)
        for file in everything:
            if not file.is_file():
                raise UserError(f"there is no file {file} to copy to the workers")
        if len({file.name for file in everything}) < len(everything):
            raise UserError("two files to copy have the same name: they go into one folder")

    @property
    def paths(self) -> list[str]:
        """All files."""
        return [str(file) for file in (self.wheel, self.constraints, *self.files)]

    def install(self, buckets: Sequence[str]) -> str:
        """The script that installs it on a worker, once, and mounts buckets."""
        digest = hashlib.sha256(self.constraints.read_bytes())
        with zipfile.ZipFile(self.wheel) as wheel:
            # Not the times: the same code gives the same stamp.
            for entry in wheel.infolist():
                digest.update(f"{entry.filename} {entry.CRC}\n".encode())
        return commands.install(
            self.wheel.name, self.constraints.name, digest.hexdigest()[:12], buckets
        )


def _is_settled(answer: Answer) -> bool:
    return any(word in answer.err for word in _SETTLED)


class SliceLost(Exception):
    """The slice is there no longer."""


class HeldSlice:
    """A slice while it is ours: `with HeldSlice(...) as held: held.run(job)`.

    It is deleted when the block is left, for whatever reason: an error, Ctrl-C, SIGTERM.

    Args:
      tpu: the slice.
      package: what is installed there.
      buckets: what is mounted there.
      patience: how long things may take.
      keep: leave the slice there in the end.
      gcloud: runs a command.
      sleep: waits so many seconds.
      clock: seconds that pass.
    """

    def __init__(
        self,
        tpu: TpuSlice,
        package: Package,
        buckets: Sequence[str] = (),
        patience: Patience = Patience(),
        keep: bool = False,
        gcloud: Call = call,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._tpu, self._package, self._buckets = tpu, package, buckets
        self._patience, self._keep = patience, keep
        self._gcloud, self._sleep, self._clock = gcloud, sleep, clock
        self._installed = False
        # Whether there may be anything to delete.
        self._asked = False
        self._lost = 0
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._closing.enter_context(_terminated_as_interrupted())
        return self

    def __exit__(self, *exception: object) -> None:
        with self._closing:
            if self._asked and not self._keep:
                with _uninterrupted():
                    self._delete()

    def run(self, job: Job) -> None:
        """Runs a job to its end, or finds it again and waits for that.

        Raises:
          JobFailed: it ended badly, and would again.
          UserError: the slice cannot be had, or was lost too often.
        """
        restarts = 0
        while True:
            try:
                self._have_slice()
                why = self._watch(job)
                if why is None:
                    return
                restarts += 1
                log = self._workers(commands.log_end(job)).out
                if restarts > self._patience.restarts:
                    raise JobFailed(job, f"{why}, {restarts} times", log)
                say(f"{job.name}: {why}; it goes on from its last checkpoint")
                self._start(job)
            except SliceLost as lost:
                self._lost += 1
                if self._lost > self._patience.lost_slices:
                    raise UserError(
                        f"{self._tpu.name} was lost {self._lost} times, the last time because "
                        f"{lost}; run the same command to go on"
                    ) from lost
                say(f"{self._tpu.name} is lost ({lost}); another is asked for")
                self._delete()

    def fetch(self, folder: str, local: Path, checkpoints: bool = False) -> None:
        """Copies a folder of a bucket here.

        Raises:
          UserError: it cannot be copied.
        """
        local.mkdir(parents=True, exist_ok=True)
        command = commands.fetch(folder, str(local), checkpoints)
        answer = self._again(command, _SLOW)
        if answer.code:
            raise UserError(f"{folder} was not fetched: {answer.reason}; run {shown(command)}")

    # The slice.

    def _have_slice(self) -> None:
        """Asks for the slice, waits until it is there, and installs mt5x."""
        there_is = self._state() != "NOT_FOUND"
        self._asked = True
        if not there_is:
            self._installed = False
            say(f"asking for {self._tpu.name}: {self._tpu.cloud_type} in {self._tpu.zone}")
            answer = self._again(self._tpu.create(), _SLOW)
            # What did not answer, or answered late, may have done what it was told.
            if answer.code and self._state() == "NOT_FOUND":
                waits = "" if self._tpu.queued else "; --queued waits until there is capacity"
                raise UserError(f"{self._tpu.name} could not be had: {answer.reason}{waits}")
        deadline = self._clock() + 3600 * self._patience.wait_hours
        while (state := self._state()) not in commands.READY:
            if state in commands.GONE:
                raise SliceLost(f"it is {state}")
            if self._clock() > deadline:
                raise UserError(
                    f"{self._tpu.name} is still {state} after {self._patience.wait_hours:g} hours"
                )
            self._sleep(self._patience.poll_seconds)
        if not self._installed:
            self._install()

    def _install(self) -> None:
        say(f"installing mt5x on all workers of {self._tpu.name}")
        for command in (
            self._tpu.copy(self._package.paths),
            self._tpu.on_all_workers(self._package.install(self._buckets)),
        ):
            answer = self._again(command, _SLOW)
            if answer.code:
                self._raise_if_gone()
                raise UserError(f"mt5x could not be installed there: {answer.reason}")
        self._installed = True

    def _state(self) -> str:
        """The slice's state, in capitals; 'NOT_FOUND' where there is none."""
        for _ in range(self._patience.failed_calls):
            answer = self._gcloud(self._tpu.describe(), _QUICK)
            if answer.code == 0:
                return answer.out.strip().upper() or "UNKNOWN"
            if "NOT_FOUND" in answer.err:
                return "NOT_FOUND"
            if _is_settled(answer):
                break
            self._sleep(self._patience.poll_seconds)
        raise UserError(f"gcloud does not say how {self._tpu.name} is: {answer.reason}")

    def _raise_if_gone(self) -> None:
        state = self._state()
        if state in commands.GONE:
            raise SliceLost(f"it is {state}")

    def _delete(self) -> None:
        self._installed = False
        answer = self._again(self._tpu.delete(), _SLOW)
        if answer.code and self._state() != "NOT_FOUND":
            raise UserError(
                f"{self._tpu.name} was NOT deleted and costs money: {answer.reason}; "
                f"run {shown(self._tpu.delete())}"
            )

    # The job.

    def _start(self, job: Job) -> None:
        answer = self._workers(commands.start(job))
        if answer.code:
            self._raise_if_gone()
            raise UserError(f"{job.name} could not be started: {answer.reason}")

    def _watch(self, job: Job) -> str | None:
        """Waits until the job has ended on all workers; starts it where it was not.

        Returns:
          None if it ended well; else why it is to be started again.
        """
        written, since, failed = -1, self._clock(), 0
        while True:
            answer = self._gcloud(self._tpu.on_all_workers(commands.status(job)), _QUICK)
            found = [line.split()[1:] for line in answer.out.splitlines() if STATUS in line]
            if answer.code or not found:
                failed += 1
                self._raise_if_gone()
                if failed >= self._patience.failed_calls:
                    raise SliceLost(f"its workers do not answer: {answer.reason}")
            else:
                failed = 0
                states = {state for state, _ in found}
                if states == {"exit:0"}:
                    return None
                if states == {"absent"}:
                    say(f"starting {job.name}")
                    self._start(job)
                elif bad := sorted(states - {"running", "exit:0"}):
                    self._raise_if_gone()
                    return self._verdict(job, bad)
                size = sum(int(count) for _, count in found)
                if size != written:
                    written, since = size, self._clock()
                elif self._clock() - since > 60 * self._patience.stall_minutes:
                    return f"its log stood still for {self._patience.stall_minutes:g} minutes"
            self._sleep(self._patience.poll_seconds)

    def _verdict(self, job: Job, states: Sequence[str]) -> str:
        """Why a job that ended on some worker is to be started again; raises where it is not."""
        codes = {state.partition(":")[2] for state in states if state.startswith("exit:")}
        if str(_USER_ERROR) in codes:
            log = self._workers(commands.log_end(job)).out
            raise JobFailed(job, "something in it is to be put right", log)
        if codes == {str(_STOPPED)}:
            return "it was told to stop and saved its state"
        return f"it ended with {' and '.join(states)}"

    def _workers(self, script: str) -> Answer:
        return self._again(self._tpu.on_all_workers(script), _QUICK)

    def _again(self, command: Command, seconds: float) -> Answer:
        """Calls gcloud until it succeeds, a few times."""
        for attempt in range(self._patience.failed_calls):
            if attempt:
                self._sleep(self._patience.poll_seconds)
            answer = self._gcloud(command, seconds)
            if answer.code == 0 or _is_settled(answer):
                break
            say(f"{' '.join(command[:5])} failed: {answer.reason}")
        return answer


def steps(
    tpu: TpuSlice, package: Package, jobs: Sequence[Job], fetched: Sequence[Command] = ()
) -> Iterator[tuple[str, Command]]:
    """What is called when all goes well, each with what it is for: `--dry-run`."""
    buckets = sorted({bucket for job in jobs for bucket in commands.buckets_of(job)})
    yield "asks for the slice", tpu.create()
    yield "until it is READY or ACTIVE", tpu.describe()
    yield "copies mt5x to all workers", tpu.copy(package.paths)
    yield "installs it", tpu.on_all_workers(package.install(buckets))
    for job in jobs:
        yield f"starts {job.name}", tpu.on_all_workers(commands.start(job))
        yield "until it has ended", tpu.on_all_workers(commands.status(job))
    for command in fetched:
        yield "fetches the results", command
    yield "in every case, in the end", tpu.delete()


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM and SIGHUP end us as Ctrl-C does, so that the slice is deleted."""

    def interrupt(number: int, frame: types.FrameType | None) -> None:
        raise KeyboardInterrupt

    with _signals(interrupt, signal.SIGTERM, signal.SIGHUP):
        yield


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """What is begun is done: a second Ctrl-C would leave a slice that costs money."""
    with _signals(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        yield


@contextlib.contextmanager
def _signals(
    handler: Callable[[int, types.FrameType | None], None] | signal.Handlers,
    *numbers: signal.Signals,
) -> Iterator[None]:
    before = {}
    try:
        for number in numbers:
            # Another thread than the main one has no say in signals.
            with contextlib.suppress(ValueError):
                before[number] = signal.signal(number, handler)
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
