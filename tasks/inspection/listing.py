"""Everything that is registered, by data set, kind and language, with its size on disk."""

import dataclasses
import re
from collections.abc import Iterable, Sequence

import seqio

from tasks.errors import DataError, nearest
from tasks.inspection import lookup

# The kinds in a task's name, {data}_{kind}.{language}; longer ones first, as they are looked for.
_KINDS = ("translated_train", "train", "eval")
MIXTURE = "mixture"
# A task whose name has no kind is of running text.
TEXT = "text"

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z-]+)?$")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One task or mixture.

    Attributes:
      name: its SeqIO name.
      data: the data set.
      kind: 'train', 'translated_train', 'eval', 'text' or 'mixture'.
      languages: the languages that its name states.
      sizes: rows of each split that is on disk; empty for a mixture.
      at_most: whether the task leaves rows out, so that it has at most so many.
      needs: the TFDS data sets that it reads; those of all its tasks for a mixture.
      tasks: the tasks of a mixture.
    """

    name: str
    data: str
    kind: str
    languages: tuple[str, ...]
    sizes: dict[str, int]
    at_most: bool
    needs: tuple[str, ...]
    tasks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Group:
    """The entries of one data set and kind, in the order of their registration."""

    data: str
    kind: str
    entries: tuple[Entry, ...]

    @property
    def languages(self) -> list[str]:
        """Every language that an entry states, once."""
        return list(dict.fromkeys(code for entry in self.entries for code in entry.languages))


def entries() -> list[Entry]:
    """Returns all tasks and mixtures that are registered now."""
    found = [_of_task(seqio.TaskRegistry.get(name)) for name in seqio.TaskRegistry.names()]
    known = {entry.data for entry in found}
    of_task = {entry.name: entry for entry in found}
    for name in seqio.MixtureRegistry.names():
        found.append(_of_mixture(seqio.MixtureRegistry.get(name), known, of_task))
    return found


def matching(
    among: Sequence[Entry],
    data: str | None = None,
    kind: str | None = None,
    language: str | None = None,
) -> list[Entry]:
    """Returns the entries of a data set, a kind and a language; None is any.

    Raises:
      DataError: nothing has that data set, kind or language, or nothing has all of them.
    """
    wanted = {"data set": data, "kind": kind, "language": language}
    for what, value in wanted.items():
        known = {word for entry in among for word in _words(entry)[what]}
        if value is not None and value not in known:
            listed = "" if len(known) > 60 else f"; there are {' '.join(sorted(known))}"
            near = nearest(value, known) or listed
            raise DataError(f"no task or mixture has the {what} '{value}'{near}")
    chosen = [
        entry
        for entry in among
        if all(value in (None, *_words(entry)[what]) for what, value in wanted.items())
    ]
    if not chosen:
        asked = " and ".join(f"{what} '{value}'" for what, value in wanted.items() if value)
        raise DataError(f"no task or mixture has {asked} together; leave one of them out")
    return chosen


def group(chosen: Iterable[Entry]) -> list[Group]:
    """Returns the entries by data set and kind, data sets in the order of registration."""
    by_key: dict[tuple[str, str], list[Entry]] = {}
    for entry in chosen:
        by_key.setdefault((entry.data, entry.kind), []).append(entry)
    data_sets = list(dict.fromkeys(data for data, _ in by_key))
    keys = sorted(by_key, key=lambda key: data_sets.index(key[0]))
    return [Group(data, kind, tuple(by_key[data, kind])) for data, kind in keys]


def _words(entry: Entry) -> dict[str, tuple[str, ...]]:
    return {"data set": (entry.data,), "kind": (entry.kind,), "language": entry.languages}


def _of_task(task: seqio.Task) -> Entry:
    stem, _, rest = task.name.partition(".")
    data, kind = _data_and_kind(stem)
    return Entry(
        name=task.name,
        data=data,
        kind=kind,
        languages=_languages(rest),
        sizes=lookup.sizes(task),
        at_most=lookup.selects_rows(task),
        needs=lookup.needs(task),
    )


def _of_mixture(mixture: seqio.Mixture, known: set[str], of_task: dict[str, Entry]) -> Entry:
    stem, _, rest = mixture.name.partition(".")
    # 'panx_zeroshot' is of panx; a mixture of several data sets stands for itself.
    begins = [data for data in known if stem == data or stem.startswith(f"{data}_")]
    names = tuple(task.name for task in mixture.tasks)
    parts = [of_task.get(name) or _of_task(seqio.TaskRegistry.get(name)) for name in names]
    return Entry(
        name=mixture.name,
        data=max(begins, key=len, default=_data_and_kind(stem)[0]),
        kind=MIXTURE,
        languages=_languages(rest),
        sizes={},
        at_most=False,
        needs=tuple(dict.fromkeys(name for part in parts for name in part.needs)),
        tasks=names,
    )


def _data_and_kind(stem: str) -> tuple[str, str]:
    for kind in _KINDS:
        if stem.endswith(f"_{kind}"):
            return stem.removesuffix(f"_{kind}"), kind
    return stem, TEXT


def _languages(after_the_point: str) -> tuple[str, ...]:
    words = after_the_point.partition(":")[0].split(".")
    return tuple(word for word in words if _LANGUAGE.match(word))
