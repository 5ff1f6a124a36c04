"""Tatoeba: sentences and their English translations, line by line in two files.

`tatoeba.swh-eng.swh` and `tatoeba.swh-eng.eng`, as in LASER's test sets (Artetxe and Schwenk
2019), become the split train of tatoeba/tatoeba_sw: TFDS calls it so, though it is for evaluation.
"""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks import languages
from tasks.errors import DataError
from tasks.importers import checked
from tasks.importers.base import Importer, Match, Plan, Reading, unique_by
from tasks.tfds_schemas import SCHEMAS

# LASER's files call a language by its ISO 639-3 code, but two by the code of their group.
_GROUPS = {"ar": "ara", "et": "est"}
CODES = {_GROUPS.get(code, languages.get(code).iso639_3): code for code in languages.TATOEBA}

_SORTED = (
    "XTREME's script sorts the English sentences, so that nobody can say which belong together; "
    "give LASER's tatoeba.*-eng.* files"
)


def rows(source: Path, english: Path, language: str, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the pairs of sentences.

    Raises:
      DataError: an empty line, or files of different length.
    """
    translations = checked.lines(english, reading)
    number = 0
    for number, sentence in checked.lines(source, reading):
        _, translation = next(translations, (0, None))
        if translation is None:
            checked.fail(english, number, f"the file ends, but {source.name} has more lines")
        for path, text in ((source, sentence), (english, translation)):
            if not text.strip():
                checked.fail(path, number, "the line is empty; expected a sentence")
        yield {
            "source_sentence": sentence,
            "target_sentence": translation,
            "source_language": language,
            "target_language": "en",
        }
    for number, _ in translations:
        checked.fail(english, number, f"more lines than in {source.name}")


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    (schema,) = SCHEMAS["tatoeba"]
    found: dict[str, list[Match]] = {}
    for match in matches:
        if match.pattern == 1:
            plan.leave_out(match.path, _SORTED)
        elif match["language"] not in CODES:
            plan.leave_out(match.path, f"tatoeba does not have the language '{match['language']}'")
        else:
            found.setdefault(match["language"], []).append(match)
    for code, files in found.items():
        sides = unique_by(files, lambda match: match["side"], "the same sentences")
        for side in (code, "eng"):
            if side not in sides:
                other = next(iter(sides.values())).path
                raise DataError(f"{other}: there is no tatoeba.{code}-eng.{side} beside it")
        source, english = sides[code].path, sides["eng"].path
        plan.add(
            f"tatoeba/tatoeba_{CODES[code]}:{schema.version}",
            "train",
            [source, english],
            functools.partial(rows, source, english, CODES[code]),
        )
    plan.note_missing("tatoeba", languages.TATOEBA, [CODES[code] for code in found])


IMPORTER = Importer(
    name="Tatoeba",
    patterns=(
        r"tatoeba\.(?P<language>[a-z]{3})-eng\.(?P<side>[a-z]{3})",
        r"tatoeba/[a-z]{2}-en\.[a-z]{2}",
    ),
    layout=("tatoeba.swh-eng.{swh,eng}  a sentence a line, translations of another",),
    plan=_plan,
)
