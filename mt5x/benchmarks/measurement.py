"""What a section of `mt5x benchmark` found, as rows of a table and as JSON."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from mt5x.benchmarks.side_by_side import ratio

# The variant that the others are compared with.
OURS = "mt5x"


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One way to do one piece of work.

    Attributes:
      case: the work, with its sizes, such as 'mt5_small, 8 x 128/32, float32, Adafactor'.
      variant: how it is done: `OURS` or the name of a baseline.
      seconds: of every timed run; runs of the same place in two variants lay side by side.
      figures: what else there is to say, by name with its unit: {'tokens/s': 812.0, 'MFU %': 41.2}.
    """

    case: str
    variant: str
    seconds: Sequence[float]
    figures: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def median(self) -> float:
        """Seconds of the run in the middle."""
        return statistics.median(self.seconds)


def ratios(rows: Sequence[Measurement]) -> list[float | None]:
    """For each row, how many times as fast ours does that case; None for ours, or without ours."""
    ours = {row.case: row for row in rows if row.variant == OURS}
    return [
        ratio(row.seconds, ours[row.case].seconds)
        if row.case in ours and row.variant != OURS
        else None
        for row in rows
    ]


def table(rows: Sequence[Measurement]) -> str:
    """A plain table: case and variant, median time, how many times as fast ours is, figures."""
    names = list(dict.fromkeys(name for row in rows for name in row.figures))
    cells = [["", "", "seconds", f"{OURS} is", *names]]
    case = None
    for row, times in zip(rows, ratios(rows), strict=True):
        cells.append(
            [
                row.case if row.case != case else "",
                row.variant,
                _number(row.median),
                "" if times is None else f"{times:.2f} x",
                *("" if name not in row.figures else _number(row.figures[name]) for name in names),
            ]
        )
        case = row.case
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def document(section: str, rows: Sequence[Measurement], machine: Mapping[str, Any]) -> dict:
    """The same as a JSON object."""
    return {
        "section": section,
        "machine": dict(machine),
        "rows": [
            {
                **dataclasses.asdict(row),
                "median_seconds": row.median,
                f"{OURS}_times_as_fast": times,
            }
            for row, times in zip(rows, ratios(rows), strict=True)
        ],
    }


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"
