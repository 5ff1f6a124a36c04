"""Which source languages to train on: sets of them against one, in languages outside of them."""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from analysis import cells
from analysis.cells import Group
from analysis.paired import Paired, paired
from mt5x.studies.results import SEVERAL, Condition, ResultRow

ENGLISH = "en"


@dataclasses.dataclass(frozen=True)
class SourceSet:
    """What training on several languages, or on another one, adds to training on one.

    Attributes:
      task: the task.
      metric: of the scores, in percent.
      condition: all else.
      source: the languages, joined by '+'.
      against: the one language; English where it is among the sources.
      mean: score over the targets that no source of the table is.
      gain: the set's score minus the one's, in points, by target language.
    """

    task: str
    metric: str
    condition: Condition
    source: str
    against: str
    mean: float
    gain: Paired

    @property
    def languages(self) -> list[str]:
        """The languages trained on."""
        return self.source.split(SEVERAL)


def source_sets(rows: Sequence[ResultRow]) -> list[SourceSet]:
    """Returns every set of sources of tasks that were trained on several languages at once."""
    return [one for group in cells.groups(rows) for one in _of_group(group)]


def _of_group(group: Group) -> list[SourceSet]:
    by_source: dict[str, dict[cells.Cell, float]] = defaultdict(dict)
    for (seed, source, *rest), score in group.scores.items():
        if source is not None:
            by_source[source][(seed, None, *rest)] = score
    if group.condition.perturbation is not None or not any(SEVERAL in one for one in by_source):
        return []
    trained = {language for source in by_source for language in source.split(SEVERAL)}
    parts = {
        source: dataclasses.replace(
            group, scores={cell: x for cell, x in scores.items() if cell[2] not in trained}
        )
        for source, scores in by_source.items()
    }
    single = [source for source in parts if SEVERAL not in source]
    if not single:
        return []
    against = ENGLISH if ENGLISH in single else single[0]
    return [
        SourceSet(
            group.task, group.metric, group.condition, source, against,
            sum(part.scores.values()) / len(part.scores),
            paired(cells.differences(part, parts[against])),
        )
        for source, part in parts.items()
        if source != against and part.scores
    ]  # fmt: skip
