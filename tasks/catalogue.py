"""The one table of what is registered: data sets, their languages, names, labels and scores.

A task is named `{data}_{kind}.{language}`: `panx_train.en` has the train split only,
`panx_eval.sw` the validation split and, where there is one, the test split. A mixture
`{data}_zeroshot.{source}` is the train task of the source language with the eval tasks of all
evaluated languages; `{data}_zeroshot` is that of English and `{data}_eval` the eval tasks alone.
Span corruption is `mc4_span_corruption.{language}`, and without a language the mixture of the
study's ten. Languages are ISO 639-1 codes.
"""

import dataclasses
import difflib

from tasks import languages
from tasks.errors import DataError

SPAN_CORRUPTION = "mc4_span_corruption"


@dataclasses.dataclass(frozen=True)
class Family:
    """One target data set in its languages.

    Attributes:
      title: the data set's name in prose.
      languages: every language with a train and an eval task.
      evaluated: the languages whose eval tasks the mixtures hold.
      labels: the closed set of target strings, or None where the target is free text.
      main_metric: the score that one number of this data set means.
      metrics: all scores, in percent.
      eval_splits: SeqIO's names of the splits of an eval task.
    """

    title: str
    languages: tuple[str, ...]
    evaluated: tuple[str, ...]
    labels: tuple[str, ...] | None
    main_metric: str
    metrics: tuple[str, ...]
    eval_splits: tuple[str, ...]


FAMILIES: dict[str, Family] = {
    "xnli": Family(
        title="XNLI",
        languages=languages.XNLI,
        evaluated=languages.XNLI,
        labels=("0", "1", "2"),
        main_metric="accuracy",
        metrics=("accuracy",),
        eval_splits=("validation", "test"),
    ),
    "panx": Family(
        title="PANX",
        languages=languages.PANX,
        evaluated=languages.STUDY,
        labels=None,
        main_metric="span_f1",
        metrics=("span_f1",),
        eval_splits=("validation", "test"),
    ),
    "tydiqa": Family(
        title="TyDiQA-GoldP",
        languages=languages.TYDIQA,
        evaluated=languages.TYDIQA,
        labels=None,
        main_metric="f1",
        metrics=("em", "f1"),
        eval_splits=("validation",),
    ),
    "pawsx": Family(
        title="PAWS-X",
        languages=languages.PAWSX,
        evaluated=languages.PAWSX,
        labels=("different_meaning", "paraphrase"),
        main_metric="accuracy",
        metrics=("accuracy",),
        eval_splits=("validation", "test"),
    ),
}

# The languages that the mixtures evaluate (and span corruption mixes), by data set.
LANGUAGES: dict[str, tuple[str, ...]] = {
    **{data: family.evaluated for data, family in FAMILIES.items()},
    SPAN_CORRUPTION: languages.STUDY,
}
# Every language that has tasks, by data set.
ALL_LANGUAGES: dict[str, tuple[str, ...]] = {
    **{data: family.languages for data, family in FAMILIES.items()},
    SPAN_CORRUPTION: languages.MC4,
}


@dataclasses.dataclass(frozen=True)
class TaskName:
    """The parts of a task's name; kind is 'train', 'eval' or, of span corruption, ''."""

    data: str
    kind: str
    language: str


def train_task(data: str, language: str) -> str:
    """Returns the name of the task that trains on `language`."""
    _check(data, language, FAMILIES)
    return f"{data}_train.{language}"


def eval_task(data: str, language: str) -> str:
    """Returns the name of the task that evaluates `language`."""
    _check(data, language, FAMILIES)
    return f"{data}_eval.{language}"


def zeroshot(data: str, source: str = "en") -> str:
    """Returns the mixture that trains on `source` and evaluates every language."""
    _check(data, source, FAMILIES)
    return f"{data}_zeroshot.{source}"


def span_corruption(language: str) -> str:
    """Returns the name of the span-corruption task of `language`."""
    _check(SPAN_CORRUPTION, language, ALL_LANGUAGES)
    return f"{SPAN_CORRUPTION}.{language}"


def parse(task_name: str) -> TaskName:
    """Splits a task name into data set, kind and language.

    Raises:
      DataError: not a task of this catalogue.
    """
    stem, _, language = task_name.partition(".")
    if stem == SPAN_CORRUPTION and language in languages.MC4:
        return TaskName(SPAN_CORRUPTION, "", language)
    data, _, kind = stem.rpartition("_")
    if data in FAMILIES and kind in ("train", "eval") and language in FAMILIES[data].languages:
        return TaskName(data, kind, language)
    raise DataError(f"'{task_name}' is not a task of the catalogue{_nearest(task_name, names())}")


def labels(task_name: str) -> tuple[str, ...] | None:
    """Returns the closed set of a task's target strings, or None where they are free text.

    A task of the user's own, which the catalogue does not know, counts as free text.
    """
    try:
        family = FAMILIES.get(parse(task_name).data)
    except DataError:
        return None
    return family.labels if family else None


def main_metric(data: str) -> str:
    """Returns the name of the score that stands for `data`."""
    if data not in FAMILIES:
        raise DataError(f"'{data}' has no main metric{_nearest(data, FAMILIES)}")
    return FAMILIES[data].main_metric


def names() -> list[str]:
    """Returns the names of all tasks of the catalogue."""
    found = [f"{SPAN_CORRUPTION}.{code}" for code in languages.MC4]
    for data, family in FAMILIES.items():
        found += [
            f"{data}_{kind}.{code}" for kind in ("train", "eval") for code in family.languages
        ]
    return found


def _check(data: str, language: str, known: dict) -> None:
    if data not in known:
        raise DataError(f"there is no data set '{data}'{_nearest(data, known)}")
    if language not in ALL_LANGUAGES[data]:
        raise DataError(
            f"{data} has no language '{language}'; it has {' '.join(ALL_LANGUAGES[data])}"
        )


def _nearest(name: str, candidates: object) -> str:
    near = difflib.get_close_matches(name, list(candidates), n=3, cutoff=0.5)  # type: ignore
    return f"; did you mean {' or '.join(near)}?" if near else ""
