"""Calls `gcloud`, or only says what it would be called with."""

import dataclasses
import os
import shlex
import subprocess
import sys
from collections.abc import Callable

from mt5x.errors import UserError
from mt5x.launch.gcloud_commands import Command

TIMED_OUT = 124


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a command said.

    Attributes:
      code: its exit code; `TIMED_OUT` if it did not end.
      out: its standard output.
      err: its standard error.
    """

    code: int
    out: str = ""
    err: str = ""

    @property
    def reason(self) -> str:
        """One line that says why it failed."""
        if self.code == TIMED_OUT:
            return "it did not answer in time"
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")]
        return (errors or lines or [f"exit code {self.code}"])[-1]


Call = Callable[[Command, float], Answer]
"""Runs a command for at most so many seconds; it does not raise where the command fails."""


def call(command: Command, seconds: float) -> Answer:
    """Runs a `gcloud` command.

    It runs in a group of its own, so that a Ctrl-C meant for us does not end it half-way.

    Raises:
      UserError: there is no `gcloud` here.
    """
    try:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            env={**os.environ, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"},
        ) as process:
            try:
                out, err = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                return Answer(TIMED_OUT, out, err)
            except BaseException:
                process.kill()
                raise
    except FileNotFoundError:
        raise UserError(
            "gcloud is not installed here, or not in PATH: see cloud.google.com/sdk/docs/install, "
            "then `gcloud auth login`; --dry-run prints the commands without it"
        ) from None
    return Answer(process.returncode, out, err)


def shown(command: Command) -> str:
    """The command as a line of shell."""
    return shlex.join(command)


def say(message: str) -> None:
    """Tells how things stand, on standard error."""
    print(f"mt5x: {message}", file=sys.stderr, flush=True)
