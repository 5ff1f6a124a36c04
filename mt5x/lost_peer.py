"""One sentence where JAX would print a stack trace: another process of the run was lost.

JAX's coordination service ends this process then from native code, in which no Python runs any
more. So what native code writes (file descriptor 2) passes through a small process that outlives
this one and knows those messages. Python's own sys.stderr stays the screen that it was.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

_SERVICE = re.compile(rb"[EF]\d{4} .*(coordination_service|JAX distributed service)")
_END = b"Terminating process because the JAX distributed service detected fatal errors"
_SILENT = re.compile(rb"stopped sending heartbeats\):\s+((?:\d+\s+)+)")
_NO_COORDINATOR = b"Failed to send RPC to coordination service"
_SAME_INDEX = b"there is a request from a newer incarnation"

# Kept, so that it is not reported as forgotten.
_watcher: subprocess.Popen[bytes] | None = None


def tell_in_one_sentence() -> None:
    """From now on the loss of a peer is told in one sentence; once a process."""
    global _watcher
    if _watcher is not None:
        return
    sys.stderr.flush()
    screen = os.dup(2)
    end_to_read, end_to_write = os.pipe()
    _watcher = subprocess.Popen(
        [sys.executable, "-E", "-S", str(Path(__file__).resolve())],
        stdin=end_to_read,
        stderr=screen,
        # A signal to the group is not for it.
        start_new_session=True,
    )
    os.close(end_to_read)
    os.dup2(end_to_write, 2)
    os.close(end_to_write)
    sys.stderr = os.fdopen(screen, "w", encoding="utf-8", errors="backslashreplace", buffering=1)


def sentence(messages: bytes) -> bytes:
    """What to print for the messages with which the coordination service ended a process.

    Args:
      messages: all lines from the first one of the service.

    Returns:
      One sentence; the messages themselves where they tell no such end.
    """
    if _END not in messages:
        return messages
    if _SAME_INDEX in messages:
        return (
            b"mt5x: error: another process joined with the --process_index of this one; start one "
            b"process for each index from 0 on\n"
        )
    lost = "another process of this run"
    silent = _SILENT.search(messages)
    if silent:
        numbers = sorted({int(number) for number in silent.group(1).split()})
        lost = f"process {' and '.join(map(str, numbers))} of this run"
    elif _NO_COORDINATOR in messages:
        lost = "process 0 of this run"
    return (
        f"mt5x: error: {lost} has ended or cannot be reached, so this process ends too; its own "
        "output says why; run the same command on all hosts again, and training goes on from the "
        "last checkpoint\n"
    ).encode()


def _watch() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    held = b""
    for line in sys.stdin.buffer:
        if held or _SERVICE.match(line):
            held += line
        else:
            os.write(2, line)
    if held:
        os.write(2, sentence(held))


if __name__ == "__main__":
    _watch()
