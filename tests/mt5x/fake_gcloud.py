"""A `gcloud` for tests: one slice of two workers, of which each has a folder for its home.

What is sent over `ssh` really runs, in a shell with that home; installing makes an `mt5x` that
counts its steps in a bucket. In FAKE_GCLOUD are the state, the calls, and the `troubles` to make,
one a file, of which each happens once.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

WORKERS = ("0", "1")
# Trains from the step in the bucket to 100, and stands still at 50 where it is told to.
MT5X = """#!/bin/bash
cd "$FAKE_GCLOUD"
step=$(cat bucket/step 2> /dev/null || echo 0)
echo "mt5x $* goes on from step $step"
if [ -e troubles/user_error ]; then echo "mt5x: error: no task panxx"; exit 2; fi
if [ -e troubles/crash ]; then echo "Segmentation fault"; exit 139; fi
if [ -e troubles/slow ]; then echo 50 > bucket/step; echo "at step 50"; exec sleep 600; fi
echo "$step" >> bucket/resumed_from
echo 100 > bucket/step
"""


class Fake:
    """The state of the cloud, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bucket = folder / "bucket"

    def setup(self, *troubles: str) -> "Fake":
        """Puts a `gcloud` into the folder `bin`, and plans what goes wrong."""
        for name in ("bin", "bucket", "troubles", "workers"):
            (self.folder / name).mkdir(parents=True)
        for trouble in troubles:
            (self.folder / "troubles" / trouble).touch()
        gcloud = self.folder / "bin" / "gcloud"
        gcloud.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E {__file__} "$@"\n')
        gcloud.chmod(0o755)
        return self

    @property
    def environment(self) -> dict[str, str]:
        """What makes this `gcloud` the one that is found."""
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return {"PATH": path, "FAKE_GCLOUD": str(self.folder)}

    @property
    def calls(self) -> list[list[str]]:
        """All calls so far, without their first word."""
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def state(self) -> str:
        """The slice's."""
        file = self.folder / "state"
        return file.read_text() if file.exists() else "NOT_FOUND"

    @state.setter
    def state(self, value: str) -> None:
        (self.folder / "state").write_text(value)

    def happens(self, trouble: str) -> bool:
        """Whether it is time for it; it will not be again."""
        file = self.folder / "troubles" / trouble
        if not file.exists():
            return False
        file.unlink()
        return True

    def lose_workers(self) -> None:
        """The machines and all that ran on them are gone."""
        for pid in self.folder.glob("workers/*/mt5x-jobs/*/pid"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(pid.read_text()), signal.SIGKILL)
        shutil.rmtree(self.folder / "workers")
        (self.folder / "workers").mkdir()
        (self.folder / "troubles" / "slow").unlink(missing_ok=True)

    # The commands.

    def create(self, queued: bool) -> int:
        """Makes the slice, unless there is none to be had."""
        if self.happens("stockout"):
            print("ERROR: There is no more capacity in the zone", file=sys.stderr)
            return 1
        self.state = "ACTIVE" if queued else "READY"
        for worker in WORKERS:
            (self.folder / "workers" / worker).mkdir(exist_ok=True)
        return 0

    def describe(self) -> int:
        """Prints the state; a queued slice is a while in coming."""
        if self.happens("describe_fails"):
            print("ERROR: connection reset", file=sys.stderr)
            return 1
        if self.state == "NOT_FOUND":
            print("ERROR: (gcloud.compute.tpus) NOT_FOUND: Resource", file=sys.stderr)
            return 1
        print("PROVISIONING" if self.happens("provisioning") else self.state)
        return 0

    def delete(self) -> int:
        """Gives the slice back."""
        if self.happens("delete_fails"):
            print("ERROR: try again", file=sys.stderr)
            return 1
        self.lose_workers()
        (self.folder / "state").unlink(missing_ok=True)
        return 0

    def ssh(self, script: str) -> int:
        """Runs a script on all workers."""
        looks = "mt5x-status" in script
        running = (self.bucket / "step").exists() and looks
        if running and self.happens("preemption"):
            self.lose_workers()
            self.state = "PREEMPTED" if self.state == "READY" else "SUSPENDED"
        if self.state not in ("READY", "ACTIVE"):
            print("ERROR: the TPU is not ready", file=sys.stderr)
            return 1
        if looks and self.happens("ssh_fails"):
            print("ERROR: ssh exited with return code 255", file=sys.stderr)
            return 1
        codes = [self._on_worker(worker, script) for worker in WORKERS]
        return max(codes)

    def _on_worker(self, worker: str, script: str) -> int:
        home = self.folder / "workers" / worker
        if "uv venv" in script:
            program = home / "mt5x-environment" / "bin" / "mt5x"
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(MT5X)
            program.chmod(0o755)
            return 0
        environment = {**os.environ, "HOME": str(home)}
        return subprocess.run(["bash", "-c", script], env=environment, check=False).returncode


def main(arguments: list[str]) -> int:
    """Answers one call."""
    fake = Fake(Path(os.environ["FAKE_GCLOUD"]))
    with (fake.folder / "calls").open("a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    if arguments[:2] == ["storage", "rsync"]:
        shutil.copytree(fake.bucket, arguments[3], dirs_exist_ok=True)
        return 0
    group, verb = arguments[2], arguments[3]
    script = next((one[10:] for one in arguments if one.startswith("--command=")), "")
    answers: dict[str, Callable[[], int]] = {
        "create": lambda: fake.create(group == "queued-resources"),
        "describe": fake.describe,
        "delete": fake.delete,
        "scp": lambda: 0,
        "ssh": lambda: fake.ssh(script),
    }
    return answers[verb]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
