"""XTREME's and XTREME-R's averages: languages into tasks, tasks into groups and one score.

A task's score is the unweighted mean over its languages, English included where it has English; a
task of questions and answers scores the mean of exact match and F1. A group's score and the overall
one are unweighted means over tasks (Hu et al. 2020, and their evaluate.py). What is missing is
named, and an average that lacks something is None unless it is asked for.

XTREME-R (Ruder et al. 2021) drops PAWS-X and BUCC, adds XCOPA, and has more languages of PANX,
UD-POS and Tatoeba. Its retrieval tasks LAReQA and Mewsli-X are not in this catalogue: its averages
here are always without them, say so, and are no score of its leaderboard.
"""

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from tasks import languages
from tasks.errors import DataError

# {task: {language: {metric: value in percent}}}
Scores = Mapping[str, Mapping[str, Mapping[str, float]]]

# The metrics whose mean is a task's score. Tatoeba is searched for each English sentence.
_METRICS = {
    "xnli": ("accuracy",),
    "pawsx": ("accuracy",),
    "xcopa": ("accuracy",),
    "panx": ("span_f1",),
    "udpos": ("chunk_f1",),
    "xquad": ("em", "f1"),
    "mlqa": ("em", "f1"),
    "tydiqa": ("em", "f1"),
    "tatoeba": ("retrieval_accuracy_to_source",),
    "bucc": ("mining_f1",),
}


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What is averaged.

    Attributes:
      name: its name.
      groups: {group: its tasks}.
      languages: {task: its languages}.
      absent: tasks of the benchmark that this catalogue does not have.
    """

    name: str
    groups: Mapping[str, tuple[str, ...]]
    languages: Mapping[str, tuple[str, ...]]
    absent: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class TaskAverage:
    """The average of one task.

    Attributes:
      score: in percent; None where languages are missing and were not to be left out.
      metrics: {metric: its mean over the languages that came}.
      languages: those that came.
      missing: those that did not.
    """

    score: float | None
    metrics: Mapping[str, float]
    languages: tuple[str, ...]
    missing: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class BenchmarkAverage:
    """The averages of a benchmark.

    Attributes:
      benchmark: 'xtreme' or 'xtreme_r'.
      overall: mean over the tasks, or None.
      groups: {group: mean over its tasks, or None}.
      tasks: {task: its average}, for every task of the benchmark.
      missing: what is not in the averages, as 'task' or 'task.language'.
      absent: tasks of the benchmark that this catalogue does not have; in no average.
      unused: rows that no average of the benchmark takes, as 'task' or 'task.language'.
    """

    benchmark: str
    overall: float | None
    groups: Mapping[str, float | None]
    tasks: Mapping[str, TaskAverage]
    missing: tuple[str, ...]
    absent: tuple[str, ...]
    unused: tuple[str, ...]


XTREME = Benchmark(
    "xtreme",
    {
        "classification": ("xnli", "pawsx"),
        "structured": ("udpos", "panx"),
        "qa": ("xquad", "mlqa", "tydiqa"),
        "retrieval": ("bucc", "tatoeba"),
    },
    {
        "xnli": languages.XNLI,
        "pawsx": languages.PAWSX,
        "udpos": languages.UDPOS,
        "panx": languages.PANX,
        "xquad": languages.XQUAD,
        "mlqa": languages.MLQA,
        "tydiqa": languages.TYDIQA,
        "bucc": languages.BUCC,
        "tatoeba": languages.TATOEBA,
    },
)

XTREME_R = Benchmark(
    "xtreme_r",
    {
        "classification": ("xnli", "xcopa"),
        "structured": ("udpos", "panx"),
        "qa": ("xquad", "mlqa", "tydiqa"),
        "retrieval": ("tatoeba",),
    },
    {
        **{task: XTREME.languages[task] for task in ("xnli", "xquad", "mlqa", "tydiqa")},
        # Its eleven are XCOPA's own: English is COPA, which models are trained on.
        "xcopa": tuple(code for code in languages.XCOPA if code != "en"),
        "udpos": (*languages.UDPOS, "lt", "pl", "ro", "uk", "wo"),
        "panx": (*languages.PANX, "az", "gu", "lt", "pa", "pl", "qu", "ro", "uk"),
        "tatoeba": (*languages.TATOEBA, "az", "lt", "pl", "ro", "uk"),
    },
    absent=("lareqa", "mewslix"),
)


def xtreme_scores(
    scores: Scores | Iterable[Mapping[str, Any]], *, partial: bool = False
) -> BenchmarkAverage:
    """XTREME's averages; see `average`."""
    return average(XTREME, scores, partial=partial)


