"""Progress for the person watching: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping
from typing import TextIO

from tqdm import tqdm

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Counts steps, or another unit, of one stage towards a total.

    Args:
      stage: what is being done, shown first.
      total: steps to do in all.
      done: steps already done when the stage resumes.
      stream: where to write; standard error by default.
      unit: what is counted.
    """

    def __init__(
        self,
        stage: str,
        total: int,
        done: int = 0,
        stream: TextIO | None = None,
        unit: str = "step",
    ):
        self._unit = unit
        self._stage, self._total, self._done = stage, total, done
        self._stream = sys.stderr if stream is None else stream
        self._bar = (
            tqdm(total=total, initial=done, desc=stage, file=self._stream, unit=unit)
            if self._stream.isatty()
            else None
        )
        self._started, self._first = time.monotonic(), done
        self._last_line = self._started

    def advance(self, steps: int = 1, figures: Mapping[str, float] | None = None) -> None:
        """Counts `steps` more; `figures` such as the loss are shown beside the count."""
        self._done += steps
        shown = {name: f"{value:.3g}" for name, value in (figures or {}).items()}
        if self._bar is not None:
            if shown:
                self._bar.set_postfix(shown, refresh=False)
            self._bar.update(steps)
        elif time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._write_line(shown)

    def close(self) -> None:
        """Leaves the bar as it stands."""
        if self._bar is not None:
            self._bar.close()

    def _write_line(self, shown: Mapping[str, str]) -> None:
        elapsed = time.monotonic() - self._started
        rate = (self._done - self._first) / max(elapsed, 1e-9)
        left = (self._total - self._done) / rate if rate else 0.0
        figures = "".join(f", {name} {value}" for name, value in shown.items())
        line = f"{self._stage}: {self._unit} {self._done}/{self._total}{figures}, {left:.0f} s left"
        print(line, file=self._stream, flush=True)
