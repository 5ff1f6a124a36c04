"""XNLI and the translations of MultiNLI's training set: the same examples in many languages.

xnli's splits come from XNLI-1.0's `xnli.{dev,test}.tsv` (or .jsonl), which hold all languages, or
from a file a language, `xnli/dev-sw.tsv`. xtreme_xnli's train comes from XTREME's
`xnli/translate-train/en-sw-translated.tsv`, from XNLI-MT's `multinli.train.sw.tsv`, or from
`xnli/train-sw.tsv`: one of these forms. The files of all languages hold the same examples in the
same order.

A translation that is blank is left out: the row has no such language. XTREME's files repeat some
English pairs; as in TFDS's data set, the first of them is kept.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks import languages
from tasks.importers import checked, nli
from tasks.importers.base import Importer, Match, Plan, Reading, by_split_and_language, prefer
from tasks.importers.json_nodes import json_lines
from tasks.tfds_schemas import NLI_LABELS

XNLI, XTREME_XNLI = "xnli:1.1.0", "xtreme_xnli:1.1.0"

BLANK = "the translation is blank"
REPEATED = "the English pair came before"


@dataclasses.dataclass(frozen=True)
class _Pair:
    """A row of a file of one language; `english` is the pair that it translates, where stated."""

    premise: str
    hypothesis: str
    label: str
    english: str = ""


Pairs = Callable[[Path, Reading], Iterator[tuple[int, _Pair]]]


def _gold(path: Path, reading: Reading) -> Iterator[tuple[int, _Pair]]:
    """Yields (line number, pair) of a file with the columns premise, hypothesis and label."""
    for number, row in checked.table(path, nli.COLUMNS, reading):
        yield number, _Pair(**row)


def _xnli_mt(path: Path, reading: Reading) -> Iterator[tuple[int, _Pair]]:
    """Yields (line number, pair) of such a file, translated by machine: texts may be blank."""
    for number, row in checked.table(
        path, nli.COLUMNS, reading, also=nli.ALSO, may_be_empty=("premise", "hypothesis")
    ):
        yield number, _Pair(**row)


def _xtreme(path: Path, reading: Reading) -> Iterator[tuple[int, _Pair]]:
    """Yields (line number, pair) of XTREME's files: English pair, translated pair, label."""
    columns = ("english premise", "english hypothesis", *nli.COLUMNS)
    for number, row in checked.fields(path, columns, reading):
        english = f"{row.pop(columns[0])}\t{row.pop(columns[1])}"
        yield number, _Pair(**row, english=english)


def parallel_rows(
    files: Mapping[str, Path], read: Pairs, reading: Reading
) -> Iterator[dict[str, Any]]:
    """Yields rows in all languages from one file a language.

    A language without a file has an empty premise and no hypothesis; its tasks skip the rows.

    Raises:
      DataError: a malformed file, or files that are not translations of one another, line by line.
    """
    readers = {code: read(path, reading) for code, path in sorted(files.items())}
    first, *others = readers
    seen: set[bytes] = set()
    for number, pair in readers[first]:
        checked.one_of(files[first], number, "label", pair.label, tuple(nli.LABEL_NAMES))
        pairs = {first: pair}
        for code in others:
            _, other = next(readers[code], (0, None))
            if other is None:
                checked.fail(
                    files[code], number, f"the file ends, but {files[first].name} has more rows"
                )
            checked.one_of(files[code], number, "label", other.label, tuple(nli.LABEL_NAMES))
            _check_aligned(files[code], number, other, pair, files[first].name)
            pairs[code] = other
        if pair.english:
            digest = hashlib.blake2b(pair.english.encode(), digest_size=16).digest()
            if digest in seen:
                reading.leave_out(files[first], REPEATED)
                continue
            seen.add(digest)
            premise, hypothesis = pair.english.split("\t")
            pairs["en"] = _Pair(premise, hypothesis, pair.label)
        for code in [code for code in pairs if _is_blank(pairs[code])]:
            reading.leave_out(files.get(code, files[first]), BLANK)
            del pairs[code]
        if pairs:
            yield _row(pairs, nli.LABEL_NAMES[pair.label])
    for code in others:
        for number, _ in readers[code]:
            checked.fail(files[code], number, f"more rows than in {files[first].name}")


def _check_aligned(path: Path, number: int, pair: _Pair, first: _Pair, first_name: str) -> None:
    if pair.label != first.label:
        checked.fail(
            path,
            number,
            f"the label is '{pair.label}', but '{first.label}' in {first_name}; all languages "
            "must hold the same examples in one order",
        )
    if pair.english != first.english:
        checked.fail(
            path,
            number,
            f"the English pair is not that of {first_name}; all languages must hold the same "
            "examples in one order",
        )


def _is_blank(pair: _Pair) -> bool:
    return not pair.premise.strip() or not pair.hypothesis.strip()


def _row(pairs: Mapping[str, _Pair], label: str) -> dict[str, Any]:
    return {
        "premise": {code: pairs[code].premise if code in pairs else "" for code in languages.XNLI},
        "hypothesis": {code: pair.hypothesis for code, pair in pairs.items()},
        "label": label,
    }


