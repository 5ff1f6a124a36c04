"""Finds the benchmarks' files in a folder and writes all of them as TFDS data sets, or nothing."""

import dataclasses
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks import languages, tfds_writer
from tasks.errors import DataError
from tasks.importers import nli, panx, pawsx, tydiqa
from tasks.importers.checked import Progress, Unique

_SPLIT_NAMES = {"train": "train", "dev": "validation", "test": "test"}
_FILE_NAME = re.compile(r"(?P<split>train|dev|test)-(?P<language>[a-z-]+)\.(tsv|json)$")
_MNLI_NAME = re.compile(r"(?P<split>train|validation_matched|validation_mismatched)\b.*\.tsv$")

Rows = Iterable[Mapping[str, Any]]


@dataclasses.dataclass
class Plan:
    """What an import will write.

    Attributes:
      datasets: official name to split to a function that reads its rows.
      files: the files that will be read.
      left_out: files in the folders whose names say nothing to the importer.
      missing: sentences that say which splits no file was found for.
    """

    datasets: dict[str, dict[str, Callable[[Progress], Rows]]] = dataclasses.field(
        default_factory=dict
    )
    files: list[Path] = dataclasses.field(default_factory=list)
    left_out: list[Path] = dataclasses.field(default_factory=list)
    missing: list[str] = dataclasses.field(default_factory=list)

    @property
    def num_bytes(self) -> int:
        """Size of all files, the TyDiQA dev files counted twice since they are read twice."""
        return sum(path.stat().st_size for path in self.files)

    def add(self, name: str, split: str, files: Iterable[Path], read: Callable) -> None:
        """Plans one split of one data set."""
        self.datasets.setdefault(name, {})[split] = read
        self.files.extend(files)


def plan(source: Path) -> Plan:
    """Finds what there is to import below `source`: xnli, mnli, panx, tydiqa_goldp, paws_x.

    Raises:
      DataError: none of the folders is there, or a file is of a language that is not the data
        set's.
    """
    planners = {
        "xnli": _plan_xnli,
        "mnli": _plan_mnli,
        "panx": _plan_panx,
        "tydiqa_goldp": _plan_tydiqa,
        "paws_x": _plan_pawsx,
    }
    found = Plan()
    for folder, planner in planners.items():
        if (source / folder).is_dir():
            planner(source / folder, found)
    if not found.datasets:
        raise DataError(
            f"nothing to import in {source}: expected at least one of the folders "
            f"{', '.join(planners)} with files such as panx/train-en.tsv"
        )
    return found


def write(
    planned: Plan, out: Path, progress: Progress = lambda count: None
) -> dict[str, dict[str, int]]:
    """Reads, checks and writes everything that was planned; at the first error, nothing.

    Data sets of the same names that were in `out` are replaced.

    Returns:
      Official name to split to number of examples.

    Raises:
      DataError: a malformed file.
    """
    existed = out.is_dir()
    out.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="incomplete.import.", dir=out))
    counts: dict[str, dict[str, int]] = {}
    try:
        for name, splits in planned.datasets.items():
            tally = counts[name] = dict.fromkeys(splits, 0)
            tfds_writer.write_dataset(
                name,
                {split: _counted(read(progress), tally, split) for split, read in splits.items()},
                scratch,
            )
        for name in planned.datasets:
            tfds_writer.move_dataset(name, scratch, out)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        if not existed:
            shutil.rmtree(out, ignore_errors=True)
        raise
    shutil.rmtree(scratch, ignore_errors=True)
    return counts


def _counted(rows: Rows, tally: dict[str, int], split: str) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        tally[split] += 1
        yield row


