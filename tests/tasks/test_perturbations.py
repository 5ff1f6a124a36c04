"""What each kind of noise promises for any text: made-up ones of many scripts, and any Unicode."""

import collections
import random
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.errors import DataError
from tasks.perturbations import edits, graphemes, lookalikes, order, segments
from tasks.perturbations.diacritics import without
from tasks.perturbations.edits import generator
from tasks.perturbations.keyboards import neighbours
from tasks.perturbations.spacing import punctuation
from tasks.perturbations.style import Style
from tasks.perturbations.text import KINDS, perturb

# Words of our own choosing; conjuncts, vowel signs, viramas, joiners and marks of every sort.
WORDS = (
    "quick brown Fox's naïve déjà-vu e\u0301te\u0301 đường Việt größer Ёлка большой столик γάτα "
    "القطة عُدْتُ أحمد كتاب हिन्दी क्षमा श्रीमान् बिल्ली क्\u200dषेत्र फ़िल्म স্ত্রী ন্ত্রণা পরীক্ষা ঢাকায় বাংলাদেশ "
    "స్త్రీలు పురుషుడు ശ്രീമതി தமிழ்நாடு ક્ષત્રિય บ้านแล้ว ผู้ชาย 我已经回来了 猫が家で寝ている "
    "고양이가 집에서 שלום בַּיִת မြန်မာ 3.5 1,000 x2y 👩\u200d🔬 👨\u200d👩\u200d👧 🇫🇮🇸🇪 a b"
).split(" ")
SEPARATORS = (" ", " ", " ", ", ", ". ", "! ", "। ", " — ", "，", "؟ ", "  ", "\n", " ( ")

_pairs = st.tuples(st.sampled_from(WORDS), st.sampled_from(SEPARATORS))
sentences = st.lists(_pairs, max_size=12).map(lambda pairs: "".join(map("".join, pairs)))
texts = st.one_of(sentences, sentences, st.text(max_size=40))
strengths = st.integers(0, 100)
seeds = st.integers(0, 2**32)
kinds = pytest.mark.parametrize("kind", KINDS)
quick = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def noisy(text: str, kind: str, strength: int, seed: int = 0, **settings) -> str:
    return perturb(text, kind, strength, generator(seed, kind, text), **settings)


def clusters(text: str) -> list[str]:
    return graphemes.split(text)


def changed(before: str, after: str) -> list[int]:
    """The indices of the clusters that differ, where their number is the same."""
    pairs = zip(clusters(before), clusters(after), strict=True)
    return [index for index, (one, other) in enumerate(pairs) if one != other]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("क्षि", 1),
        ("ক্ষ", 1),
        ("ন্ত্র", 1),
        ("స్త్రీ", 1),
        ("ശ്രീ", 1),
        ("હિન્દી", 2),
        ("हिन्दी", 2),
        ("क्\u200dष", 1),  # a joiner asks for the half form
        ("क्\u200cष", 2),  # a non-joiner keeps the virama in sight
        ("ड़का", 2),
        ("தமிழ்", 3),  # Tamil's pulli ends a syllable
        ("👩\u200d🔬👨\u200d👩\u200d👧", 2),
        ("🇫🇮🇸🇪", 2),
        ("กำ", 1),
        ("각", 1),
        (unicodedata.normalize("NFD", "각"), 1),
        ("e\u0301\u0323", 1),
        ("\r\n", 1),
        ("", 0),
    ],
)
def test_grapheme_clusters(text: str, expected: int) -> None:
    assert len(clusters(text)) == expected


@kinds
@quick
@given(text=texts, seed=seeds)
def test_strength_0_is_the_identity(kind: str, text: str, seed: int) -> None:
    assert noisy(text, kind, 0, seed) == text


@kinds
@quick
@given(text=texts, strength=strengths, seed=seeds)
def test_the_same_seed_and_text_give_the_same_noise(kind, text, strength, seed) -> None:
    assert noisy(text, kind, strength, seed) == noisy(text, kind, strength, seed)


@kinds
def test_another_seed_gives_other_noise(kind: str) -> None:
    text = "déjà vu: " * 30
    assert len({noisy(text, kind, 50, seed) for seed in range(10)}) == 10


@quick
@given(text=texts, strength=strengths, seed=seeds)
def test_typos_change_letters_of_a_word_and_keep_its_marks(text, strength, seed) -> None:
    after = noisy(text, "typos", strength, seed)
    pieces = segments.of(text)
    places = changed(text, after)
    word_of = {i: word for word in pieces.changeable() for i in range(word.start, word.end)}
    assert len({word_of[place].start for place in places}) == len(places)  # one a word
    for place in places:
        before, now = clusters(text)[place], clusters(after)[place]
        assert graphemes.is_letter(before)
        assert graphemes.script(before) == graphemes.script(now)


