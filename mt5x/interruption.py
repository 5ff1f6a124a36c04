"""SIGTERM and SIGINT as a request to stop at the next step boundary, nothing lost."""

import signal
import sys
import types
from typing import Self

EXIT_CODE = 128 + signal.SIGTERM


class Interrupted(SystemExit):
    """The job saved its state and stopped because it was asked to; it says so as it leaves."""

    def __init__(self, message: str) -> None:
        super().__init__(EXIT_CODE)
        print(f"mt5x: {message}", file=sys.stderr)


class StopRequest:
    """While entered, notes SIGTERM and SIGINT instead of dying; a second signal kills as usual."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                self._previous[number] = signal.signal(number, self._note)
            except ValueError:
                # Not the main thread: signals are the caller's business there.
                return self
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._previous = {}