def _language_files(
    folder: Path, known: tuple[str, ...], suffix: str, found: Plan
) -> dict[str, dict[str, Path]]:
    """Returns TFDS split to language to file of a folder, and notes what is left out."""
    files: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.iterdir()):
        match = _FILE_NAME.match(path.name)
        if not match or path.suffix != suffix:
            found.left_out.append(path)
            continue
        if match["language"] not in known:
            raise DataError(
                f"{path}: '{match['language']}' is not a language of this data set; it has "
                f"{' '.join(known) if len(known) < 50 else 'the languages of wikiann'}"
            )
        files.setdefault(_SPLIT_NAMES[match["split"]], {})[match["language"]] = path
    return files


def _note_missing(found: Plan, name: str, wanted: Iterable[str], have: Iterable[str]) -> None:
    if absent := [item for item in wanted if item not in have]:
        found.missing.append(f"{name}: no file for {' '.join(absent)}")


def _plan_xnli(folder: Path, found: Plan) -> None:
    files = _language_files(folder, languages.XNLI, ".tsv", found)
    for split, by_language in files.items():
        if split == "train":
            english = by_language.pop("en", None)
            if english:
                found.add("multi_nli:1.1.0", "train", [english], _nli_train(english))
        if by_language:
            name = "xtreme_xnli:1.1.0" if split == "train" else "xnli:1.1.0"
            found.add(
                name,
                split,
                by_language.values(),
                lambda progress, chosen=by_language: nli.parallel_rows(chosen, progress),
            )
            _note_missing(
                found,
                f"{name} {split}",
                (code for code in languages.XNLI if code != "en" or split != "train"),
                by_language,
            )
    _note_missing(found, "xnli:1.1.0", ("validation", "test"), files)
    if "train" not in files:
        found.missing.append(
            "multi_nli:1.1.0 and xtreme_xnli:1.1.0: no file for train, so XNLI can be evaluated "
            "but not trained on"
        )


def _nli_train(path: Path) -> Callable[[Progress], Rows]:
    return lambda progress: (row for _, row in nli.plain_rows(path, progress))


def _plan_mnli(folder: Path, found: Plan) -> None:
    for path in sorted(folder.iterdir()):
        match = _MNLI_NAME.match(path.name)
        if not match:
            found.left_out.append(path)
            continue
        found.add(
            "multi_nli:1.1.0",
            match["split"],
            [path],
            lambda progress, path=path: nli.indexed_rows(path, progress),
        )


def _plan_panx(folder: Path, found: Plan) -> None:
    files = _language_files(folder, languages.WIKIANN, ".tsv", found)
    for split, by_language in files.items():
        for code, path in by_language.items():
            found.add(
                f"wikiann/{code}:1.0.0",
                split,
                [path],
                lambda progress, code=code, path=path: panx.rows(path, code, progress),
            )
    _note_missing(found, "wikiann", ("train", "validation", "test"), files)


def _plan_tydiqa(folder: Path, found: Plan) -> None:
    name = "tydi_qa/goldp:3.0.0"
    files = _language_files(folder, languages.TYDIQA, ".json", found)
    for split, by_language in files.items():
        if split == "test":
            found.left_out.extend(by_language.values())
            continue
        found.add(name, split, by_language.values(), _tydiqa_rows(by_language))
        if split == "validation":
            for code, path in by_language.items():
                found.add(name, f"validation-{code}", [path], _tydiqa_rows({code: path}))
        _note_missing(found, f"{name} {split}", languages.TYDIQA, by_language)
    _note_missing(found, name, ("train", "validation"), files)


def _tydiqa_rows(by_language: Mapping[str, Path]) -> Callable[[Progress], Rows]:
    def read(progress: Progress) -> Rows:
        unique = Unique()
        for code, path in by_language.items():
            yield from tydiqa.rows(path, code, unique, progress)

    return read


def _plan_pawsx(folder: Path, found: Plan) -> None:
    files = _language_files(folder, languages.PAWSX, ".tsv", found)
    for split, by_language in files.items():
        for code, path in by_language.items():
            found.add(
                f"paws_x_wiki/{code}:1.0.0",
                split,
                [path],
                lambda progress, path=path: pawsx.rows(path, progress),
            )
    _note_missing(found, "paws_x_wiki", ("train", "validation", "test"), files)
