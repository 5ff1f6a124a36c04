"""Several processes of one run, on this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEVICES = 4


def free_address() -> str:
    """An address on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return f"localhost:{probe.getsockname()[1]}"


@contextmanager
def processes(
    commands: Sequence[Sequence[str]],
    logs: Path,
    variables: dict[str, str] | None = None,
    own_variables: Sequence[dict[str, str]] | None = None,
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Starts `python -m` each command with four CPU devices; ends what is left of them.

    Args:
      commands: one a process.
      logs: the folder of what they write.
      variables: of the environment of all.
      own_variables: of the environment of each.
    """
    environment = {
        **os.environ,
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(DEVICES),
        # Compiling is most of the work.
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        # What depends on the order of a set would differ between the processes.
        "PYTHONHASHSEED": "random",
        **(variables or {}),
    }
    started = []
    for index, command in enumerate(commands):
        with (logs / f"{index}.log").open("wb") as log:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", *command],
                    cwd=ROOT,
                    env={**environment, **(own_variables[index] if own_variables else {})},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
    try:
        yield started
    finally:
        for process in started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()


def output(logs: Path, index: int) -> str:
    """What a process wrote, without what gloo says of its connections."""
    text = (logs / f"{index}.log").read_text(encoding="utf-8", errors="replace")
    return "".join(line for line in text.splitlines(keepends=True) if "[Gloo]" not in line)


def wait_until(happened: Callable[[], bool], running: Sequence[subprocess.Popen[bytes]]) -> None:
    """Waits for something that running processes do."""
    while not happened():
        assert all(process.poll() is None for process in running), "a process has ended"
        time.sleep(0.05)
