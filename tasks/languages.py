"""The languages of every data set, each list stated once: ISO 639-1, or TFDS's own codes.

Sources: the TFDS builders of the same names; Conneau et al. 2018 (XNLI), Yang et al. 2019
(PAWS-X), Clark et al. 2020 (TyDiQA), Hu et al. 2020 (XTREME's forty languages of PANX).
"""


def _codes(text: str) -> tuple[str, ...]:
    return tuple(text.split())


XNLI = _codes("ar bg de el en es fr hi ru sw th tr ur vi zh")
PAWSX = _codes("de en es fr ja ko zh")
TYDIQA = _codes("ar bn en fi id ko ru sw te")

# The forty languages of XTREME. All are configs of TFDS's wikiann.
PANX = _codes(
    "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru "
    "sw ta te th tl tr ur vi yo zh"
)

# The ten of the statistical study of zero-shot transfer (arXiv 2212.01757).
STUDY = _codes("ar bn de en es fi hi id ru sw")

# Every config of TFDS's wikiann 1.0.0 (176 languages, in its own codes).
WIKIANN = _codes(
    "ace af als am ang an arc ar arz as ast ay az bar ba bat-smg be be-x-old bg bh bn bo br bs ca "
    "cbk-zam cdo ceb ce ckb co crh csb cs cv cy da de diq dv el eml en eo es et eu ext fa fi "
    "fiu-vro fo frr fr fur fy gan ga gd gl gn gu hak he hi hr hsb hu hy ia id ig ilo io is it ja "
    "jbo jv ka kk km kn ko ksh ku ky la lb lij li lmo ln lt lv map-bms mg mhr min mi mk ml mn mr "
    "ms mt mwl my mzn nap nds ne nl nn no nov oc or os pa pdc pl pms pnb ps pt qu rm ro ru rw sah "
    "sa scn sco sd sh simple si sk sl so sq sr su sv sw szl ta te tg th tk tl tr tt ug uk ur uz "
    "vec vep vi vls vo war wa wuu xmf yi yo zea zh-classical zh-min-nan zh zh-yue"
)

# TyDiQA's gold-passage train split holds all languages; an id begins with the language's name.
TYDIQA_NAMES = {
    "ar": "arabic",
    "bn": "bengali",
    "en": "english",
    "fi": "finnish",
    "id": "indonesian",
    "ko": "korean",
    "ru": "russian",
    "sw": "swahili",
    "te": "telugu",
}

# Languages that have a span-corruption task: every language of the four data sets above. mC4
# writes Hebrew as 'iw' and Tagalog as 'fil'.
MC4 = tuple(sorted({*XNLI, *PAWSX, *TYDIQA, *PANX}))
MC4_CODES = {"he": "iw", "tl": "fil"}
