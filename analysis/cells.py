"""Scores that differ in one thing alone, found side by side.

A cell is all that a score depends on; two conditions are compared in the cells that they share, so
that each score stands beside one of the same model, seed, source, target, shots and split.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from analysis.conditions import sources
from analysis.transfer import LM_TASK, main_metric
from mt5x.studies.results import MAJORITY_BASELINE, Condition, ResultRow

Cell = tuple[Any, ...]
"""(seed, source, target, split, selection)."""


@dataclasses.dataclass(frozen=True)
class Group:
    """The scores of one task under one condition: cell -> score in percent."""

    task: str
    metric: str
    condition: Condition
    scores: Mapping[Cell, float]


def groups(rows: Iterable[ResultRow], metric: str | None = None) -> list[Group]:
    """Returns the zero-shot scores by task and condition, in the order in which they come.

    A target that the model was tuned on is left out, shots of it aside.

    Args:
      rows: result rows; of several steps the last counts.
      metric: None takes each task's main metric, or the first of a task that is not ours.
    """
    found: dict[tuple[str, Condition], dict[Cell, ResultRow]] = defaultdict(dict)
    metrics: dict[str, str] = {}
    for row in rows:
        if row.task == LM_TASK or row.stage == MAJORITY_BASELINE or row.target in sources(row):
            continue
        wanted = metric or main_metric(row.task) or metrics.setdefault(row.task, row.metric)
        if row.metric != wanted:
            continue
        metrics[row.task] = wanted
        cell = (row.seed, row.source, row.target, row.split, row.selection)
        cells = found[row.task, row.condition]
        if cell not in cells or row.step >= cells[cell].step:
            cells[cell] = row
    return [
        Group(task, metrics[task], condition, {cell: row.value for cell, row in cells.items()})
        for (task, condition), cells in found.items()
    ]


def find(among: Iterable[Group], task: str, condition: Condition) -> Group | None:
    """Returns the group of a task under a condition, or None."""
    return next((one for one in among if (one.task, one.condition) == (task, condition)), None)


def differences(first: Group, second: Group) -> dict[str, float]:
    """Returns target language -> first minus second, the mean over the cells that both have."""
    by_target: dict[str, list[float]] = defaultdict(list)
    for cell, score in first.scores.items():
        if cell in second.scores:
            by_target[cell[2]].append(score - second.scores[cell])
    return {target: float(np.mean(found)) for target, found in sorted(by_target.items())}


def spreads(first: Group, second: Group) -> dict[str, float]:
    """Returns target language -> sample standard deviation over seeds of first minus second."""
    by_seed: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for cell, score in first.scores.items():
        if cell in second.scores:
            by_seed[cell[2]][cell[0]].append(score - second.scores[cell])
    return {
        target: float(np.std([np.mean(found) for found in seeds.values()], ddof=1))
        for target, seeds in sorted(by_seed.items())
        if len(seeds) > 1
    }


def shared(*groups: Group) -> list[Group]:
    """Returns the groups with the cells alone that all of them have."""
    common = set.intersection(*(set(one.scores) for one in groups))
    return [
        dataclasses.replace(one, scores={x: one.scores[x] for x in one.scores if x in common})
        for one in groups
    ]


def by_target(group: Group) -> dict[str, float]:
    """Returns target language -> mean score."""
    found: dict[str, list[float]] = defaultdict(list)
    for cell, score in group.scores.items():
        found[cell[2]].append(score)
    return {target: float(np.mean(scores)) for target, scores in sorted(found.items())}
