"""How far a study is: what is done, who runs what, what failed, what is next."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mt5x.studies import outstanding, store
from mt5x.studies.stage import Stage

_STATES = (store.DONE, store.RUNNING, store.FAILED, store.WAITING)
"""What has a column; what was pruned is done."""


def page(stages: Sequence[Stage], folders: Mapping[str, Path]) -> str:
    """Returns the state of a study as text: a table, then what runs, what failed, what is next.

    Args:
      stages: all of the study, parents first.
      folders: of each, by its name.
    """
    states = {one.name: store.state(folders[one.name]) for one in stages}
    shown = {name: store.DONE if one == store.PRUNED else one for name, one in states.items()}
    groups: dict[str, Counter[str]] = {}
    for one in stages:
        groups.setdefault(group_of(one), Counter())[shown[one.name]] += 1
    rows: list[tuple[str, ...]] = [("stages", *_STATES)]
    rows += [(name, *(str(counts[s]) for s in _STATES)) for name, counts in groups.items()]
    total = Counter(shown.values())
    rows.append(("all", *(str(total[state]) for state in _STATES)))
    lines = _aligned(rows)
    for one in stages:
        folder = folders[one.name]
        if states[one.name] == store.RUNNING:
            lines.append(f"running  {one.name}: {store.runner_of(folder)}")
        if states[one.name] == store.FAILED:
            failure = store.failure_of(folder)
            lines.append(f"failed   {one.name}: {failure.cause}\n         alone: {failure.command}")
    waiting = [
        one for one in outstanding.to_do(stages, states) if states[one.name] != store.RUNNING
    ]
    ready = [one for one in waiting if all(states[name] == store.DONE for name in one.parents)]
    if ready:
        lines.append(f"next     {ready[0].name}")
    pruned = sum(state == store.PRUNED for state in states.values())
    if pruned:
        lines.append(f"{pruned} trained without their checkpoints (pruned)")
    lines.append(_in_words(total, seconds_left(stages, folders, states)))
    return "\n".join(lines)


def group_of(stage: Stage) -> str:
    """What a stage is counted with: its kind, and its task where it has a source."""
    return stage.kind if stage.source is None else f"{stage.kind} {stage.task}"


def seconds_left(
    stages: Sequence[Stage], folders: Mapping[str, Path], states: Mapping[str, str]
) -> float | None:
    """What is left on one machine, if each takes as long as those like it; None: not known yet."""
    taken: dict[str, list[float]] = {}
    for one in stages:
        if states[one.name] in (store.DONE, store.PRUNED):
            seconds = store.done_of(folders[one.name]).seconds
            if seconds is not None:
                taken.setdefault(group_of(one), []).append(seconds)
    left = 0.0
    for one in stages:
        if states[one.name] in (store.RUNNING, store.WAITING):
            alike = taken.get(group_of(one))
            if not alike:
                return None
            left += sum(alike) / len(alike)
    return left


def duration(seconds: float) -> str:
    """Some seconds in words, such as '3 min' or '2.5 h'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _in_words(total: Counter[str], left: float | None) -> str:
    done, count = total[store.DONE], sum(total.values())
    if done == count:
        return f"all {count} stages are done"
    known = "" if left is None else f"; about {duration(left)} are left for one runner"
    return f"{done} of {count} stages are done{known}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
