"""Writing systems of the sample languages: syllables from which words are made up.

Each language draws its words from the consonants and vowels of its own script; languages that
share a script differ in which letters they use, as real ones do.
"""

import numpy as np

# Script -> consonants, vowels. In Bengali, Devanagari, Telugu and Thai the vowels are signs that
# follow a consonant (in Thai only signs that are written after it are used).
ALPHABETS: dict[str, tuple[str, str]] = {
    "Latin": ("b d f g h k l m n p r s t v z j", "a e i o u"),
    "Cyrillic": ("б в г д ж з к л м н п р с т х ш", "а е и о у ы"),
    "Greek": ("β γ δ θ κ λ μ ν π ρ σ τ φ χ", "α ε η ι ο ω"),
    "Arabic": ("ب ت ج ح د ر ز س ش ص ع ف ق ك ل م ن ه", "ا و ي"),
    "Devanagari": ("क ख ग च ज ट ड त द न प ब म य र ल व स ह", "ा ि ी े ो ु"),
    "Bengali": ("ক খ গ চ জ ট ড ত দ ন প ব ম র ল স হ", "া ি ী ে ো ু"),
    "Telugu": ("క గ చ జ ట డ త ద న ప బ మ ర ల వ స", "ా ి ీ ె ో ు"),
    "Thai": ("ก ข ค ง จ ด ต น บ ป ม ร ล ว ส", "า ี ู ะ"),
    "Han": ("山 水 木 人 日 月 火 土 金 石 田 力 口 手 心 目 小 大 中 天", ""),
    "Kana": ("か き く け こ さ し す せ そ た ち つ て と な に ぬ ね の", ""),
    "Hangul": ("가 나 다 라 마 바 사 아 자 차 카 타 파 하 고 노 도 로 모 보", ""),
}

# Letters that a language's own words leave out or add, so that Latin scripts look different.
EXTRA_VOWELS = {
    "de": "ä ö ü",
    "fi": "ä ö y",
    "tr": "ı ö ü",
    "es": "á ó",
    "fr": "é è",
    "vi": "ă ơ ư",
}
ABSENT_CONSONANTS = {"fi": "b d f g z", "sw": "", "id": "v z f", "es": "k v", "en": "j", "de": "j"}

SCRIPTS = {
    "ar": "Arabic",
    "bg": "Cyrillic",
    "bn": "Bengali",
    "de": "Latin",
    "el": "Greek",
    "en": "Latin",
    "es": "Latin",
    "fi": "Latin",
    "fr": "Latin",
    "hi": "Devanagari",
    "id": "Latin",
    "ja": "Kana",
    "ko": "Hangul",
    "ru": "Cyrillic",
    "sw": "Latin",
    "te": "Telugu",
    "th": "Thai",
    "tr": "Latin",
    "ur": "Arabic",
    "vi": "Latin",
    "zh": "Han",
}


class WordMaker:
    """Makes up new words of one language; never the same word twice in a world.

    Args:
      language: ISO 639-1 code.
      rng: source of the choices.
      taken: all words of the world so far, shared by its makers; grows with every word.
    """

    def __init__(self, language: str, rng: np.random.Generator, taken: set[str]) -> None:
        consonants, vowels = ALPHABETS[SCRIPTS[language]]
        absent = ABSENT_CONSONANTS.get(language, "").split()
        self._consonants = [c for c in consonants.split() if c not in absent]
        self._vowels = [*vowels.split(), *EXTRA_VOWELS.get(language, "").split()] or [""]
        self._rng = rng
        self._taken = taken

    def word(self, syllables: int) -> str:
        """Returns a word of that many syllables (one more if no shorter one is free)."""
        for attempt in range(1000):
            length = syllables + attempt // 100
            made = "".join(
                self._pick(self._consonants) + self._pick(self._vowels) for _ in range(length)
            )
            if made not in self._taken:
                self._taken.add(made)
                return made
        raise AssertionError("a script has run out of words")

    def words(self, syllables: int, count: int) -> list[str]:
        """Returns that many words."""
        return [self.word(syllables) for _ in range(count)]

    def _pick(self, letters: list[str]) -> str:
        return letters[int(self._rng.integers(len(letters)))]
