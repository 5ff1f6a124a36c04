"""Which scores are of plain transfer, and which of a model that something was done to before.

A table may hold intermediate training, few shots, cut training sets and noisy test sets side by
side. Source against target is told of the plain ones alone; gains, curves and robustness compare
the others with them.
"""

from collections.abc import Sequence

from mt5x.studies.results import SEVERAL, Condition, ResultRow

PLAIN = Condition()


def is_plain(row: ResultRow) -> bool:
    """Whether the row is of no intermediate task, all of one source, no shots and clean text."""
    one_source = row.source is None or SEVERAL not in row.source
    return one_source and changed(row.condition, model=None, shots=row.shots or None) == PLAIN


def plain(rows: Sequence[ResultRow]) -> list[ResultRow]:
    """Returns the rows of plain transfer."""
    return [row for row in rows if is_plain(row)]


def changed(condition: Condition, **fields: object) -> Condition:
    """Returns the condition with some of its fields set, such as `perturbation=None`."""
    return Condition(**{**vars(condition), **fields})


def sources(row: ResultRow) -> tuple[str, ...]:
    """Returns the languages that a row's model was tuned on; none where it was not tuned."""
    return () if row.source is None else tuple(row.source.split(SEVERAL))
