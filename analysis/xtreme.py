"""XTREME's averages of what models tuned on one source language score.

They are only of worth where a task was scored in all its languages, so a source of which no task
was is left out, and an average that lacks a language or a task has no value: what it lacks is
named. Scores are means over seeds, of the split that each task's table has.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence

from analysis.transfer import Transfer
from tasks.metrics.xtreme import XTREME, XTREME_R, Benchmark, average

BENCHMARKS = {"XTREME": XTREME, "XTREME-R": XTREME_R}


@dataclasses.dataclass(frozen=True)
class Average:
    """The average of a task, a group of tasks, or all tasks of a benchmark.

    Attributes:
      benchmark: a key of `BENCHMARKS`.
      source: the language that models were tuned on.
      of: a task, or 'qa tasks' and the like, or 'all tasks'.
      score: in percent; None where something is missing.
      split: of a task that was scored: the split.
      missing: the languages, or the tasks, that are not there.
    """

    benchmark: str
    source: str
    of: str
    score: float | None
    split: str | None
    missing: tuple[str, ...]


def averages(tables: Sequence[Transfer]) -> list[Average]:
    """Returns the averages of each source of which some task has all languages of a benchmark."""
    sources = sorted({source for table in tables for source in table.sources})
    found = [list(_averages(tables, name, source)) for name in BENCHMARKS for source in sources]
    return [one for of_source in found if _any_complete(of_source) for one in of_source]


def _averages(tables: Sequence[Transfer], name: str, source: str) -> Iterator[Average]:
    """Yields the tasks' averages, the groups' and that of all; complete ones have a score."""
    benchmark = BENCHMARKS[name]
    splits = {table.task: table.split for table in tables if source in table.sources}
    found = average(benchmark, _scores(tables, benchmark, source))
    for task, one in found.tasks.items():
        missing = one.missing if one.languages else ("all languages",)
        yield Average(name, source, task, one.score, splits.get(task), missing)
    lacking = tuple(task for task, one in found.tasks.items() if one.score is None)
    for group, score in found.groups.items():
        missing = tuple(task for task in benchmark.groups[group] if task in lacking)
        yield Average(name, source, f"{group} tasks", score, None, missing)
    yield Average(name, source, "all tasks", found.overall, None, (*lacking, *found.absent))


def _any_complete(found: Sequence[Average]) -> bool:
    return any(one.score is not None for one in found)


def _scores(
    tables: Sequence[Transfer], benchmark: Benchmark, source: str
) -> dict[str, dict[str, dict[str, float]]]:
    """Returns task -> target -> metric -> score of the models tuned on `source`."""
    scores: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for table in tables:
        for target in benchmark.languages.get(table.task, ()):
            value = table.score.get(source, target)
            if value is not None:
                scores[table.task][target][table.metric] = value
    return scores
