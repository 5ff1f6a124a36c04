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
      shown: False writes nothing, for all processes of a job but one.
    """

    def __init__(
        self,
        stage: str,
        total: int,
        done: int = 0,
        stream: TextIO | None = None,
        unit: str = "step",
        shown: bool = True,
    ):
        self._unit = unit
        self._stage, self._total, self._done = stage, total, done
        self._stream = sys.stderr if stream is None else stream
        self._lines = shown and not self._stream.isatty()
        self._bar = (
            tqdm(total=total, initial=done, desc=stage, file=self._stream, unit=unit)
            if shown and not self._lines
            else None
        )
        # The rate is counted from the first advance: what comes before it is mostly compilation.
        self._started: float | None = None
        self._first = done
        self._last_line = time.monotonic()

    def advance(self, steps: int = 1, figures: Mapping[str, float] | None = None) -> None:
        """Counts `steps` more; `figures` such as the loss are shown beside the count."""
        self._done += steps
        if self._started is None:
            self._started, self._first = time.monotonic(), self._done
        if self._bar is not None:
            if figures:
                self._bar.set_postfix(_readable(figures), refresh=False)
            self._bar.update(steps)
        elif self._lines and time.monotonic() - self._last_line > _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._write_line(_readable(figures or {}))

    def close(self) -> None:
        """Leaves the bar as it stands."""
        if self._bar is not None:
            self._bar.close()

    def _write_line(self, shown: Mapping[str, str]) -> None:
        parts = [f"{self._stage}: {self._unit} {self._done}/{self._total}"]
        parts += [f"{name} {value}" for name, value in shown.items()]
        if self._started is not None and self._done > self._first:
            each = (time.monotonic() - self._started) / (self._done - self._first)
            parts.append(f"{duration((self._total - self._done) * each)} left")
        print(", ".join(parts), file=self._stream, flush=True)


def duration(seconds: float) -> str:
    """A time as a person says it.

    >>> duration(48.2), duration(1500), duration(9300)
    ('48 s', '25 min', '2 h 35 min')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def _readable(figures: Mapping[str, float]) -> dict[str, str]:
    return {
        name: f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
        for name, value in figures.items()
    }
