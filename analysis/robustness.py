"""What noise costs: scores on perturbed test sets against the clean ones, language by language."""

import dataclasses
from collections.abc import Mapping, Sequence

from analysis import cells, multiplicity
from analysis.conditions import changed
from analysis.paired import Paired, difference, paired
from mt5x.studies.results import Condition, ResultRow

FLIPS = "flips"
_CLEAN = {"perturbation": None, "strength": None}


@dataclasses.dataclass(frozen=True)
class Drop:
    """What one kind of noise at one strength costs a task.

    Attributes:
      task: the task.
      metric: of the scores, in percent.
      condition: names the noise and its strength, and the intermediate training if there is one.
      drop: clean minus noisy, in points, by target language.
      relative: the same in percent of the clean score, for languages whose clean score is not 0.
      flips: percent of predictions that noise turns over, mean over languages; None: not measured.
      flips_of: target label -> the same among examples of that label.
      p_holm: p-value of the drop, corrected for all of them together.
    """

    task: str
    metric: str
    condition: Condition
    drop: Paired
    relative: Paired
    flips: float | None
    flips_of: Mapping[str, float]
    p_holm: float | None = None


def drops(rows: Sequence[ResultRow]) -> list[Drop]:
    """Returns the drop of every task under every noise."""
    among = cells.groups(rows)
    found = []
    for group in among:
        if group.condition.perturbation is None:
            continue
        clean = cells.find(among, group.task, changed(group.condition, **_CLEAN))
        if clean is None:
            continue
        drop = cells.differences(clean, group)
        level = cells.by_target(cells.shared(clean, group)[0])
        share = {one: 100 * x / level[one] for one, x in drop.items() if level[one] > 0}
        flips = _flips(rows, group.task, group.condition)
        found.append(
            Drop(
                task=group.task,
                metric=group.metric,
                condition=group.condition,
                drop=paired(drop),
                relative=paired(share),
                flips=flips.pop(FLIPS, None),
                flips_of=flips,
            )
        )
    corrected = multiplicity.adjusted([one.drop.p for one in found], "holm")
    return [dataclasses.replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)]


def together(found: Sequence[Drop]) -> Paired:
    """Returns the mean drop over several kinds of noise, for languages that all of them have."""
    each = [one.drop.by_language for one in found]
    shared = set.intersection(*(set(one) for one in each)) if each else set()
    return paired({one: sum(x[one] for x in each) / len(each) for one in sorted(shared)})


def contrast(first: Paired, second: Paired) -> Paired:
    """Returns how much more the first loses than the second, over the languages of both."""
    return paired(difference(first.by_language, second.by_language))


def _flips(rows: Sequence[ResultRow], task: str, condition: Condition) -> dict[str, float]:
    """Returns 'flips' and label -> mean over languages of the flips of that label."""
    of_noise = [one for one in rows if one.task == task and one.condition == condition]
    metrics = dict.fromkeys(one.metric for one in of_noise if one.metric.startswith(FLIPS))
    found = {}
    for metric in metrics:
        values = [
            value
            for group in cells.groups(of_noise, metric)
            for value in cells.by_target(group).values()
        ]
        if values:
            found[metric.removeprefix(f"{FLIPS}_")] = sum(values) / len(values)
    return found
