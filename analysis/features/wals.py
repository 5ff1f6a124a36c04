"""WALS chapters grouped by area, from a CLDF release that the user names.

A release (Dryer and Haspelmath, wals.info; github.com/cldf-datasets/wals, folder cldf) is a folder
of CSV files: languages, parameters, chapters, areas and values. The similarity of two languages in
an area is the share of the area's parameters with one value among those that both have a value of.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from analysis.features.pair_feature import PairFeature
from analysis.pairs import PairMatrix
from mt5x.errors import UserError
from tasks import languages as table

FEWEST_SHARED = 3
"""A share of fewer parameters than this is taken as unknown."""

_COLUMNS = {
    "areas": ("ID", "Name"),
    "chapters": ("ID", "Area_ID"),
    "parameters": ("ID", "Name"),
    "languages": ("ID", "ISO639P3code"),
    "values": ("Language_ID", "Parameter_ID", "Value"),
}

Rows = list[dict[str, str]]


def chapters(folder: Path, languages: Sequence[str]) -> list[PairFeature]:
    """Returns a feature for each area of WALS that some pair has enough parameters of.

    Args:
      folder: a CLDF release, or the folder that holds its 'cldf'.
      languages: of the pairs.

    Raises:
      UserError: a file or column of the release is missing, or a value is of an unknown parameter.
    """
    folder = folder / "cldf" if (folder / "cldf").is_dir() else folder
    files = {name: _rows(folder / f"{name}.csv", columns) for name, columns in _COLUMNS.items()}
    area_of = _areas(folder, files)
    values = _values(files, languages)
    by_area: dict[str, set[str]] = defaultdict(set)
    for parameter, area in area_of.items():
        by_area[area].add(parameter)
    unknown = {one for of in values.values() for one in of} - area_of.keys()
    if unknown:
        raise UserError(
            f"{folder / 'values.csv'} has values of {min(unknown)}, which is in no chapter of "
            f"{folder / 'parameters.csv'}"
        )
    found = [_feature(area, by_area[area], values, languages) for area in by_area]
    return [feature for feature in found if feature.known()]


def _feature(
    area: str,
    parameters: set[str],
    values: dict[str, dict[str, str]],
    languages: Sequence[str],
) -> PairFeature:
    shared, same = {}, {}
    for source in values:
        for target in values:
            both = [one for one in parameters if one in values[source] and one in values[target]]
            shared[source, target] = float(len(both))
            if len(both) >= FEWEST_SHARED:
                equal = sum(values[source][one] == values[target][one] for one in both)
                same[source, target] = equal / len(both)
    name = area.lower()
    return PairFeature(
        key=f"wals_{re.sub(r'[^a-z]+', '_', name).strip('_')}",
        label=f"WALS: {area}",
        noun=f"similar {name}",
        group="typology",
        description=f"share of WALS's parameters of {name} with one value, among those that both "
        "languages have",
        values=PairMatrix.from_mapping(languages, same),
        shared=PairMatrix.from_mapping(languages, shared),
    )


def _areas(folder: Path, files: dict[str, Rows]) -> dict[str, str]:
    """Returns parameter -> name of its area: of the chapter '81' that '81A' is of."""
    names = {row["ID"]: row["Name"] for row in files["areas"]}
    area_of_chapter = {row["ID"]: names.get(row["Area_ID"], "") for row in files["chapters"]}
    found = {}
    for row in files["parameters"]:
        chapter = row.get("Chapter_ID") or re.sub(r"[A-Z]+$", "", row["ID"])
        if area := area_of_chapter.get(chapter):
            found[row["ID"]] = area
    if not found:
        raise UserError(f"no parameter of {folder / 'parameters.csv'} is of a chapter with an area")
    return found


def _values(files: dict[str, Rows], languages: Sequence[str]) -> dict[str, dict[str, str]]:
    """Returns language -> parameter -> value: of its WALS language with the most values."""
    known = table.table()
    codes = {known[code].iso639_3: code for code in languages if code in known}
    ours: dict[str, str] = {}
    for row in files["languages"]:
        for iso in (row["ISO639P3code"], *(row.get("ISO_codes") or "").split()):
            if iso in codes:
                ours[row["ID"]] = codes[iso]
    by_theirs: dict[str, dict[str, str]] = defaultdict(dict)
    for row in files["values"]:
        if row["Language_ID"] in ours:
            by_theirs[row["Language_ID"]][row["Parameter_ID"]] = row["Value"]
    found: dict[str, dict[str, str]] = {}
    for theirs, values in by_theirs.items():
        code = ours[theirs]
        if len(values) > len(found.get(code, {})):
            found[code] = values
    return found


def _rows(path: Path, columns: Sequence[str]) -> Rows:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = list(reader)
            there = reader.fieldnames or []
    except OSError as error:
        raise UserError(
            f"{path} of the WALS release cannot be read: {error.strerror}; --wals is the folder of "
            "a CLDF release with languages.csv, parameters.csv, chapters.csv, areas.csv, values.csv"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} of the WALS release is no table: {error}") from error
    for column in columns:
        if column not in there:
            raise UserError(f"{path} of the WALS release has no column {column}")
    return rows
