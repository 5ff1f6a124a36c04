"""What a data set is to the tasks: its names, its rows in every language, and how it is scored."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from tasks import postprocessors

Preprocessor = Callable[..., Any]
MetricFn = Callable[..., dict[str, float]]

# What a data set is there for.
TARGET, INTERMEDIATE, ADVERSARIAL = "target", "intermediate", "adversarial"
ROLES = (TARGET, INTERMEDIATE, ADVERSARIAL)

# The kinds of tasks, longest names first so that a name is read in one way.
TRANSLATED, TRAIN, EVAL = "translated_train", "train", "eval"
KINDS = (TRANSLATED, TRAIN, EVAL)


@dataclasses.dataclass(frozen=True)
class Rows:
    """Where the rows of one task lie and how they become the texts `inputs` and `targets`.

    Attributes:
      stored: the TFDS data set, 'wikiann/en:1.0.0'.
      splits: SeqIO split to TFDS split.
      formats: SeqIO preprocessors, in order.
    """

    stored: str
    splits: Mapping[str, str]
    formats: tuple[Preprocessor, ...]


@dataclasses.dataclass(frozen=True)
class Part:
    """One kind of task of a data set: its languages, and the rows of each.

    Attributes:
      languages: ISO 639-1 codes; of cross-language questions 'context.question'.
      rows: maps a language to its rows.
    """

    languages: tuple[str, ...]
    rows: Callable[[str], Rows]


@dataclasses.dataclass(frozen=True)
class Scores:
    """How predictions are scored.

    Attributes:
      names: every score, in the order the functions give them, all in percent.
      main: the score that one number of the data set means.
      functions: maps a language to SeqIO metric functions, whose keys together are `names`.
      postprocessor: SeqIO's, for gold and predictions.
    """

    names: tuple[str, ...]
    main: str
    functions: Callable[[str], tuple[MetricFn, ...]]
    postprocessor: Callable[..., Any] = postprocessors.stripped


@dataclasses.dataclass(frozen=True)
class DataSet:
    """One data set of the catalogue.

    Attributes:
      name: the first part of its tasks' names.
      title: its name in prose.
      cited: who published it.
      role: what it is there for.
      group: XTREME's group: 'classification', 'structured', 'qa', 'retrieval', or '' if it is not
        one of XTREME's.
      parts: kind of task to its languages and rows.
      scores: how predictions are scored.
      evaluated: the languages whose eval tasks the mixtures hold; all of them by default.
      labels: the closed set of target strings, or None where the target is free text.
      trained_on: the data set whose train tasks its mixtures train on; itself by default.
      embedded: whether the prediction is the encoder's mean-pooled vector and no text.
    """

    name: str
    title: str
    cited: str
    role: str
    group: str
    parts: Mapping[str, Part]
    scores: Scores
    evaluated: tuple[str, ...] = ()
    labels: tuple[str, ...] | None = None
    trained_on: str = ""
    embedded: bool = False

    def __post_init__(self) -> None:
        if not self.evaluated:
            object.__setattr__(self, "evaluated", self.languages_of(EVAL))
        if not self.trained_on:
            object.__setattr__(self, "trained_on", self.name)

    def languages_of(self, kind: str) -> tuple[str, ...]:
        """Returns the languages that have a task of this kind."""
        return self.parts[kind].languages if kind in self.parts else ()

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language that has a task, of whatever kind."""
        return tuple(dict.fromkeys(code for part in self.parts.values() for code in part.languages))


def intermediate(
    name: str,
    title: str,
    cited: str,
    stored: str,
    steps: tuple[Preprocessor, ...],
    scores: Scores,
    held_out: Mapping[str, str] | None = None,
    labels: tuple[str, ...] | None = None,
) -> DataSet:
    """Returns an English data set to train on before a target task.

    Args:
      name, title, cited, scores, labels: the data set's.
      stored: the TFDS data set.
      steps: SeqIO preprocessors of all its rows.
      held_out: the eval task's splits, SeqIO to TFDS; the validation split by default.
    """
    splits = {TRAIN: same("train"), EVAL: held_out or same("validation")}
    return DataSet(
        name=name,
        title=title,
        cited=cited,
        role=INTERMEDIATE,
        group="",
        parts={
            kind: Part(("en",), functools.partial(_english, Rows(stored, of_kind, steps)))
            for kind, of_kind in splits.items()
        },
        scores=scores,
        labels=labels,
    )


def _english(rows: Rows, code: str) -> Rows:
    return rows


def same(*names: str) -> dict[str, str]:
    """Returns splits that TFDS calls as SeqIO does."""
    return {name: name for name in names}


def everywhere(*functions: MetricFn) -> Callable[[str], tuple[MetricFn, ...]]:
    """Returns the metric functions of a data set that scores all languages alike."""
    return lambda language: functions
