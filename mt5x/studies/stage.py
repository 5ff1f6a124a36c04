"""One job of a study, and how its gin bindings are written."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from mt5x import config
from mt5x.studies.results import MAJORITY_BASELINE as MAJORITY_BASELINE
from mt5x.studies.results import Condition

TRAIN, EVALUATE, LM_STATISTICS = "train", "evaluate", "lm_statistics"


@dataclasses.dataclass(frozen=True)
class Stage:
    """One job of a study.

    Attributes:
      name: readable, unique in the study.
      kind: 'train', 'evaluate', 'lm_statistics' or 'majority_baseline'.
      gin_files: its configuration.
      macros: its bindings; '{folder}' stands for its own folder, '{NAME}' for the folder of the
        parent called NAME, and '{NAME}/best' for the best checkpoint in that.
      parents: names of the stages whose output it reads.
      seed: random seed.
      task: as in the result table.
      source: language trained on, if any.
      split: evaluated split.
      condition: what else its scores depend on.
      compared_with: the parent that evaluates the same on clean text.
    """

    name: str
    kind: str
    gin_files: tuple[str, ...]
    macros: Mapping[str, Any]
    parents: tuple[str, ...]
    seed: int
    task: str
    source: str | None = None
    split: str = "validation"
    condition: Condition = dataclasses.field(default_factory=Condition)
    compared_with: str | None = None

    @property
    def steps(self) -> int:
        """Training steps, as its macros name them (TRAIN_STEPS of a pretraining begins at 0)."""
        if self.kind != TRAIN:
            return 0
        return int(self.macros.get("TRAIN_STEPS_RELATIVE") or self.macros.get("TRAIN_STEPS") or 0)


def gin_bindings(macros: Mapping[str, Any], folders: Mapping[str, str]) -> list[str]:
    """Writes macros as gin bindings, with folders filled in for '{NAME}' and '{NAME}/best'."""

    def literal(value: Any) -> str:
        place = re.fullmatch(r"\{(.*)\}(/best)?", value) if isinstance(value, str) else None
        return repr(value if place is None else folders[place[1]] + (place[2] or ""))

    return [f"{name} = {literal(value)}" for name, value in macros.items()]


def resolve(stage: Stage) -> str:
    """Returns the stage's resolved config with symbolic folders, the same on every machine.

    Parents are told by their place: the config does not depend on what a study calls them.
    """
    symbolic = {name: f"parent {place}" for place, name in enumerate(stage.parents)}
    config.load(stage.gin_files, gin_bindings(stage.macros, {**symbolic, "folder": "folder"}))
    return config.resolved()