def xtreme_r_scores(
    scores: Scores | Iterable[Mapping[str, Any]], *, partial: bool = False
) -> BenchmarkAverage:
    """XTREME-R's averages over the tasks of this catalogue; see `average`."""
    return average(XTREME_R, scores, partial=partial)


def average(
    benchmark: Benchmark, scores: Scores | Iterable[Mapping[str, Any]], *, partial: bool = False
) -> BenchmarkAverage:
    """Averages scores as a benchmark does.

    Args:
      benchmark: what is averaged.
      scores: {task: {language: {metric: percent}}}, or rows with the keys task, language, metric
        and value. Metrics that the benchmark does not take are let pass.
      partial: average what came, although something is missing; `missing` names it all the same.

    Raises:
      DataError: a task is unknown, a row occurs twice, or a value is not from 0 to 100.
    """
    table = _checked(scores if isinstance(scores, Mapping) else _nested(scores))
    tasks = {
        task: _task_average(table.get(task, {}), task, codes, partial)
        for task, codes in benchmark.languages.items()
    }
    return BenchmarkAverage(
        benchmark=benchmark.name,
        overall=_mean(tasks, benchmark.languages, partial),
        groups={
            group: _mean(tasks, members, partial) for group, members in benchmark.groups.items()
        },
        tasks=tasks,
        missing=tuple(
            name
            for task, one in tasks.items()
            for name in ([f"{task}.{code}" for code in one.missing] if one.languages else [task])
        ),
        absent=benchmark.absent,
        unused=tuple(
            name
            for task, of_task in table.items()
            for name in (
                [f"{task}.{code}" for code in of_task if code not in benchmark.languages[task]]
                if task in benchmark.languages
                else [task]
            )
        ),
    )


def _task_average(
    of_task: Mapping[str, Mapping[str, float]], task: str, codes: tuple[str, ...], partial: bool
) -> TaskAverage:
    names = _METRICS[task]
    came = tuple(code for code in codes if all(name in of_task.get(code, {}) for name in names))
    missing = tuple(code for code in codes if code not in came)
    means = {
        name: math.fsum(of_task[code][name] for code in came) / len(came) for name in names if came
    }
    score = None
    if came and (partial or not missing):
        score = math.fsum(means.values()) / len(means)
    return TaskAverage(score, means, came, missing)


def _mean(tasks: Mapping[str, TaskAverage], members: Iterable[str], partial: bool) -> float | None:
    scores = [tasks[task].score for task in members]
    there = [score for score in scores if score is not None]
    if not there or (len(there) < len(scores) and not partial):
        return None
    return math.fsum(there) / len(there)


def _nested(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    table: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows:
        lacking = [key for key in ("task", "language", "metric", "value") if key not in row]
        if lacking:
            raise DataError(f"a row of scores lacks {', '.join(lacking)}: {dict(row)!r}")
        metrics = table.setdefault(row["task"], {}).setdefault(row["language"], {})
        if row["metric"] in metrics:
            raise DataError(
                f"the {row['metric']} of {row['task']} in {row['language']} occurs twice; "
                "average seeds first, or choose one"
            )
        metrics[row["metric"]] = row["value"]
    return table


def _checked(table: Scores) -> Scores:
    """The scores, of known tasks and from 0 to 100."""
    for task, of_task in table.items():
        if task not in _METRICS:
            near = difflib.get_close_matches(task, _METRICS, n=1) or list(_METRICS)
            raise DataError(f"there is no task '{task}' in XTREME; the nearest: {', '.join(near)}")
        for code, metrics in of_task.items():
            for name in _METRICS[task]:
                value = metrics.get(name, 0.0)
                # A hundred may come out of sums a rounding higher.
                if not -1e-6 <= value <= 100 + 1e-6:
                    raise DataError(
                        f"expected the {name} of {task} in {code} in percent, 0 to 100, got {value}"
                    )
    return table
