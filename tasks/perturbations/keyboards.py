"""Which letters lie side by side on the keyboards of the languages here.

Rows as on the standard layouts (QWERTY, QWERTZ, AZERTY; ЙЦУКЕН and the Bulgarian BDS 5237; Greek;
Arabic 101; Hebrew SI-1452; Thai Kedmanee; InScript for the Indic scripts), letters only: a typing
error exchanges letters, and the vowel signs of a syllable stay. '.' is a key without a letter.
"""

import functools
import itertools

_LATIN = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_LAYOUTS: dict[str, tuple[str, ...]] = {
    "LATIN": _LATIN,
    "CYRILLIC": ("йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю"),
    "GREEK": (".ςερτυθιοπ", "ασδφγηξκλ", "ζχψωβνμ"),
    "ARABIC": ("ضصثقفغعهخحجد", "شسيبلاتنمكط", "ئءؤر.ىةوزظ"),
    "HEBREW": ("..קראטוןםפ", "שדגכעיחלךף", "זסבהנמצתץ"),
    "THAI": (".....ถ..คตจขช", "......รนยบล", "ฟหกด...สวง", "ผปอ..ทมฝ"),
    "DEVANAGARI": (".....बहगदजड", ".....परकतचट", "...मनवलस..य"),
    "BENGALI": (".....বহগদজড", ".....পরকতচট", "...মনবলস..য"),
    "GUJARATI": (".....બહગદજડ", ".....પરકતચટ", "...મનવલસ..ય"),
    "GURMUKHI": (".....ਬਹਗਦਜਡ", ".....ਪਰਕਤਚਟ", "...ਮਨਵਲਸ..ਯ"),
    "TELUGU": (".....బహగదజడ", ".....పరకతచట", "...మనవలస..య"),
    "TAMIL": (".......க....", ".....பரகதசட", "...மநவலஸ..ய"),
    "MALAYALAM": (".....ബഹഗദജഡ", ".....പരകതചട", "...മനവലസ..യ"),
}
_BY_LANGUAGE: dict[str, tuple[str, ...]] = {
    "de": ("qwertzuiopü", "asdfghjklöä", "yxcvbnm"),
    "hu": ("qwertzuiopőú", "asdfghjkléáű", "yxcvbnm"),
    "fr": ("azertyuiop", "qsdfghjklm", "wxcvbn"),
    "bg": (".уеишщксдзц", "ьяаожгтнвмч", "юйъэфхпрлб"),
}
_SCRIPT_OF = {"de": "LATIN", "hu": "LATIN", "fr": "LATIN", "bg": "CYRILLIC"}


def neighbours(letter: str, script: str, language: str = "") -> str:
    """Returns the letters beside a lower-case `letter`, or '' where no keyboard here has it.

    Args:
      letter: one character.
      script: its script as `graphemes.script` names it.
      language: ISO 639-1; 'de' has its own Latin keyboard, 'ru' the usual Cyrillic one.
    """
    rows = _BY_LANGUAGE[language] if _SCRIPT_OF.get(language) == script else _LAYOUTS.get(script)
    return _table(rows).get(letter, "") if rows else ""


@functools.cache
def _table(rows: tuple[str, ...]) -> dict[str, str]:
    """Each letter's neighbours: left, right, and two in the row above and below (it is shifted)."""
    keys = {(y, x): key for y, row in enumerate(rows) for x, key in enumerate(row) if key != "."}
    steps = ((0, -1), (0, 1), (-1, 0), (-1, 1), (1, -1), (1, 0))
    beside = {
        place: [keys.get((place[0] + y, place[1] + x), "") for y, x in steps] for place in keys
    }
    table: dict[str, str] = {}
    for place, key in keys.items():
        letters = itertools.chain(table.get(key, ""), beside[place])
        table[key] = "".join(dict.fromkeys(other for other in letters if other not in ("", key)))
    return table
