"""A part of the page that answers one kind of question: words, pictures, tables."""

import dataclasses
from collections.abc import Sequence

from analysis.paired import Paired
from analysis.report.drawing import Drawing
from analysis.report.tables import Table
from analysis.report.words import count, decimal, p_value


@dataclasses.dataclass(frozen=True)
class Section:
    """What the page shows under one heading.

    Attributes:
      id: of the element, and for links.
      title: the heading.
      answer: the sentence that the page opens with, or with which its opening closes; '' where
        there is none to give.
      sentences: what else there is to say.
      drawings: pictures, already written as files.
      tables: shown and written as CSV.
      method: how it was computed, for the page's end.
      closing: the answer closes the opening: it rests on what the opening says before.
    """

    id: str
    title: str
    answer: str
    sentences: Sequence[str]
    drawings: Sequence[Drawing]
    tables: Sequence[Table]
    method: str
    closing: bool = False


def evidence(one: Paired) -> str:
    """Returns interval, p and number of languages for the end of a sentence, in brackets."""
    if one.low is None or one.high is None or one.p is None:
        return f"({one.reason})"
    spoken = count(one.languages, "language")
    return f"(95% interval {decimal(one.low)} to {decimal(one.high)}, {p_value(one.p)}, {spoken})"


def points(value: float) -> str:
    """Returns a number of points, without its sign."""
    text = decimal(abs(value))
    return f"{text} point" if text == "1.0" else f"{text} points"


def numbers(one: Paired) -> tuple[float | int | None, ...]:
    """Returns mean, low, high, p, Wilcoxon's p and languages, the cells of a table's row."""
    return one.mean, one.low, one.high, one.p, one.p_wilcoxon, one.languages


NUMBERS = ("mean", "low", "high", "p", "p_wilcoxon", "languages")
