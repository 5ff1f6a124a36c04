"""Which languages to label: several sources, or another one, against one."""

from collections.abc import Sequence
from pathlib import Path

from analysis.languages import name
from analysis.report import plots
from analysis.report.drawing import Drawing
from analysis.report.findings import SIGNIFICANT, Findings
from analysis.report.section import NUMBERS, Section, evidence, numbers, points
from analysis.report.tables import Table
from analysis.report.words import listing, task_name
from analysis.source_sets import SourceSet

_METHOD = (
    "Sets of source languages are compared with one language over the targets that none of the "
    "sources is, seed by seed; tests and intervals are those of the gains."
)


def section(findings: Findings, folder: Path) -> Section | None:
    """Returns the section, or None where nothing was trained on several languages."""
    found = findings.source_sets
    if not found:
        return None
    best = max(found, key=lambda one: one.gain.mean or 0.0)
    return Section(
        id="sources",
        title="Which languages to label",
        answer=_told(best),
        sentences=[_told(one) for one in found if one is not best],
        drawings=[_drawing(found, folder)],
        tables=[_table(found)],
        method=_METHOD,
    )


def _told(one: SourceSet) -> str:
    spoken = listing([name(code) for code in one.languages])
    if one.gain.mean is None:
        return f"Training on {spoken} cannot be compared: {one.gain.reason}."
    word = "more" if one.gain.mean > 0 else "less"
    return (
        f"Trained on {spoken}, {task_name(one.task)} scores {points(one.gain.mean)} {word} in "
        f"other languages than trained on {name(one.against)} alone {evidence(one.gain)}."
    )


def _drawing(found: Sequence[SourceSet], folder: Path) -> Drawing:
    bars = [
        plots.Bar(
            f"{task_name(one.task)}, {one.source}", one.gain.mean or 0.0, one.gain.low,
            one.gain.high, one.gain.p is not None and one.gain.p < SIGNIFICANT,
        )
        for one in found
    ]  # fmt: skip
    axis = f"points more than trained on {name(found[0].against)} alone"
    return plots.intervals(bars, axis, "source_sets", folder)


def _table(found: Sequence[SourceSet]) -> Table:
    columns = ("sources", "task", "number", "metric", "score", "against", *NUMBERS)
    rows = [
        (one.source, one.task, len(one.languages), one.metric, one.mean, one.against,
         *numbers(one.gain))
        for one in found
    ]  # fmt: skip
    return Table("source_sets", "Sets of source languages against one", columns, rows)
