"""The sections that a report has where its table holds more than plain transfer, in their order."""

from pathlib import Path

from analysis.report.findings import Findings
from analysis.report.section import Section
from analysis.report.sections import curves, foretelling, gains, robustness, source_sets

_SECTIONS = (
    gains.section, source_sets.section, curves.section, robustness.section, foretelling.section,
)  # fmt: skip


def every(findings: Findings, folder: Path) -> list[Section]:
    """Returns the sections that there is something to say in; draws their figures into `folder`."""
    return [found for make in _SECTIONS if (found := make(findings, folder)) is not None]