@pytest.mark.parametrize("word", ["परीक्षा", "পরীক্ষাটি", "పురుషుడు"])
def test_typos_keep_the_vowel_signs_of_a_syllable(word: str) -> None:
    for seed in range(20):
        after = noisy(word, "typos", 100, seed)
        (place,) = changed(word, after)
        assert clusters(word)[place][1:] == clusters(after)[place][1:]


@pytest.mark.parametrize(
    ("language", "letter", "near"),
    [
        ("en", "g", set("ftyhbv")),
        ("de", "t", set("rzfg")),
        ("en", "t", set("ryfg")),
        ("fr", "a", set("zq")),
        ("ru", "к", set("уева")),
        ("bg", "о", set("иажшъэ")),
    ],
)
def test_typos_are_neighbours_on_the_language_s_keyboard(language, letter, near) -> None:
    script = graphemes.script(letter)
    assert set(neighbours(letter, script, language)) == near
    assert all(letter in neighbours(other, script, language) for other in near)


@quick
@given(text=texts, strength=strengths, seed=seeds)
def test_deletions_leave_out_whole_clusters_one_a_word(text, strength, seed) -> None:
    after = noisy(text, "deletions", strength, seed)
    left = iter(clusters(text))
    assert all(any(cluster == other for other in left) for cluster in clusters(after))
    assert len(clusters(text)) - len(clusters(after)) <= len(segments.of(text).changeable())


@quick
@given(text=texts, strength=strengths, seed=seeds)
def test_swaps_exchange_neighbours(text, strength, seed) -> None:
    after = noisy(text, "swaps", strength, seed)
    before, now = clusters(text), clusters(after)
    assert collections.Counter(before) == collections.Counter(now)
    places = changed(text, after)
    while places:
        first, second, *places = places
        assert second == first + 1
        assert (before[first], before[second]) == (now[second], now[first])


@quick
@given(text=texts, strength=strengths, seed=seeds)
def test_undiacritics_leave_bare_letters(text, strength, seed) -> None:
    after = noisy(text, "undiacritics", strength, seed)
    for place in changed(text, after):
        assert clusters(after)[place] == without(clusters(text)[place])
    bare = noisy(text, "undiacritics", 100, seed)
    assert noisy(bare, "undiacritics", 100, seed) == bare


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Tôi biết đường", "Toi biet duong"),
        ("Ёлка, йод", "Елка, иод"),
        ("قَرَأَ آدم", "قرا ادم"),
        ("क़लम फ़िल्म", "कलम फिल्म"),
        ("ঢাকায় গাড়ি", "ঢাকায গাডি"),
        ("ม่าม๊า", "มามา"),
        ("γάτα", "γατα"),
        ("बिल्ली कहाँ है", "बिल्ली कहाँ है"),
        ("がぎぐ 각", "がぎぐ 각"),
    ],
)
def test_undiacritics_by_hand(text: str, bare: str) -> None:
    assert noisy(text, "undiacritics", 100) == bare


@quick
@given(text=texts, strength=strengths, seed=seeds)
def test_homoglyphs_look_like_what_they_replace(text, strength, seed) -> None:
    after = noisy(text, "homoglyphs", strength, seed)
    places = changed(text, after)
    for place in places:
        assert clusters(after)[place] in lookalikes.of(clusters(text)[place])
    assert len(places) <= len(segments.of(text).words)


@pytest.mark.parametrize("text", ["a", "о", "ο", "ك", "ब", "ব", "వ", "ด", "未", "シ", "개", "ড়ি"])
def test_every_script_here_has_homoglyphs(text: str) -> None:
    after = noisy(text, "homoglyphs", 100)
    assert after != text
    assert len(clusters(after)) == 1


@quick
@given(text=texts, strength=strengths, seed=seeds)
def test_spacing_changes_nothing_but_white_space(text, strength, seed) -> None:
    def solid(text: str) -> list[str]:
        return [cluster for cluster in clusters(text) if not cluster.isspace()]

    after = noisy(text, "spacing", strength, seed)
    assert solid(after) == solid(text)
    assert "".join(clusters(after)) == after
    assert after.count("  ") <= text.count("  ")


@quick
@given(text=texts, strength=strengths, seed=seeds)
def test_punctuation_changes_nothing_but_punctuation(text, strength, seed) -> None:
    def without_marks(text: str) -> list[str]:
        return [cluster for cluster in clusters(text) if unicodedata.category(cluster[0]) != "Po"]

    after = noisy(text, "punctuation", strength, seed)
    assert without_marks(after) == without_marks(text)


@quick
@given(text=sentences, strength=strengths, seed=seeds)
def test_shuffle_moves_words_within_a_window(text, strength, seed) -> None:
    after = noisy(text, "shuffle", strength, seed)
    assert collections.Counter(clusters(after)) == collections.Counter(clusters(text))
    pieces = segments.of(text)
    # What is no word stands between as many words as before.
    for run in order._runs(pieces):
        for start in range(0, len(run), order.WINDOW):
            window = run[start : start + order.WINDOW]
            part = slice(window[0].start, window[-1].end)
            assert sorted(clusters(text)[part]) == sorted(clusters(after)[part])


