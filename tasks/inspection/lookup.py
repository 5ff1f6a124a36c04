"""From a name to the SeqIO task or mixture, and from that to where its rows come from."""

import inspect
import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import seqio

from tasks import formats
from tasks.errors import DataError, nearest

Provider: TypeAlias = seqio.Task | seqio.Mixture

# Preprocessors that keep some of the rows that the metadata count, and how many each of the others
# makes of a row, where that is not one.
_SELECTING = (formats.ids_that_begin_with, formats.one_language, formats.intermediate_nli)
_ROWS_OF_A_ROW = {formats.aligned_pairs: 2, formats.gold_pairs: 2}


def find(name: str) -> Provider:
    """Returns the task or mixture of this name, those made on demand included.

    Raises:
      DataError: there is none; the nearest names are offered.
    """
    try:
        return seqio.get_mixture_or_task(name)
    except ValueError as error:
        near = nearest(name, registered_names()) or "; `mt5x tasks` lists what there is"
        raise DataError(f"no task or mixture is named '{name}'{near}") from error


def registered_names() -> list[str]:
    """Returns the names of all tasks, then of all mixtures, as they were registered."""
    return [*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()]


def tasks_of(provider: Provider, split: str | None = None) -> list[seqio.Task]:
    """Returns the task itself, or the mixture's tasks; only those with `split` if one is given."""
    tasks = [provider] if isinstance(provider, seqio.Task) else provider.tasks
    return [task for task in tasks if split is None or split in task.splits]


def splits_of(provider: Provider) -> list[str]:
    """Returns the splits, train first and then in the order of the alphabet reversed."""
    found = {split for task in tasks_of(provider) for split in task.splits}
    return sorted(found, key=lambda split: (split != "train", split != "validation", split))


def sources_of(task: seqio.Task) -> list[Any]:
    """Returns the task's source and, where that wraps or joins others, those within it."""
    return list(_within(task.source))


def needs(task: seqio.Task) -> tuple[str, ...]:
    """Returns the TFDS data sets that the task reads; () where it reads something else."""
    names = (getattr(source, "_tfds_dataset", None) for source in sources_of(task))
    return tuple(dict.fromkeys(loader.name for loader in names if loader is not None))


def describe_source(task: seqio.Task, split: str) -> str:
    """Returns in words where the rows of a split come from: data set and its split, or files."""
    found = []
    for source in sources_of(task):
        loader = getattr(source, "_tfds_dataset", None)
        if loader is not None:
            stored = (getattr(source, "_stored_as", None) or {}).get(split, split)
            found.append(f"{loader.name}, split {stored}")
        elif isinstance(source, seqio.FileDataSource):
            found.append(f"files {source._split_to_filepattern.get(split)}")
    return "; ".join(dict.fromkeys(found)) or repr(task.source)


def sizes(task: seqio.Task) -> dict[str, int]:
    """Returns the examples of each split that is on disk; reads and downloads nothing.

    They follow from the metadata. A split that is not there, or whose rows nobody counted, is left
    out.
    """
    each = math.prod(_ROWS_OF_A_ROW.get(_function(step), 1) for step in _steps(task))
    found = {}
    for split in _on_disk(task):
        count = task.source.num_input_examples(split)
        if count is not None:
            found[split] = each * int(count)
    return found


def selects_rows(task: seqio.Task) -> bool:
    """Returns whether the task leaves rows out, so that its size is at most its metadata's."""
    return any(_function(step) in _SELECTING for step in _steps(task))


def fills_rows(task: seqio.Task) -> bool:
    """Returns whether the task cuts its text to the lengths it is given, as span corruption does.

    Such a task has no lengths of its own: SeqIO tells a preprocessor the lengths if it asks.
    """
    return any(
        "sequence_length" in inspect.signature(step).parameters
        and _function(step)
        not in (seqio.preprocessors.append_eos_after_trim, seqio.preprocessors.append_eos)
        for step in _steps(task)
        if not isinstance(step, seqio.CacheDatasetPlaceholder)
    )


def shares(provider: Provider, split: str) -> dict[str, float]:
    """Returns the share of a batch's examples that comes from each task; they add up to 1.

    Raises:
      DataError: a rate follows the number of examples of a data set that is not there.
    """
    tasks = tasks_of(provider, split)
    if isinstance(provider, seqio.Task):
        return {task.name: 1.0 for task in tasks}
    rates = {task.name: float(provider.get_rate(task)) for task in tasks}
    total = sum(rates.values())
    return {name: rate / total for name, rate in rates.items()}


def _on_disk(task: seqio.Task) -> tuple[str, ...]:
    available = getattr(task.source, "available_splits", None)
    return tuple(task.splits) if available is None else tuple(available())


def _steps(task: seqio.Task) -> tuple[Any, ...]:
    return tuple(task._preprocessor_constructor_args)


def _function(step: Any) -> Any:
    """Returns the function inside a `functools.partial`, or the function itself."""
    while hasattr(step, "func"):
        step = step.func
    return step


def _within(source: Any) -> Iterator[Any]:
    yield source
    for value in vars(source).values():
        for inner in value if isinstance(value, list | tuple) else (value,):
            if isinstance(inner, seqio.DataSource):
                yield from _within(inner)
