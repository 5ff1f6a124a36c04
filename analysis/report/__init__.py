"""The report: one page, its tables as CSV and its figures as files."""

from analysis.report.build import build_report

__all__ = ["build_report"]
