"""What a study saves by running once what its paths share."""

import dataclasses
from collections.abc import Sequence

from mt5x.studies import stage as kinds
from mt5x.studies.stage import Stage


@dataclasses.dataclass(frozen=True)
class Sharing:
    """Jobs and training steps, with and without sharing.

    Attributes:
      jobs, steps: of the stages as they are run, each once.
      naive_jobs, naive_steps: of every model that is evaluated, trained from its beginning by
        itself, and of every evaluation.
    """

    jobs: int
    steps: int
    naive_jobs: int
    naive_steps: int

    def in_words(self) -> str:
        """The two side by side, in a sentence."""
        if not self.naive_steps:
            return f"{self.jobs} jobs, none of which trains"
        return (
            f"{self.jobs:,} jobs and {self.steps:,} training steps; without sharing "
            f"{self.naive_jobs:,} jobs and {self.naive_steps:,} steps "
            f"({self.naive_steps / max(self.steps, 1):.1f} times as many)"
        )


def sharing(stages: Sequence[Stage]) -> Sharing:
    """Counts the jobs of a study, parents first, and those of its paths one by one."""
    trainings: dict[str, frozenset[str]] = {}
    for one in stages:
        before = frozenset().union(*(trainings[name] for name in one.parents))
        trainings[one.name] = before | ({one.name} if one.kind == kinds.TRAIN else frozenset())
    steps = {one.name: one.steps for one in stages}
    # Several evaluations of one model are one path.
    models = {trainings[one.name] for one in stages if one.kind != kinds.TRAIN}
    others = [one for one in stages if one.kind != kinds.TRAIN]
    return Sharing(
        jobs=len(stages),
        steps=sum(steps.values()),
        naive_jobs=len(others) + sum(len(path) for path in models),
        naive_steps=sum(steps[name] for path in models for name in path),
    )
