"""The script that a text is written in, by Unicode's names of its letters.

A script is not a language: Swahili in Latin letters and English look alike here. What scripts do
show is a model that answers in English where the question was in Arabic.
"""

import functools
import unicodedata
from collections.abc import Collection

# A letter's Script property from how its name begins, where that is not the script's own name.
_FIRST_WORDS = {"CJK": "Han", "IDEOGRAPHIC": "Han", "KATAKANA-HIRAGANA": None, "MODIFIER": None}
# Several scripts share these, whatever their names say: Arabic's stretched line, Japanese's mark.
_SHARED = "\u0640\u3006"


@functools.cache
def script_of(character: str) -> str | None:
    """The Unicode script of a letter ('Latin', 'Han', 'Devanagari'); of anything else None.

    Digits, punctuation, marks and the letters that several scripts share are of no script.
    Forms for compatibility (full-width letters, ligatures) are read as what they stand for.
    """
    character = unicodedata.normalize("NFKC", character)[:1]
    if not unicodedata.category(character or " ").startswith("L") or character in _SHARED:
        return None
    first = unicodedata.name(character, "").split(" ")[0]
    return _FIRST_WORDS.get(first, first.capitalize() or None)


def is_written_in(text: str, scripts: Collection[str]) -> bool:
    """Whether at least half of the letters are of the scripts; true where there are no letters."""
    found = [script for script in map(script_of, text) if script is not None]
    return 2 * sum(script in scripts for script in found) >= len(found)
