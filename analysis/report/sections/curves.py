"""How scores grow with examples, or with source languages: the curve, its shape, where two meet."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from analysis import curves, gains
from analysis.curves import AXES, Curve, Fit
from analysis.report import plots
from analysis.report.drawing import Drawing
from analysis.report.findings import Findings
from analysis.report.section import Section, points
from analysis.report.tables import Table
from analysis.report.words import count, decimal, listing, p_value, task_name

_MOST_MEETINGS = 6
_METHOD = (
    "A curve is told over the target languages that were scored at every number, none of which the "
    "model was tuned on, shots aside. Each language has its own level. Shapes: constant, linear, "
    "logarithmic (log2(1 + n/n0), n0 the least number above zero, so that zero is one step below "
    "it), power and saturating; compared by AICc, BIC and the error at a number left out of the "
    "fit. The slope is that of the logarithmic fit, its interval Student’s over the languages’ own "
    "slopes. p is Page’s, that the score rises. Curves meet where their logarithmic fits do; the "
    "interval draws languages with replacement."
)


def section(findings: Findings, folder: Path) -> Section | None:
    """Returns the section, or None where nothing was varied in number."""
    # With two numbers there is a gain, and no curve.
    found = [one for one in findings.curves if len(one.sizes) >= curves.FEWEST]
    known = [one for one in found if one.slope is not None]
    if not found:
        return None
    axes = dict.fromkeys(one.axis for one in found)
    return Section(
        id="curves",
        title="How scores grow",
        answer=_answer(known) if known else "",
        sentences=[*_without(found), *(_shape(one) for one in known), *_meetings(known)],
        drawings=[
            drawing
            for axis in axes
            for drawing in _drawings([one for one in found if one.axis == axis], folder)
        ],
        tables=[_table(found), _fits(known)],
        method=_METHOD,
    )


def label(curve: Curve) -> str:
    """What a curve is called in a legend."""
    parts = [task_name(curve.task)]
    condition = curve.condition
    if condition.intermediate is not None:
        parts.append(f"after {gains.label(condition)}")
    elif condition.model is not None:
        parts.append(condition.model)
    if condition.shots is not None and curve.axis != "shots":
        parts.append(f"{condition.shots} shots")
    return ", ".join(parts)


def _without(found: Sequence[Curve]) -> list[str]:
    """Why some have no curve."""
    return [
        f"No curve is fitted to {label(one)}: {one.reason}."
        for one in found
        if one.reason is not None
    ]


def _answer(known: Sequence[Curve]) -> str:
    steepest = max(known, key=lambda one: abs(one.slope or 0))
    slope = steepest.slope or 0.0
    least, most = steepest.sizes[0], steepest.sizes[-1]
    change = steepest.mean(most) - steepest.mean(least)
    verb = "rises" if change > 0 else "falls"
    what = "" if steepest.axis == "shots" else "Zero-shot "
    return (
        f"{what}{label(steepest)} {verb} by {points(change)} from {least:,} to {most:,} "
        f"{AXES[steepest.axis]}: {decimal(slope)} points a doubling{_interval(steepest)}."
    )


def _shape(curve: Curve) -> str:
    best = curve.best
    assert best is not None
    flat = next(fit for fit in curve.fits if fit.shape == "constant")
    text = (
        f"{label(curve)} against {AXES[curve.axis]}: {decimal(curve.slope or 0)} points a doubling"
        f"{_interval(curve)}"
    )
    if curve.p_trend is not None:
        text += f"; that it rises, {p_value(curve.p_trend)}"
    if best is flat:
        return f"{text}. No curve describes it better than a constant."
    error = ""
    if best.held_out is not None:
        error = f", which is {points(best.held_out)} off at a number it has not seen"
    return f"{text}. Of the shapes the {best.shape} one describes it best{error}."


def _interval(curve: Curve) -> str:
    spoken = count(len(next(iter(curve.points.values()))), "language")
    if curve.low is None or curve.high is None:
        return f" ({spoken}, too few for an interval)"
    return f" (95% interval {decimal(curve.low)} to {decimal(curve.high)}, {spoken})"


def _meetings(known: Sequence[Curve]) -> list[str]:
    texts = []
    for first, second in itertools.combinations(known, 2):
        if (first.axis, first.task) != (second.axis, second.task) or first.axis == "sources":
            continue
        at = curves.meeting(first, second)
        both = listing([label(first), label(second)])
        if at.n is None:
            texts.append(f"{both} do not meet within the numbers tried.")
        else:
            interval = (
                "" if at.low is None or at.high is None
                else f" (95% interval {at.low:,.0f} to {at.high:,.0f})"
            )  # fmt: skip
            texts.append(f"{both} meet at {at.n:,.0f} {AXES[first.axis]}{interval}.")
    return texts[:_MOST_MEETINGS]


def _drawings(found: Sequence[Curve], folder: Path) -> list[Drawing]:
    """One picture a task and axis."""
    drawn = []
    for task in dict.fromkeys(one.task for one in found):
        of_task = [one for one in found if one.task == task]
        axis = of_task[0].axis
        lines = [plots.Line(label(one), one.points, _fitted_line(one)) for one in of_task]
        title = f"{task_name(task)}, zero-shot"
        drawn.append(plots.growth(lines, AXES[axis], title, f"curve_{task}_{axis}", folder))
    return drawn


def _fitted_line(curve: Curve) -> plots.Fitted | None:
    if curve.slope is None:
        return None
    logarithmic: Fit = next(fit for fit in curve.fits if fit.shape == "logarithmic")
    return lambda n: curve.at(logarithmic, n)


def _table(found: Sequence[Curve]) -> Table:
    rows = [
        (one.task, label(one), AXES[one.axis], n, one.mean(n), len(one.points[n]))
        for one in found
        for n in one.sizes
    ]
    columns = ("task", "curve", "of", "number", "mean score", "languages")
    return Table("curves", "Mean score by number", columns, rows)


def _fits(known: Sequence[Curve]) -> Table:
    rows = [
        (label(one), AXES[one.axis], fit.shape, fit.b, fit.parameter, fit.aicc, fit.bic,
         fit.held_out)
        for one in known
        for fit in one.fits
    ]  # fmt: skip
    columns = ("curve", "of", "shape", "b", "parameter", "AICc", "BIC", "held-out error")
    return Table("curve_fits", "Shapes compared: smaller is better", columns, rows)
