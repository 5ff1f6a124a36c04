"""What the pretraining text says: shared words, pieces and characters, fertility and length."""

import os
from collections.abc import Sequence

from analysis import text_overlap
from analysis.features.pair_feature import PairFeature, of_language
from analysis.pairs import PairMatrix


def textual(data_dir: str | os.PathLike[str], languages: Sequence[str]) -> list[PairFeature]:
    """Returns the features of all pairs from the pretraining text under `data_dir`."""
    words = text_overlap.pretraining_words(data_dir, languages)
    running = min((len(w) for w in words.values() if w), default=0)
    if not running:
        return []
    source = f"in the first {running:,} running words of each language's pretraining text"
    types = f"Jaccard index of the %s types {source}"
    weighted = f"the %ss that two texts have in common, by their share of each {source}"

    def feature(key: str, label: str, noun: str, told: str, values: PairMatrix) -> PairFeature:
        return PairFeature(key, label, noun, "text", told, values)

    overlap, common = text_overlap.overlap, text_overlap.common_share
    found = [
        feature("word_overlap", "Shared words", "more shared words",
                types % "lower-cased word", overlap(words)),
        feature("word_common", "Words in common, weighted", "more text in the same words",
                weighted % "word", common(words)),
        feature("character_overlap", "Shared characters", "more shared characters",
                types % "character", overlap(words, list)),
        feature("character_common", "Characters in common, weighted",
                "more text in the same characters", weighted % "character", common(words, list)),
    ]  # fmt: skip
    pieces = text_overlap.piece_splitter(data_dir)
    if pieces is None:
        return found
    known = {code: text[:running] for code, text in words.items() if len(text)}
    split = {code: [len(list(pieces(word))) for word in text] for code, text in known.items()}
    fertility = {code: sum(counts) / running for code, counts in split.items()}
    density = {code: sum(split[code]) / sum(map(len, text)) for code, text in known.items()}
    return [
        *found,
        feature("piece_overlap", "Shared subword pieces", "more shared subword pieces",
                types % "vocabulary piece", overlap(words, pieces)),
        feature("piece_common", "Subword pieces in common, weighted",
                "more text in the same subword pieces", weighted % "piece", common(words, pieces)),
        *of_language("fertility", "Fertility", "higher fertility", "text",
                     f"vocabulary pieces a word {source}", fertility, languages),
        *of_language("density", "Pieces a character", "more pieces a character", "text",
                     f"vocabulary pieces a character {source}", density, languages),
    ]  # fmt: skip
