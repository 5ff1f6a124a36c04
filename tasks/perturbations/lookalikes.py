"""Letters that look like others: across scripts, and inside a script.

Latin, Cyrillic and Greek letters that are drawn alike are those that Unicode's security data
(UTS #39, confusables) calls so. The groups inside a script are letters that readers and optical
character recognition take for each other.
"""

import functools
import unicodedata

from tasks.perturbations import diacritics

_ACROSS = """
    AАΑ BВΒ CСϹ EЕΕ HНΗ IІΙ JЈ KКΚ MМΜ NΝ OОΟ PРΡ SЅ TТΤ XХΧ YҮΥ ZΖ aа cсϲ dԁ eе hһ iі jјϳ oоο pрρ
    qԛ sѕ vν wԝ xх yу
"""
_INSIDE = """
    يىی كک هہ רד וז חה כב סם נג
    बव भम घध पष डङ थय বর যষ খথ পষ ওঔ উঊ ধঘ పష వమ చఛ దధథ రఠ బభ ணன ஒஓ எஏ നത ഒഓ എഏ ഉഊ
    ดต คศ ชซ ฎฏ ผฝ พฟ บป กถภ ทฑ อฮ ฆม ຜຝ ພຟ ບປ ດຕ ပဖ
    未末 土士 日曰 己已巳 人入 大太犬 天夭 千干 午牛 王玉 目自 白百 木本 刀力 氏民 今令 問間 问间
    侯候 未朱 了子
    シツ ソン るろ わねれ ぬめ さき はほ らち クワ ウワ ロ口 カ力 エ工 ニ二 タ夕 ト卜 ハ八
"""
# Hangul syllables are computed: these vowels, by their number in a syllable, are a stroke apart.
_HANGUL_FIRST, _HANGUL_LAST = 0xAC00, 0xD7A3
_HANGUL_VOWELS, _HANGUL_FINALS = 21, 28
_VOWEL_PAIRS = ((0, 2), (1, 5), (3, 7), (4, 6), (8, 12), (13, 17))


def _table() -> dict[str, str]:
    table: dict[str, str] = {}
    for group in (_ACROSS + _INSIDE).split():
        for letter in group:
            others = table.get(letter, "") + group
            table[letter] = "".join(dict.fromkeys(others.replace(letter, "")))
    return {letter: others for letter, others in table.items() if others}


_LOOKALIKES = _table()
_VOWELS = {**dict(_VOWEL_PAIRS), **{second: first for first, second in _VOWEL_PAIRS}}


@functools.lru_cache(maxsize=1 << 16)
def of(cluster: str) -> list[str]:
    """Returns the clusters that look like this one: its first letter replaced, its marks kept.

    A letter with the Indic dot below (nukta) looks like the one without.
    """
    bare = diacritics.without_nukta(cluster)
    composed = unicodedata.normalize("NFC", bare)
    letter, marks = composed[0], composed[1:]
    if _HANGUL_FIRST <= ord(letter) <= _HANGUL_LAST:
        return [other + marks for other in _hangul(ord(letter) - _HANGUL_FIRST)]
    dotless = [bare] if bare != cluster else []
    return dotless + [other + marks for other in _LOOKALIKES.get(letter, "")]


def _hangul(index: int) -> list[str]:
    """The syllable, by its number, with the vowel that is a stroke apart."""
    initial, rest = divmod(index, _HANGUL_VOWELS * _HANGUL_FINALS)
    vowel, final = divmod(rest, _HANGUL_FINALS)
    if vowel not in _VOWELS:
        return []
    other = (initial * _HANGUL_VOWELS + _VOWELS[vowel]) * _HANGUL_FINALS + final
    return [chr(_HANGUL_FIRST + other)]
