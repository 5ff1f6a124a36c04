"""Plots that any section may draw: numbers with intervals, and growth with a number of things."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from analysis.report.drawing import STYLE, Drawing, blank, save
from analysis.report.palette import ACCENT, INK, MUTED, PAPER, RULE, SECOND
from analysis.report.words import decimal


@dataclasses.dataclass(frozen=True)
class Bar:
    """A number with its interval: a row of `intervals`.

    Attributes:
      label: beside it.
      value: the number.
      low, high: its interval; None where it has none.
      clear: filled, as against hollow.
    """

    label: str
    value: float
    low: float | None
    high: float | None
    clear: bool


def intervals(bars: Sequence[Bar], axis: str, file_name: str, folder: Path) -> Drawing:
    """Draws numbers with their intervals about zero, one a row."""
    with mpl.rc_context(STYLE):
        figure, axes = blank(6.2, 0.8 + 0.24 * len(bars))
        axes.axvline(0, color=MUTED, linewidth=0.8)
        for row, bar in enumerate(bars):
            if bar.low is not None and bar.high is not None:
                axes.plot([bar.low, bar.high], [row, row], color=ACCENT, linewidth=1.4)
            face = ACCENT if bar.clear else PAPER
            axes.plot(bar.value, row, "o", markersize=5, color=ACCENT, markerfacecolor=face)
        axes.set_ylim(len(bars) - 0.5, -0.5)
        axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.grid(axis="x", color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[:].set_visible(False)
        axes.set_xlabel(axis)
        shown = "; ".join(f"{bar.label} {decimal(bar.value)}" for bar in bars[:12])
        return save(figure, file_name, f"{axis.capitalize()}: {shown}.", folder)


Fitted = Callable[[np.ndarray], np.ndarray]
"""n [m] to the fitted mean [m]."""


@dataclasses.dataclass(frozen=True)
class Line:
    """A curve of `growth`: n -> language -> score, and its fit, None where there is none."""

    label: str
    points: Mapping[int, Mapping[str, float]]
    fit: Fitted | None


def growth(lines: Sequence[Line], axis: str, title: str, file_name: str, folder: Path) -> Drawing:
    """Draws scores against numbers: a dot a language, the mean, and the fitted curve."""
    colours = (ACCENT, SECOND, INK, MUTED)
    with mpl.rc_context(STYLE):
        figure, axes = blank(4.6, 3.0)
        for number, line in enumerate(lines):
            colour = colours[number % len(colours)]
            sizes = sorted(line.points)
            for n in sizes:
                scores = list(line.points[n].values())
                axes.plot([n] * len(scores), scores, "o", markersize=2.5, color=colour, alpha=0.4)
            means = [float(np.mean(list(line.points[n].values()))) for n in sizes]
            style = ("-", "--", ":", "-.")[number // len(colours) % 4]
            axes.plot(sizes, means, "D", markersize=4.5, color=colour, label=line.label)
            if line.fit is not None:
                dense = np.unique(np.concatenate([np.linspace(sizes[0], sizes[-1], 60),
                                                  np.geomspace(max(sizes[0], sizes[1] / 20),
                                                               sizes[-1], 60)]))  # fmt: skip
                axes.plot(dense, line.fit(dense), style, color=colour, linewidth=1.4)
        least = min(n for line in lines for n in line.points if n > 0)
        largest = max(n for line in lines for n in line.points)
        if largest > 8 * least:
            axes.set_xscale("symlog", linthresh=least, base=2)
            ticks = sorted({n for line in lines for n in line.points})
            axes.set_xticks(ticks, [f"{n:,}" for n in ticks])
            axes.minorticks_off()
        axes.grid(axis="y", color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel(axis)
        axes.set_title(title)
        if len(lines) > 1:
            axes.legend(frameon=False, fontsize=7)
        told = "; ".join(
            f"{line.label}: " + ", ".join(
                f"{n:,} {decimal(float(np.mean(list(line.points[n].values()))))}"
                for n in sorted(line.points)
            )
            for line in lines[:4]
        )  # fmt: skip
        return save(figure, file_name, f"{title} against {axis}. Means: {told}.", folder)
