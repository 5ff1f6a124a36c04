"""TyDiQA-GoldP: SQuAD's JSON, one file a language or all in one; an id begins with the language.

The original files `tydiqa-goldp-v1.1-{train,dev}.json` hold all languages and become train and
validation of tydi_qa/goldp; `tydiqa-goldp-dev-finnish.json` becomes validation-fi. Where one of
the two is not there, it is made from the other. `tydiqa_goldp/{train,dev}-fi.json` are the same by
language code, and XTREME's translations of the English training set become translate-train-fi.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks import languages
from tasks.importers import squad
from tasks.importers.base import (
    Importer,
    Match,
    Plan,
    Reader,
    Reading,
    Rows,
    check_language,
    unique_by,
)

NAME = "tydi_qa/goldp:3.0.0"

_CODES = {name: code for code, name in languages.TYDIQA_NAMES.items()}
_BY_CODE, _WHOLE, _BY_NAME, _TRANSLATED, _CUT = range(5)


def prefix(language: str) -> str:
    """Returns what the ids of a language begin with: 'finnish-'."""
    return languages.TYDIQA_NAMES[language] + "-"


def languages_in(path: Path) -> list[str]:
    """Returns the codes of the languages whose ids a file has, without reading it as JSON."""
    found = re.findall(rb'"id"\s*:\s*"([a-z]+)-', path.read_bytes())
    names = {name.decode("ascii") for name in set(found)}
    return sorted(_CODES[name] for name in names if name in _CODES)


def _joined(by_language: Mapping[str, Path]) -> Reader:
    """A reader of several files of one language each."""

    def read(reading: Reading) -> Rows:
        ids = squad.Ids()
        for code, path in by_language.items():
            yield from squad.rows(path, reading, ids, prefix(code))

    return read


def _one_of_all(path: Path, code: str) -> Reader:
    """A reader of one language of a file of all."""
    return lambda reading: (
        row for row in squad.rows(path, reading) if row["id"].startswith(prefix(code))
    )


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    by_pattern: dict[int, list[Match]] = {number: [] for number in range(5)}
    for match in matches:
        by_pattern[match.pattern].append(match)
    for match in by_pattern[_CUT]:
        plan.leave_out(
            match.path, "XTREME's script cut its ids or answers; give the file of TyDiQA itself"
        )
    whole = unique_by(by_pattern[_WHOLE], lambda match: match.split, f"one split of {NAME}")
    parts = unique_by(
        [*by_pattern[_BY_CODE], *by_pattern[_BY_NAME]],
        lambda match: (match.split, _language(match)),
        f"one language's split of {NAME}",
    )
    for split in ("train", "validation"):
        files = {code: match.path for (of, code), match in sorted(parts.items()) if of == split}
        _plan_split(split, whole.get(split), files, plan)
        if files and split not in whole:
            plan.note_missing(f"{NAME} {split}", languages.TYDIQA, files)
    for match in by_pattern[_TRANSLATED]:
        check_language(match, [code for code in languages.TYDIQA if code != "en"])
        plan.add(
            NAME,
            f"translate-train-{match['language']}",
            [match.path],
            functools.partial(squad.translated_rows, match.path),
        )
    plan.note_missing(NAME, ("train", "validation"), plan.datasets.get(NAME, {}))


def _plan_split(split: str, whole: Match | None, files: Mapping[str, Path], plan: Plan) -> None:
    """Plans train, or validation with a split for each of its languages."""
    if whole:
        plan.add(NAME, split, [whole.path], functools.partial(squad.rows, whole.path))
    if files and (split == "train" or not whole):
        plan.add(NAME, split, files.values(), _joined(files))
    if split == "train":
        return
    in_whole = languages_in(whole.path) if whole else []
    for code in languages.TYDIQA:
        if code in files:
            plan.add(NAME, f"{split}-{code}", [files[code]], _joined({code: files[code]}))
        elif whole and code in in_whole:
            plan.add(NAME, f"{split}-{code}", [whole.path], _one_of_all(whole.path, code))


def _language(match: Match) -> str:
    if match.pattern == _BY_NAME and match["language"] in _CODES:
        return _CODES[match["language"]]
    check_language(match, _CODES if match.pattern == _BY_NAME else languages.TYDIQA)
    return match["language"]


IMPORTER = Importer(
    name="TyDiQA-GoldP",
    patterns=(
        r"tydiqa_goldp/(?P<split>train|dev)-(?P<language>[a-z]+)\.json",
        r"tydiqa-goldp-v1\.1-(?P<split>train|dev)\.json",
        r"tydiqa-goldp-(?P<split>dev)-(?P<language>[a-z]+)\.json",
        r"tydiqa\.translate\.train\.en-(?P<language>[a-z]+)\.json",
        r"tydiqa\.goldp\.[a-z]+\.(?:train|dev)\.json",
    ),
    layout=(
        "tydiqa-goldp-v1.1-{train,dev}.json  TyDiQA-GoldP, all languages",
        "tydiqa-goldp-dev-finnish.json  one language, by its English name",
        "tydiqa_goldp/{train,dev}-LANGUAGE.json  one language, by its code",
        "tydiqa.translate.train.en-LANGUAGE.json  XTREME's translations",
    ),
    plan=_plan,
)
