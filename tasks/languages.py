"""The languages of every data set, in one table (`languages.csv`), and their orders.

The table has a row for each language of a data set; an empty cell is a value that its source does
not have, and is never filled by guessing. Columns and sources:

- code: ISO 639-1, as all data sets here write languages (mC4 apart, see `mc4_code`).
- iso639_3: the language itself where ISO 639-1 names a group of them: Standard Arabic `arb`,
  Mandarin `cmn`, Estonian `ekk`, Persian `pes`, coastal Swahili `swh`, Standard Malay `zsm` and
  XCOPA's Eastern Apurímac Quechua `qve`.
- family, genus: Glottolog's tree as URIEL has it (Littell et al. 2017): its root, and the subgroup
  near the depth of WALS's genera. Basque is a family of its own. URIEL has no subgroup for Basque,
  Hungarian and Korean.
- script: ISO 15924, of the data sets' texts; `Hani` since their Chinese is in both sets of
  characters.
- word_order: SVO, SOV, VSO, or 'none' where no order is dominant; WALS feature 81A (Dryer 2013).
  WALS has none for Afrikaans, Haitian Creole, Javanese, Kazakh, Malay and this Quechua.
- mc4_code, mc4_tokens_billion: the language in mC4, by mC4's own code, and its billions of mT5
  tokens (Xue et al. 2021, table 6). mC4 has no Quechua.
- joshi_class: class of resources, 0 (left behind) to 5 (winners), of Joshi et al. 2020; Chinese is
  their 'mandarin'.
- data_sets: Conneau et al. 2018 (xnli), Yang et al. 2019 (pawsx), Hu et al. 2020 (panx and udpos in
  XTREME's languages), Clark et al. 2020 (tydiqa), Artetxe et al. 2020 (xquad), Lewis et al. 2020
  (mlqa), Ponti et al. 2020 and Roemmele et al. 2011 (xcopa, its English is COPA), Artetxe and
  Schwenk 2019 (tatoeba) and Zweigenbaum et al. 2018 (bucc), both against English; `study` is the
  statistical study of zero-shot transfer of arXiv 2212.01757.
"""

import csv
import dataclasses
import difflib
import functools
from collections.abc import Callable, Iterable
from pathlib import Path

from tasks.errors import DataError

# The Unicode scripts of an ISO 15924 code.
_UNICODE_SCRIPTS = {
    "Arab": ("Arabic",),
    "Beng": ("Bengali",),
    "Cyrl": ("Cyrillic",),
    "Deva": ("Devanagari",),
    "Geor": ("Georgian",),
    "Grek": ("Greek",),
    "Hani": ("Han",),
    "Hebr": ("Hebrew",),
    "Jpan": ("Hiragana", "Katakana", "Han"),
    "Kore": ("Hangul", "Han"),
    "Latn": ("Latin",),
    "Mlym": ("Malayalam",),
    "Mymr": ("Myanmar",),
    "Taml": ("Tamil",),
    "Telu": ("Telugu",),
    "Thai": ("Thai",),
}


@dataclasses.dataclass(frozen=True)
class Language:
    """One row of the table; None is what the column's source does not say.

    Attributes:
      code: ISO 639-1.
      iso639_3: ISO 639-3.
      name: in English.
      family: the largest group of related languages.
      genus: a subgroup of the family, of similar age in all of them, or None.
      script: ISO 15924.
      word_order: of subject, verb and object: 'SVO', 'SOV', 'VSO', 'none' dominant, or None.
      mc4_code: the language in mC4, or None.
      mc4_tokens_billion: billions of mT5 tokens in mC4, or None.
      joshi_class: 0 (fewest resources) to 5, or None.
      data_sets: the data sets that have the language.
    """

    code: str
    iso639_3: str
    name: str
    family: str
    genus: str | None
    script: str
    word_order: str | None
    mc4_code: str | None
    mc4_tokens_billion: float | None
    joshi_class: int | None
    data_sets: tuple[str, ...]


