"""Texts as adversarial as a model and its languages can be, for the tests of the metrics."""

from hypothesis import strategies as st

# Articles of MLQA's languages, letters whose case changes their number, white space that is not
# ' ', punctuation and symbols of all kinds, marks, and pieces of every script here.
PIECES = [
    *"a an the un una los el ein eine der des của là những ال الكتاب".split(),
    *"cat Cat CAT York 3.5 km² İstanbul straße STRASSE ǅ ﬁn ＡＢＣ é e\u0301".split(),
    *"बिल्ली हिन्दी। কবি। తెలుగు 東京都 北京 ひらがな カタカナー 한국어 ไทย שלום κόσμος мир".split(),
    *"unanswerable Unanswerable! $ + < | ~ ^ ` ' \" - – — … « » 「 」 。 ، ؟ । ॥ _ . , ; :".split(),
    *"😀 𝒳 🇧🇩 \u200d \u200b \u200e \ufeff \u0301 \u09cd".split(),
    *" |\t|\n|\u00a0|\u2003|\u3000|\x1c|\x85|".split("|"),
]

TEXT = st.text(max_size=20)
ADVERSARIAL = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
SPACED = st.lists(st.sampled_from(PIECES), max_size=6).map(" ".join)
ANSWER = st.one_of(SPACED, ADVERSARIAL, TEXT)
