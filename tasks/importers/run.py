"""Finds the benchmarks' files in a folder and writes all of them as TFDS data sets, or nothing."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks import tfds_schemas, tfds_writer
from tasks.errors import DataError
from tasks.importers import (
    advglue,
    bucc,
    ccg,
    cosmosqa,
    csqa,
    hellaswag,
    mc4,
    mlqa,
    nli,
    panx,
    pawsx,
    qqp,
    squad,
    tatoeba,
    tydiqa,
    udpos,
    xcopa,
    xnli,
    xquad,
)
from tasks.importers.base import Importer, Match, Plan, Reading

# In the order in which they plan; MultiNLI, on which XNLI is trained, before XNLI.
IMPORTERS: tuple[Importer, ...] = (
    nli.IMPORTER,
    xnli.IMPORTER,
    pawsx.IMPORTER,
    qqp.IMPORTER,
    advglue.IMPORTER,
    panx.IMPORTER,
    udpos.IMPORTER,
    ccg.IMPORTER,
    tydiqa.IMPORTER,
    xquad.IMPORTER,
    mlqa.IMPORTER,
    squad.IMPORTER,
    hellaswag.IMPORTER,
    cosmosqa.IMPORTER,
    csqa.IMPORTER,
    xcopa.IMPORTER,
    tatoeba.IMPORTER,
    bucc.IMPORTER,
    mc4.IMPORTER,
)

_PACKED = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".gz", ".bz2", ".xz", ".7z")
UNKNOWN = "its name and folder say nothing to the importer"


def plan(source: Path) -> Plan:
    """Finds what there is to import below `source`, in whatever folders.

    The name of `source` itself counts as a folder, so that `plan(Path("downloads/panx"))` finds
    `panx/dev-sw.tsv` too. Hidden files are passed over, and macOS's `__MACOSX`.

    Raises:
      DataError: nothing is there, or two files hold the same split.
    """
    found = Plan()
    claimed: dict[str, list[Match]] = {importer.name: [] for importer in IMPORTERS}
    for path in _files(source):
        relative = (Path(source.resolve().name) / path.relative_to(source)).as_posix()
        claims = [(i, match) for i in IMPORTERS if (match := i.claim(path, relative))]
        if len(claims) > 1:
            names = " and ".join(importer.name for importer, _ in claims)
            raise DataError(f"{path} may be of {names}; put it in a folder of the right one's name")
        for importer, match in claims:
            claimed[importer.name].append(match)
        if not claims:
            packed = path.name.endswith(_PACKED)
            found.leave_out(path, "it is packed; unpack it first" if packed else UNKNOWN)
    for importer in IMPORTERS:
        if claimed[importer.name]:
            importer.plan(claimed[importer.name], found)
    if not found.datasets:
        _fail_for_nothing(source, found)
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Yields the files below a folder in the order of their names, links followed once each."""
    seen = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n != "__MACOSX")
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


def _fail_for_nothing(source: Path, found: Plan) -> None:
    """Raises the error of a folder in which no importer found anything to read."""
    packed = [path for path, reason in found.left_out.items() if reason != UNKNOWN]
    if packed:
        raise DataError(f"nothing to import in {source}: {packed[0]}: {found.left_out[packed[0]]}")
    raise DataError(
        f"nothing to import in {source}: expected files such as panx/train-en.tsv or "
        "XNLI-1.0/xnli.dev.tsv; `mt5x import-data --help` lists them"
    )


def write(planned: Plan, out: Path, reading: Reading | None = None) -> dict[str, dict[str, int]]:
    """Reads, checks and writes everything that was planned; at the first error, nothing.

    Data sets of the same names that were in `out` are replaced, unless a split would be lost.

    Args:
      planned: what to write.
      out: the TFDS data directory.
      reading: told of progress and of the rows that are left out; pass one to ask it afterwards.

    Returns:
      TFDS name to split to number of examples.

    Raises:
      DataError: a malformed file, or a data set in `out` has a split that the plan has not.
    """
    _check_nothing_is_lost(planned, out)
    reading = reading or Reading()
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    out.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix="incomplete.import.", dir=out))
    counts: dict[str, dict[str, int]] = {}
    try:
        for name, splits in planned.datasets.items():
            tally = counts[name] = dict.fromkeys(splits, 0)
            tfds_writer.write_dataset(
                name,
                {split: _counted(read(reading), tally, split) for split, read in splits.items()},
                scratch,
            )
        for name in planned.datasets:
            tfds_writer.move_dataset(name, scratch, out)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        if made:
            shutil.rmtree(out, ignore_errors=True)
        for folder in made[1:]:
            # Another program may have put something there since.
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise
    shutil.rmtree(scratch, ignore_errors=True)
    return counts


def _check_nothing_is_lost(planned: Plan, out: Path) -> None:
    for name, splits in planned.datasets.items():
        if lost := [split for split in _stored_splits(name, out) if split not in splits]:
            raise DataError(
                f"{name} in {out} has the splits {', '.join(lost)}, which these files do not give; "
                "import all files of a data set at once, or into another folder"
            )


def _stored_splits(name: str, out: Path) -> list[str]:
    """Returns the splits of the data set that is stored under the name, if one is."""
    dataset, config, version = tfds_schemas.parse(name)
    info = out / dataset / (config or "") / version / "dataset_info.json"
    if not info.is_file():
        return []
    return [split["name"] for split in json.loads(info.read_text("utf-8")).get("splits", [])]


def _counted(
    rows: Iterable[Mapping[str, Any]], tally: dict[str, int], split: str
) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        tally[split] += 1
        yield row