def joined_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields rows in all languages from XNLI-1.0's one file, .tsv or .jsonl.

    The pairs of one `pairID` are one row. They may stand anywhere in the file (it is sorted by
    language), so the file is held in memory: 112,500 pairs at most.

    Raises:
      DataError: a pair that is there twice, or not in the languages of the others, or with
        another label.
    """
    found: dict[str, dict[str, _Pair]] = {}
    places: dict[str, int] = {}
    for number, pair_id, code, pair in _joined_pairs(path, reading):
        if code not in languages.XNLI:
            checked.one_of(path, number, "language", code, languages.XNLI)
        checked.one_of(path, number, "gold_label", pair.label, NLI_LABELS)
        of_pair = found.setdefault(pair_id, {})
        places.setdefault(pair_id, number)
        if code in of_pair:
            checked.fail(path, number, f"the pairID '{pair_id}' is there twice in '{code}'")
        for other in of_pair.values():
            if other.label != pair.label:
                checked.fail(
                    path,
                    number,
                    f"the label of the pairID '{pair_id}' is '{pair.label}' in '{code}', but "
                    f"'{other.label}' in line {places[pair_id]}",
                )
            break
        of_pair[code] = pair
    codes = {code for of_pair in found.values() for code in of_pair}
    for pair_id, of_pair in found.items():
        if missing := sorted(codes - of_pair.keys()):
            checked.fail(
                path,
                places[pair_id],
                f"the pairID '{pair_id}' is not there in {' '.join(missing)}, but others are",
            )
        yield _row(of_pair, next(iter(of_pair.values())).label)


def _joined_pairs(path: Path, reading: Reading) -> Iterator[tuple[int, str, str, _Pair]]:
    """Yields (line number, pairID, language, pair)."""
    columns = ("pairID", "language", "sentence1", "sentence2", "gold_label")
    if path.suffix == ".tsv":
        for number, row in checked.table(path, columns, reading):
            pair_id, code, *texts = (row[column] for column in columns)
            yield number, pair_id, code, _Pair(*texts)
    else:
        for node in json_lines(path, reading):
            pair_id, code, *texts = (node.filled(column) for column in columns)
            yield node.line, pair_id, code, _Pair(*texts)


# Which of IMPORTER's patterns a file matches.
_WHOLE, _WHOLE_JSON, _BY_LANGUAGE, _XNLI_MT, _XTREME, _TO_ENGLISH = range(6)
_READERS = {_BY_LANGUAGE: _gold, _XNLI_MT: _xnli_mt, _XTREME: _xtreme}


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    forms: dict[int, list[Match]] = {}
    for match in matches:
        if match.pattern == _TO_ENGLISH:
            plan.leave_out(match.path, "XNLI translated to English, which no data set of TFDS has")
    read = [match for match in matches if match.pattern != _TO_ENGLISH]
    for match in prefer(read, plan, lambda match: match.path.stem):
        forms.setdefault(match.pattern, []).append(match)
    for pattern in (_WHOLE, _WHOLE_JSON):
        for match in forms.pop(pattern, []):
            plan.add(
                XNLI,
                match.split,
                [match.path],
                functools.partial(joined_rows, match.path),
            )
    for pattern, of_form in forms.items():
        for split, by_language in by_split_and_language(of_form, languages.XNLI, "XNLI").items():
            files = {code: match.path for code, match in by_language.items()}
            name = XTREME_XNLI if split == "train" else XNLI
            plan.add(
                name,
                split,
                files.values(),
                functools.partial(parallel_rows, files, _READERS[pattern]),
            )
            plan.note_missing(
                f"{name} {split}",
                (code for code in languages.XNLI if code != "en" or split != "train"),
                files,
            )
    plan.note_missing(XNLI, ("validation", "test"), plan.datasets.get(XNLI, {}))
    if "train" not in plan.datasets.get(nli.MULTI_NLI, {}):
        plan.missing.append("XNLI can be evaluated, but not trained on in English: no MultiNLI")


IMPORTER = Importer(
    name="XNLI",
    patterns=(
        r"xnli\.(?P<split>dev|test)\.tsv",
        r"xnli\.(?P<split>dev|test)\.jsonl",
        r"xnli/(?!train-en\.)(?P<split>train|dev|test)-(?P<language>[a-z-]+)\.tsv",
        r"multinli\.(?P<split>train)\.(?!en\.)(?P<language>[a-z-]+)\.tsv",
        r"(?i:xnli)/translate-(?P<split>train)/en-(?P<language>[a-z-]+)-translated\.tsv",
        r"xnli\.(?:dev|test)\.en\.(?:tsv|jsonl)",
    ),
    layout=(
        "XNLI-1.0/xnli.{dev,test}.{tsv,jsonl}  XNLI, all languages",
        "xnli/{dev,test,train}-LANGUAGE.tsv  premise, hypothesis, label",
        "XNLI-MT-1.0/multinli/multinli.train.LANGUAGE.tsv  MultiNLI's translations, by XNLI",
        "xnli/translate-train/en-LANGUAGE-translated.tsv  MultiNLI's translations, by XTREME",
    ),
    plan=_plan,
)
