"""What an importer is: file names that it claims, and the splits that it plans from them.

An importer says by patterns over paths which files are its own, whatever folder they lie in, and
plans for each split of each data set a reader of rows. Readers run later, one after another, and
stream: `run.py` finds the files, and writes all that was planned, or nothing.

    IMPORTER = Importer(
        name="PAWS-X",
        patterns=(r"paws_x/(?P<split>train|dev|test)-(?P<language>[a-z]+)\\.tsv",),
        layout=("paws_x/{train,dev,test}-LANGUAGE.tsv      id, sentence1, sentence2, label",),
        plan=_plan,
    )
"""

import collections
import dataclasses
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.errors import DataError

Rows = Iterable[Mapping[str, Any]]

# What distributions call their splits, and what TFDS calls them.
SPLITS = {
    "train": "train",
    "dev": "validation",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


class Reading:
    """What readers tell while they read: bytes, for the progress bar, and rows they leave out.

    It is called with the number of bytes read since the last call, as `checked.lines` does.

    Attributes:
      left_out: (file, reason) to number of rows that are left out for this reason on purpose, as
        every user of the data set does; what is wrong is an error, and never left out.
    """

    def __init__(self, progress: Callable[[int], object] = lambda count: None):
        self._progress = progress
        self.left_out: collections.Counter[tuple[Path, str]] = collections.Counter()

    def __call__(self, num_bytes: int) -> None:
        """Tells of bytes that were read."""
        self._progress(num_bytes)

    def leave_out(self, path: Path, reason: str) -> None:
        """Counts one row that is left out."""
        self.left_out[path, reason] += 1


Reader = Callable[[Reading], Rows]


@dataclasses.dataclass(frozen=True)
class Match:
    """A file that an importer claims.

    Attributes:
      path: where it is.
      pattern: which of the importer's patterns its path matches, counted from 0.
      fields: the named groups of that pattern; a group that took no part is ''.
    """

    path: Path
    pattern: int
    fields: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.fields[name]

    @property
    def split(self) -> str:
        """TFDS's name of the split that the pattern's group `split` names."""
        return SPLITS[self.fields["split"]]


@dataclasses.dataclass
class Plan:
    """What an import will write.

    Attributes:
      datasets: TFDS name ('wikiann/sw:1.0.0') to split to the reader of its rows.
      files: the files that will be read, as often as they will be.
      left_out: files that will not be read, and why.
      missing: sentences that say which splits no file was found for.
    """

    datasets: dict[str, dict[str, Reader]] = dataclasses.field(default_factory=dict)
    files: list[Path] = dataclasses.field(default_factory=list)
    left_out: dict[Path, str] = dataclasses.field(default_factory=dict)
    missing: list[str] = dataclasses.field(default_factory=list)
    _origins: dict[tuple[str, str], tuple[Path, ...]] = dataclasses.field(default_factory=dict)

    @property
    def num_bytes(self) -> int:
        """Size of what will be read; a file that is read twice counts twice."""
        return sum(path.stat().st_size for path in self.files)

    def add(self, name: str, split: str, files: Iterable[Path], read: Reader) -> None:
        """Plans one split of one data set; an importer that joins files names them all here.

        Raises:
          DataError: other files claimed this split before.
        """
        files = tuple(files)
        if earlier := self._origins.get((name, split)):
            raise DataError(
                f"{earlier[0]} and {files[0]} both hold the split '{split}' of {name}; "
                "give only one of them"
            )
        self._origins[name, split] = files
        self.datasets.setdefault(name, {})[split] = read
        self.files.extend(files)

    def leave_out(self, path: Path, reason: str) -> None:
        """Notes a file that will not be read; the command prints it with the reason."""
        self.left_out[path] = reason

    def note_missing(self, what: str, wanted: Iterable[str], have: Collection[str]) -> None:
        """Notes which of the wanted splits or languages of a data set no file was found for."""
        if absent := [item for item in wanted if item not in have]:
            self.missing.append(f"{what}: no file for {' '.join(absent)}")


@dataclasses.dataclass(frozen=True)
class Importer:
    """How the files of one family of data sets are known and read.

    Attributes:
      name: what people call the data, 'XNLI and MNLI'.
      patterns: regular expressions of path ends. One matches whole parts of a path:
        'xnli/dev[.]tsv' claims 'data/xnli/dev.tsv' and 'xnli/dev.tsv', not 'my-xnli/dev.tsv'.
        The first that matches counts, so put the form that is to be preferred first.
      layout: lines for `mt5x import-data --help`: path, two spaces or more, what is in it.
      plan: told of all files that it claims, in the order of their paths; adds to the plan.
    """

    name: str
    patterns: tuple[str, ...]
    layout: tuple[str, ...]
    plan: Callable[[Sequence[Match], Plan], None]

    def claim(self, path: Path, relative: str) -> Match | None:
        """Returns the match of a file, whose path below SRC is given with '/' between parts."""
        for number, pattern in enumerate(self.patterns):
            if match := re.fullmatch(f"(?:.*/)?(?:{pattern})", relative):
                return Match(path, number, match.groupdict(default=""))
        return None


def unique_by(
    matches: Iterable[Match], key: Callable[[Match], Hashable], what: str
) -> dict[Any, Match]:
    """Returns the matches under their keys.

    Raises:
      DataError: two files have one key; `what` says what they hold, 'the Hindi dev split'.
    """
    found: dict[Any, Match] = {}
    for match in matches:
        earlier = found.setdefault(key(match), match)
        if earlier is not match:
            raise DataError(
                f"{earlier.path} and {match.path} both hold {what}; give only one of them"
            )
    return found


def by_split_and_language(
    matches: Iterable[Match], known: Collection[str], name: str
) -> dict[str, dict[str, Match]]:
    """Returns TFDS split to language to file, from the groups `split` and `language`.

    Raises:
      DataError: a language that is none of the data set's, or two files of one split and language.
    """
    grouped: dict[str, dict[str, Match]] = {}
    for match in matches:
        code = match["language"]
        check_language(match, known)
        earlier = grouped.setdefault(match.split, {}).setdefault(code, match)
        if earlier is not match:
            raise DataError(
                f"{earlier.path} and {match.path} both hold the split '{match.split}' of {name} "
                f"in '{code}'; give only one of them"
            )
    return grouped


def check_language(match: Match, known: Collection[str]) -> None:
    """Raises DataError where the group `language` is not one of those known."""
    if match["language"] not in known:
        raise DataError(
            f"{match.path}: '{match['language']}' is not a language of this data set; it has "
            f"{' '.join(known) if len(known) < 50 else f'{len(known)} others'}"
        )


def prefer(matches: Sequence[Match], plan: Plan, key: Callable[[Match], Hashable]) -> list[Match]:
    """Of files in one folder that hold the same rows in several forms, keeps the preferred form.

    Distributions give the same rows as .jsonl and as .txt, say. Of the matches of one folder with
    one key, the one of the earliest pattern is kept; the others are noted as left out.
    """
    best: dict[tuple[Path, Hashable], Match] = {}
    for match in sorted(matches, key=lambda match: match.pattern):
        kept = best.setdefault((match.path.parent, key(match)), match)
        if kept is not match:
            plan.leave_out(match.path, f"the same rows as {kept.path.name}, which is read")
    return sorted(best.values(), key=lambda match: match.path)
