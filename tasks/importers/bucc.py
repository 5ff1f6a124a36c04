"""BUCC 2018: two monolingual texts in which some sentences are translations of each other.

`zh-en.dev.zh`, `zh-en.dev.en` and `zh-en.dev.gold` hold `id TAB sentence`, the same in English, and
`id TAB id of its translation`. They become bucc/bucc_zh, the gold pairs alone, as TFDS has them,
and bucc_mining/zh, all sentences, among which the pairs must be found. As in XTREME and TFDS,
BUCC's `sample` is validation (XTREME: `dev`) and its `training` is test, since the gold pairs of
its own test set are not public.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks import languages
from tasks.importers import checked
from tasks.importers.base import Importer, Match, Plan, Reading, check_language, unique_by
from tasks.tfds_schemas import SCHEMAS

_SPLITS = {"sample": "validation", "dev": "validation", "training": "test", "test": "test"}
_GOLD = "gold"

Texts = dict[str, str]
Pairs = dict[str, str]


def sentences(path: Path, reading: Reading) -> Texts:
    """Returns id to sentence of one text.

    Raises:
      DataError: a line of other than two columns, an empty column, an id that comes twice.
    """
    found: Texts = {}
    unique = checked.Unique()
    for number, (identifier, sentence) in _lines(path, reading, "an id, a tab and a sentence"):
        unique.add(path, number, identifier)
        found[identifier] = sentence
    return found


def pairs(path: Path, source: Texts, target: Texts, reading: Reading) -> Pairs:
    """Returns the id of a source sentence to that of its translation.

    Raises:
      DataError: an id that no sentence has, or a sentence that has two partners.
    """
    found: Pairs = {}
    unique = checked.Unique()
    for number, (left, right) in _lines(path, reading, "an id, a tab and the id of its partner"):
        for identifier, texts in ((left, source), (right, target)):
            if identifier not in texts:
                checked.fail(path, number, f"there is no sentence with the id '{identifier}'")
            unique.add(path, number, identifier)
        found[left] = right
    return found


def gold_rows(files: Mapping[str, Path], language: str, reading: Reading) -> Iterator[dict]:
    """Yields the gold pairs, as TFDS's bucc."""
    source, target, gold = _read(files, language, reading)
    for left, right in gold.items():
        yield {
            "source_sentence": source[left],
            "target_sentence": target[right],
            "source_id": left,
            "target_id": right,
        }


def mining_rows(files: Mapping[str, Path], language: str, reading: Reading) -> Iterator[dict]:
    """Yields every sentence, first those of the language, then the English ones."""
    source, target, gold = _read(files, language, reading)
    backwards = {right: left for left, right in gold.items()}
    for side, texts, partner in (("source", source, gold), ("target", target, backwards)):
        for identifier, sentence in texts.items():
            yield {
                "id": identifier,
                "side": side,
                "sentence": sentence,
                "pair": partner.get(identifier, ""),
            }


def _read(files: Mapping[str, Path], language: str, reading: Reading) -> tuple[Texts, Texts, Pairs]:
    source, target = sentences(files[language], reading), sentences(files["en"], reading)
    if both := sorted(source.keys() & target.keys()):
        checked.fail(files["en"], 1, f"the id '{both[0]}' is in {files[language].name}, too")
    return source, target, pairs(files[_GOLD], source, target, reading)


def _lines(path: Path, reading: Reading, expected: str) -> Iterator[tuple[int, list[Any]]]:
    for number, line in checked.lines(path, reading):
        fields = line.split("\t")
        if len(fields) != 2:
            checked.fail(path, number, f"expected {expected}, found {len(fields)} columns")
        for position, field in enumerate(fields, 1):
            if not field.strip():
                checked.fail(path, number, f"column {position} is empty; expected {expected}")
        yield number, fields


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    (official,), (mining,) = SCHEMAS["bucc"], SCHEMAS["bucc_mining"]
    groups: dict[tuple[str, str], list[Match]] = {}
    for match in matches:
        check_language(match, languages.BUCC)
        groups.setdefault((match["language"], match["split"]), []).append(match)
    planned = set()
    for (language, part), group in groups.items():
        found = unique_by(group, lambda match: match["side"], f"one side of {language}-en.{part}")
        files = {side: match.path for side, match in found.items()}
        if absent := [side for side in (language, "en", _GOLD) if side not in files]:
            for path in files.values():
                plan.leave_out(path, f"there is no {language}-en.{part}.{absent[0]} beside it")
            continue
        split = _SPLITS[part]
        for name, read in (
            (f"bucc/bucc_{language}:{official.version}", gold_rows),
            (f"bucc_mining/{language}:{mining.version}", mining_rows),
        ):
            plan.add(
                name,
                split,
                files.values(),
                functools.partial(read, files, language),
            )
        planned.add(f"{language} {split}")
    wanted = [f"{code} {split}" for code in languages.BUCC for split in mining.splits]
    plan.note_missing("bucc", wanted, planned)


IMPORTER = Importer(
    name="BUCC",
    patterns=(
        r"(?P<language>[a-z]{2})-en\.(?P<split>sample|dev|training|test)\."
        r"(?P<side>(?P=language)|en|gold)",
    ),
    layout=("zh-en.{sample,dev,training,test}.{zh,en,gold}  BUCC 2018, or XTREME's names for it",),
    plan=_plan,
)
