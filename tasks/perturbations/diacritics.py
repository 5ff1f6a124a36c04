"""Letters without their diacritics, as hurried writers leave them out.

Latin, Greek and Cyrillic lose every accent (é, ё, й, ệ) and the strokes of đ, ł, ø and ħ; Arabic
script its vowel marks and the hamza and madda on its letters; Hebrew its points; Thai and Lao the
tone marks; the Indic scripts the dot below (nukta) that tells क़ from क and ড় from ড. Vowel signs
and viramas stay: they are letters. Kana keep their voicing marks for the same reason.
"""

import functools
import unicodedata

from tasks.perturbations import graphemes

_STROKES = str.maketrans("đĐłŁøØħĦŧŦ", "dDlLoOhHtT")
_ALPHABETS = frozenset(("LATIN", "GREEK", "CYRILLIC", "ARABIC", "HEBREW"))
# Canonical combining classes: 7 is nukta; 107 and 122 are the tone marks of Thai and Lao.
_NUKTA = 7
_TONES = (107, 122)


@functools.lru_cache(maxsize=1 << 16)
def without(cluster: str) -> str:
    """Returns a grapheme cluster without its diacritics, in NFC; itself where it has none."""
    script = graphemes.script(cluster)
    decomposed = unicodedata.normalize("NFD", cluster)
    bare = "".join(char for char in decomposed if not _is_diacritic(char, script))
    if script == "LATIN":
        bare = bare.translate(_STROKES)
    if bare == decomposed or not bare:
        return cluster
    return unicodedata.normalize("NFC", bare)


def without_nukta(cluster: str) -> str:
    """Returns a grapheme cluster without the dot below, which makes an Indic letter another one."""
    decomposed = unicodedata.normalize("NFD", cluster)
    bare = "".join(char for char in decomposed if unicodedata.combining(char) != _NUKTA)
    return unicodedata.normalize("NFC", bare) if bare and bare != decomposed else cluster


def _is_diacritic(char: str, script: str) -> bool:
    if unicodedata.category(char) != "Mn":
        return False
    return script in _ALPHABETS or unicodedata.combining(char) in (_NUKTA, *_TONES)
