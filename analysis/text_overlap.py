"""Lexical overlap of languages, measured on the text that the model was pretrained on.

Two languages' overlap is the Jaccard index of their vocabularies: types that both use, over types
that either uses. Types grow with text, so every language gives the same number of running words.
"""

import itertools
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from analysis.pairs import Pair, PairMatrix

C4 = "c4/multilingual/3.1.0"
WORDS_PER_LANGUAGE = 20_000
SENTENCEPIECE = "sample_vocabulary/sentencepiece.model"


def jaccard(left: set[str], right: set[str]) -> float | None:
    """Returns the share of types in common, or None of two empty vocabularies."""
    union = len(left | right)
    return len(left & right) / union if union else None


def overlap(
    words: Mapping[str, Sequence[str]], pieces: Callable[[str], Iterable[str]] | None = None
) -> PairMatrix:
    """Returns the Jaccard index of vocabularies, over equally many running words of each language.

    Args:
      words: language -> running words; a language without any is unknown.
      pieces: splits a word into the subword pieces to compare; words themselves by default.
    """
    spoken = {language: text for language, text in words.items() if len(text)}
    count = min((len(text) for text in spoken.values()), default=0)
    types: dict[str, set[str]] = {}
    for language, text in spoken.items():
        types[language] = set(text[:count])
        if pieces is not None:
            types[language] = {piece for word in types[language] for piece in pieces(word)}
    values: dict[Pair, float] = {}
    for s, t in itertools.product(types, repeat=2):
        index = jaccard(types[s], types[t])
        if index is not None:
            values[s, t] = index
    return PairMatrix.from_mapping(tuple(words), values)


def common_share(
    words: Mapping[str, Sequence[str]], pieces: Callable[[str], Iterable[str]] | None = None
) -> PairMatrix:
    """Returns how much of two texts is alike: sum over types of the lesser of its two shares.

    Over equally many running words of each language; 1 for texts of the same types in the same
    proportions, 0 where no type is in both (one minus the total variation distance).

    Args:
      words: language -> running words; a language without any is unknown.
      pieces: splits a word into what is counted; words themselves by default.
    """
    spoken = {language: text for language, text in words.items() if len(text)}
    count = min((len(text) for text in spoken.values()), default=0)
    shares: dict[str, dict[str, float]] = {}
    for language, text in spoken.items():
        running = text[:count] if pieces is None else [p for w in text[:count] for p in pieces(w)]
        counts = Counter(running)
        shares[language] = {one: n / len(running) for one, n in counts.items()}
    values = {
        (s, t): sum(min(share, shares[t].get(one, 0.0)) for one, share in shares[s].items())
        for s, t in itertools.product(shares, repeat=2)
    }
    return PairMatrix.from_mapping(tuple(words), values)


def pretraining_words(
    data_dir: str | os.PathLike[str], languages: Sequence[str], count: int = WORDS_PER_LANGUAGE
) -> dict[str, list[str]]:
    """Returns the first `count` words of each language's pretraining text, lower-cased.

    Reads the TFDS data set c4/multilingual:3.1.0 under `data_dir`. Words are what white space
    separates, less punctuation at their ends. A language without a split, or a folder without
    the data set, gives no words.
    """
    folder = Path(data_dir) / C4
    if not folder.is_dir():
        return {language: [] for language in languages}
    import tensorflow_datasets as tfds  # heavy

    from tasks.languages import MC4_CODES

    builder = tfds.builder_from_directory(folder)
    words: dict[str, list[str]] = {}
    for language in languages:
        words[language] = []
        split = MC4_CODES.get(language, language)
        if split not in builder.info.splits:
            continue
        for example in tfds.as_numpy(builder.as_dataset(split=split)):
            words[language] += split_words(example["text"].decode("utf-8"))
            if len(words[language]) >= count:
                break
        words[language] = words[language][:count]
    return words


def split_words(text: str) -> list[str]:
    """Returns the words of a text, lower-cased, without punctuation at their ends.

    >>> split_words("¿Qué? Don't -- go!")
    ['qué', "don't", 'go']
    """
    stripped = (_strip(token) for token in text.lower().split())
    return [word for word in stripped if word]


def piece_splitter(data_dir: str | os.PathLike[str]) -> Callable[[str], Iterable[str]] | None:
    """Returns the piece splitter of the vocabulary under `data_dir`, or None without one."""
    model = Path(data_dir) / SENTENCEPIECE
    if not model.is_file():
        return None
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))

    def split(word: str) -> list[str]:
        return processor.encode(word, out_type=str)

    return split


def _strip(token: str) -> str:
    """Removes what is neither letter, mark nor digit from both ends of a token.

    Marks count: the vowel signs of Bengali and Hindi are letters to their readers.
    """
    start, end = 0, len(token)
    while start < end and unicodedata.category(token[start])[0] not in "LMN":
        start += 1
    while end > start and unicodedata.category(token[end - 1])[0] not in "LMN":
        end -= 1
    return token[start:end]