@functools.cache
def table() -> dict[str, Language]:
    """Returns all languages by code, in the order of the codes."""
    with Path(__file__).with_name("languages.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: _language(row) for row in csv.DictReader(file)}


def get(code: str) -> Language:
    """Returns the language of an ISO 639-1 code.

    Raises:
      DataError: the table does not have it; names the language meant, or codes like it.
    """
    known = table()
    if code in known:
        return known[code]
    called = [
        one.code
        for one in known.values()
        if code.lower() in (one.code, one.iso639_3, one.mc4_code, one.name.lower())
    ]
    near = called or difflib.get_close_matches(code, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else f"; known are {' '.join(known)}"
    raise DataError(f"there is no language '{code}'{hint}")


def of(data_set: str) -> tuple[str, ...]:
    """Returns the codes of the languages of a data set, in the order of the alphabet.

    Raises:
      DataError: the table names no such data set.
    """
    found = tuple(code for code, language in table().items() if data_set in language.data_sets)
    if not found:
        known = dict.fromkeys(name for one in table().values() for name in one.data_sets)
        raise DataError(f"no language is of a data set '{data_set}'; known are {', '.join(known)}")
    return found


def order(codes: Iterable[str], by: str) -> tuple[str, ...]:
    """Returns the languages in an order that does not depend on how many of them are used.

    A study that adds languages one by one takes the first of them, so that its sets are nested.

    Args:
      codes: languages, each once.
      by: 'resources' (most mC4 tokens first, then by code; languages whose tokens are not known
        last), 'lowresources' (the reverse), 'families' (the richest first; each next one adds a
        family not seen before, where that ties a genus, then a script, then it is the richest),
        or 'listed' (as given; the only order that needs no row of the table).

    Raises:
      DataError: a language is unknown or given twice, or the order is unknown.
    """
    codes = tuple(codes)
    twice = {code for code in codes if codes.count(code) > 1}
    if twice:
        raise DataError(f"languages are to be given once each, got {' '.join(sorted(twice))} twice")
    if by not in ORDERS:
        raise DataError(f"there is no order '{by}' of languages; known are {', '.join(ORDERS)}")
    return ORDERS[by](codes)


def scripts_of(code: str) -> tuple[str, ...]:
    """Returns the Unicode names of the scripts that a language is written in.

    >>> scripts_of("ja")
    ('Hiragana', 'Katakana', 'Han')
    """
    return _UNICODE_SCRIPTS[get(code).script]


def _language(row: dict[str, str]) -> Language:
    """Reads a row of the table."""
    return Language(
        code=row["code"],
        iso639_3=row["iso639_3"],
        name=row["name"],
        family=row["family"],
        genus=row["genus"] or None,
        script=row["script"],
        word_order=row["word_order"] or None,
        mc4_code=row["mc4_code"] or None,
        mc4_tokens_billion=float(row["mc4_tokens_billion"]) if row["mc4_tokens_billion"] else None,
        joshi_class=int(row["joshi_class"]) if row["joshi_class"] else None,
        data_sets=tuple(row["data_sets"].split()),
    )


def _by_resources(codes: tuple[str, ...]) -> tuple[str, ...]:
    def key(code: str) -> tuple[float, str]:
        tokens = get(code).mc4_tokens_billion
        return (float("inf") if tokens is None else -tokens, code)

    return tuple(sorted(codes, key=key))


def _by_families(codes: tuple[str, ...]) -> tuple[str, ...]:
    left = list(_by_resources(codes))
    ordered: list[str] = []
    seen: set[tuple[str, str]] = set()
    while left:
        # max takes the first of equals, which is the richest.
        best = max(left, key=lambda code: [trait not in seen for trait in _traits(code)])
        left.remove(best)
        ordered.append(best)
        seen.update(_traits(best))
    return tuple(ordered)


def _traits(code: str) -> list[tuple[str, str]]:
    """What diversity counts, the weightiest first; a language of no genus is one by itself."""
    one = get(code)
    return [("family", one.family), ("genus", one.genus or one.name), ("script", one.script)]


ORDERS: dict[str, Callable[[tuple[str, ...]], tuple[str, ...]]] = {
    "resources": _by_resources,
    "lowresources": lambda codes: _by_resources(codes)[::-1],
    "families": _by_families,
    "listed": lambda codes: codes,
}

XNLI = of("xnli")
PAWSX = of("pawsx")
TYDIQA = of("tydiqa")
PANX = of("panx")
XQUAD = of("xquad")
MLQA = of("mlqa")
UDPOS = of("udpos")
XCOPA = of("xcopa")
TATOEBA = of("tatoeba")
BUCC = of("bucc")
STUDY = of("study")

# TyDiQA's gold-passage train split holds all languages; an id begins with the language's name.
TYDIQA_NAMES = {code: get(code).name.lower() for code in TYDIQA}

# The languages that mC4 has, and its codes where they are not ISO 639-1's of today.
MC4 = tuple(code for code, language in table().items() if language.mc4_code)
MC4_CODES = {code: str(get(code).mc4_code) for code in MC4 if get(code).mc4_code != code}

# Every config of TFDS's wikiann 1.0.0 (176 languages, in its own codes).
WIKIANN = tuple(
    "ace af als am ang an arc ar arz as ast ay az bar ba bat-smg be be-x-old bg bh bn bo br bs ca "
    "cbk-zam cdo ceb ce ckb co crh csb cs cv cy da de diq dv el eml en eo es et eu ext fa fi "
    "fiu-vro fo frr fr fur fy gan ga gd gl gn gu hak he hi hr hsb hu hy ia id ig ilo io is it ja "
    "jbo jv ka kk km kn ko ksh ku ky la lb lij li lmo ln lt lv map-bms mg mhr min mi mk ml mn mr "
    "ms mt mwl my mzn nap nds ne nl nn no nov oc or os pa pdc pl pms pnb ps pt qu rm ro ru rw sah "
    "sa scn sco sd sh simple si sk sl so sq sr su sv sw szl ta te tg th tk tl tr tt ug uk ur uz "
    "vec vep vi vls vo war wa wuu xmf yi yo zea zh-classical zh-min-nan zh zh-yue".split()
)
