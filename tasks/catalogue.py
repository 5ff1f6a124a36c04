"""The names of all tasks, and what is known of a task by its name.

A task is named `{data}_{kind}.{language}`: `panx_train.en` has the train split only,
`panx_eval.sw` the validation split and, where there is one, the test split;
`tydiqa_translated_train.fi` holds English rows in machine translation. Languages are ISO 639-1
codes; of MLQA's cross-language questions that of the context and that of the question,
`mlqa_cross_eval.en.de`. Text is `mc4_span_corruption.{language}`, and `mc4_no_sentinels.{language}`
with the same masks and no sentinels in the targets.

Names may go on after a colon: `panx_train.en:n100`. `tasks.by_name` makes those when asked.
"""

import dataclasses

from tasks import languages, own_data
from tasks.definitions import DATA_SETS
from tasks.definitions.dataset import EVAL, KINDS, TRAIN
from tasks.errors import DataError, nearest

SPAN_CORRUPTION = "mc4_span_corruption"
NO_SENTINELS = "mc4_no_sentinels"
TEXT = (SPAN_CORRUPTION, NO_SENTINELS)

# The languages that the mixtures evaluate (and those of text mix), by data set.
LANGUAGES: dict[str, tuple[str, ...]] = {
    **{name: one.evaluated for name, one in DATA_SETS.items()},
    **dict.fromkeys(TEXT, languages.STUDY),
}
# Every language that has tasks, by data set.
ALL_LANGUAGES: dict[str, tuple[str, ...]] = {
    **{name: one.languages for name, one in DATA_SETS.items()},
    **dict.fromkeys(TEXT, languages.MC4),
}


@dataclasses.dataclass(frozen=True)
class TaskName:
    """The parts of a task's name; kind is 'train', 'eval', 'translated_train' or, of text, ''."""

    data: str
    kind: str
    language: str


def task(data: str, kind: str, language: str) -> str:
    """Returns the name of one task.

    Raises:
      DataError: no such data set, or it has no task of this kind in this language.
    """
    if data not in DATA_SETS:
        raise DataError(f"there is no data set '{data}'{nearest(data, DATA_SETS)}")
    having = DATA_SETS[data].languages_of(kind)
    if language not in having:
        raise DataError(
            f"{data} has no language '{language}' ({kind}); it has {' '.join(having) or 'none'}"
        )
    return f"{data}_{kind}.{language}"


def train_task(data: str, language: str) -> str:
    """Returns the name of the task that trains on `language`: XQuAD's is SQuAD's."""
    return task(DATA_SETS[data].trained_on if data in DATA_SETS else data, TRAIN, language)


def eval_task(data: str, language: str) -> str:
    """Returns the name of the task that evaluates `language`."""
    return task(data, EVAL, language)


def zeroshot(data: str, source: str = "en") -> str:
    """Returns the mixture that trains on `source` and evaluates every language."""
    train_task(data, source)
    return f"{data}_zeroshot.{source}"


def span_corruption(language: str) -> str:
    """Returns the name of the span-corruption task of `language`."""
    return _text_task(SPAN_CORRUPTION, language)


def no_sentinels(language: str) -> str:
    """Returns the name of the task of `language` that hides spans and asks for the words alone."""
    return _text_task(NO_SENTINELS, language)


def parse(task_name: str) -> TaskName:
    """Splits a task name into data set, kind and language; what follows a colon is left away.

    Raises:
      DataError: not a task of this catalogue.
    """
    stem, _, language = task_name.partition(":")[0].partition(".")
    if stem in TEXT and language in languages.MC4:
        return TaskName(stem, "", language)
    for kind in KINDS:
        data = stem.removesuffix(f"_{kind}")
        if data != stem and data in DATA_SETS and language in DATA_SETS[data].languages_of(kind):
            return TaskName(data, kind, language)
    raise DataError(f"'{task_name}' is not a task of the catalogue{nearest(task_name, names())}")


def labels(task_name: str) -> tuple[str, ...] | None:
    """Returns the closed set of a task's target strings, or None where they are free text.

    Of tasks of the user's own, those that `tasks.own_data` made have the labels given there; others
    count as free text.
    """
    try:
        data_set = DATA_SETS.get(parse(task_name).data)
    except DataError:
        return own_data.labels(task_name.partition(":")[0])
    return data_set.labels if data_set else None


def embedded(task_name: str) -> bool:
    """Returns whether the task is scored on the encoder's vectors and not on texts."""
    try:
        data_set = DATA_SETS.get(parse(task_name).data)
    except DataError:
        return False
    return data_set is not None and data_set.embedded


def main_metric(data: str) -> str:
    """Returns the name of the score that stands for `data`."""
    if data not in DATA_SETS:
        raise DataError(f"'{data}' has no main metric{nearest(data, DATA_SETS)}")
    return DATA_SETS[data].scores.main


def names() -> list[str]:
    """Returns the names of all tasks of the catalogue."""
    found = [f"{text}.{code}" for text in TEXT for code in languages.MC4]
    for data, one in DATA_SETS.items():
        found += [f"{data}_{kind}.{code}" for kind in one.parts for code in one.languages_of(kind)]
    return found


def _text_task(text: str, language: str) -> str:
    if language not in languages.MC4:
        raise DataError(f"{text} has no language '{language}'; it has {' '.join(languages.MC4)}")
    return f"{text}.{language}"