def test_shuffle_keeps_words_whole_and_marks_in_their_places() -> None:
    text = "one two, three four five six. Seven eight; nine ten"
    found = {noisy(text, "shuffle", 100, seed) for seed in range(40)}
    assert text not in found
    for after in found:
        words = [word.strip(",.;") for word in after.split()]
        assert sorted(words[:3]) == ["one", "three", "two"]
        assert sorted(words[3:6]) == ["five", "four", "six"]
        assert words[6:] == ["eight", "Seven", "ten", "nine"]
        assert [index for index, char in enumerate(after) if char == "."] == [28]


@kinds
@settings(max_examples=100)
@given(data=st.data(), strength=strengths, seed=seeds)
def test_what_is_protected_stays(kind, data, strength, seed) -> None:
    before, after = data.draw(sentences), data.draw(sentences)
    kept = data.draw(st.sampled_from(["প্রশ্ন:", "Åbo ( Turku )", "我已经", "x", "स्त्री एक"]))
    text = before + kept + after
    span = (len(before), len(before) + len(kept))
    noise = noisy(text, kind, strength, seed, protected=[span])
    held = [
        cluster
        for cluster, flag in zip(clusters(text), segments.of(text, [span]).protected, strict=True)
        if flag
    ]
    assert kept in "".join(held)
    assert "".join(held) in noise
    assert noise.count("".join(held)) >= text.count("".join(held)) - (before + after).count(
        "".join(held)
    )


@pytest.mark.parametrize("kind", ["typos", "undiacritics", "homoglyphs", "swaps"])
@quick
@given(text=texts, low=strengths, high=strengths, seed=seeds)
def test_what_changes_at_a_lower_strength_changes_at_a_higher(kind, text, low, high, seed) -> None:
    low, high = sorted((low, high))
    few = changed(text, noisy(text, kind, low, seed))
    many = changed(text, noisy(text, kind, high, seed))
    assert set(few) <= set(many)


@given(count=st.integers(0, 500), strength=strengths)
def test_the_number_of_changes_is_strength_percent_on_average(count, strength) -> None:
    """Exactly: over the hundred draws that rounding makes, the numbers add up to count·strength."""

    class Draw(random.Random):
        def __init__(self, value: float):
            super().__init__(0)
            self.value = value

        def random(self) -> float:
            return self.value

    numbers = [edits.number(count, strength, Draw((k + 0.5) / 100)) for k in range(100)]
    assert sum(numbers) == count * strength
    assert max(numbers) - min(numbers) <= 1


@pytest.mark.parametrize("kind", ["typos", "deletions", "swaps", "homoglyphs"])
@given(count=st.integers(0, 60), strength=strengths, seed=seeds)
@settings(max_examples=40)
def test_that_share_of_the_words_is_changed(kind, count, strength, seed) -> None:
    before = ["coffee"] * count
    after = noisy(" ".join(before), kind, strength, seed).split()
    different = sum(one != other for one, other in zip(before, after, strict=True))
    exact = count * strength / 100
    assert exact - 1 < different < exact + 1


def test_scripts_without_spaces_are_cut_into_pieces_that_stand_for_words() -> None:
    pieces = segments.of("我已经回来了。บ้านแล้ว ok")
    assert ["".join(pieces.of(word)) for word in pieces.words] == [
        *("我已", "经回", "来了", "บ้านแ", "ล้ว", "ok")
    ]


def test_numbers_and_short_words_are_left_alone_inside() -> None:
    text = "at 10:45 on 3.5.2020 by 1,000 x2y of us"
    for kind in ("typos", "deletions", "swaps"):
        assert noisy(text, kind, 100) == text
    numbers = ("10:45", "3.5.2020", "1,000", "x2y")
    assert all(number in noisy(text, "punctuation", 100) for number in numbers)
    assert noisy("3 , 5", "shuffle", 100) == "3 , 5"


def test_spaced_punctuation_stays_spaced() -> None:
    spaced = segments.of("he ran , fast .")
    for seed in range(20):
        found = punctuation(spaced, Style("en", spaced=True), random.Random(seed))
        after = edits.apply(spaced, found, 100, random.Random(seed))
        assert all(token.isalpha() or len(token) == 1 for token in after.split())
        assert [token for token in after.split() if token.isalpha()] == ["he", "ran", "fast"]


def test_clusters_that_would_melt_into_one_are_not_brought_together() -> None:
    """Without the space, or swapped, the virama would bind the next consonant."""
    text = "श्रीमान् कमल"
    for seed in range(30):
        for kind in KINDS:
            joined = clusters(noisy(text, kind, 100, seed))
            assert not {"न्क", "न्मा", "न्म"} & set(joined)


def test_a_kind_that_needs_a_row_is_no_kind_of_text() -> None:
    with pytest.raises(DataError, match="'clause' alone, only by typos"):
        perturb("x", "clause", 10, random.Random(0))
