"""A sample world: its dials, its languages, and the truth that was planted in it."""

import dataclasses
import random
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tasks import languages as official
from tasks import typology
from tasks.errors import DataError
from tasks.sample_world import examples, grammars, lexicons, skills
from tasks.sample_world.examples import Row
from tasks.sample_world.meanings import Imagination
from tasks.sample_world.scripts import SCRIPTS
from tasks.sample_world.speech import Language

SYNTAX_DIALS = ("typology", "shared")
LEXICON_DIALS = ("relation", "equal", "drawn")

# The ten languages of the study come first. The others are there because the official data sets
# hold them: their words are made up of letters, not of whole pieces.
LANGUAGES = (
    *official.STUDY,
    *sorted({*official.XNLI, *official.PAWSX, *official.TYDIQA} - {*official.STUDY}),
)


@dataclasses.dataclass(frozen=True)
class Size:
    """How many examples of each kind.

    Attributes:
      train: training examples of a target task in one language.
      intermediate: training examples of an intermediate task.
      evaluation: examples of an evaluation split in one language.
      documents: documents of plain text in one of the ten languages.
      pieces: pieces of the vocabulary, without the 100 sentinels.
    """

    train: int
    intermediate: int
    evaluation: int
    documents: int
    pieces: int = 1200


SIZES = {
    "default": Size(train=10000, intermediate=4000, evaluation=200, documents=8000),
    "small": Size(train=300, intermediate=100, evaluation=50, documents=400),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What determines a world.

    Attributes:
      seed: of all random choices.
      syntax: 'typology' (each language's own, from WALS) or 'shared' (one grammar for all).
      lexicon: 'relation', 'equal' or 'drawn': which languages write words alike (see `lexicons`).
      overlap: least and greatest probability that two languages share a word.
      size: a key of SIZES.
    """

    seed: int = 0
    syntax: str = "typology"
    lexicon: str = "relation"
    overlap: tuple[float, float] = (0.3, 0.8)
    size: str = "default"

    def __post_init__(self) -> None:
        """Refuses what is not on the dials."""
        for name, dials in (("syntax", SYNTAX_DIALS), ("lexicon", LEXICON_DIALS), ("size", SIZES)):
            if getattr(self, name) not in dials:
                raise DataError(
                    f"{name} of the sample world is one of {', '.join(dials)}, "
                    f"not '{getattr(self, name)}'"
                )
        low, high = self.overlap
        if not 0 <= low <= high <= 1:
            raise DataError(f"overlap needs 0 <= least <= greatest <= 1, got {low} and {high}")


class World:
    """The languages of a sample world.

    Attributes:
      settings: what it was made from.
      languages: ISO 639-1 code to language.
      names: the names that all languages use.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        taken: set[str] = set()
        rng = self.rng("lexicons")
        self.names = lexicons.names(rng, taken)
        # The ten first and by themselves, so that the others do not decide who shares with whom.
        ten, others = official.STUDY, [code for code in LANGUAGES if code not in official.STUDY]
        words: dict[str, lexicons.Lexicon] = {}
        for codes in (ten, others):
            least, greatest = settings.overlap
            sharing = lexicons.sharing(codes, settings.lexicon, least, greatest, rng)
            words |= lexicons.lexicons(codes, sharing, rng, taken)
        by_rule = grammars.grammars(LANGUAGES, settings.syntax)
        self.languages = {code: Language(code, by_rule[code], words[code]) for code in LANGUAGES}

    @property
    def size(self) -> Size:
        """How many examples of each kind."""
        return SIZES[self.settings.size]

    def rng(self, *key: object) -> np.random.Generator:
        """Returns a source of random choices that depends on the seed and the key only."""
        number = zlib.crc32("/".join(map(str, key)).encode())
        return np.random.default_rng([self.settings.seed, number])

    def think(self, *key: object) -> Imagination:
        """Returns an imagination of its own for the key."""
        # Python's generator: single draws, of which there are millions, are its strength.
        return Imagination(
            self.names, random.Random("/".join(map(str, (self.settings.seed, *key))))
        )

    def truth(self) -> dict[str, Any]:
        """Returns what world.json holds."""

        def pairs(measure: Callable[[Language, Language], float]) -> dict[str, dict[str, float]]:
            return {
                one.code: {
                    other.code: round(measure(one, other), 6) for other in self.languages.values()
                }
                for one in self.languages.values()
            }

        return {
            "seed": self.settings.seed,
            "settings": dataclasses.asdict(self.settings),
            "languages": {
                code: {
                    "iso_639_3": typology.ISO_639_3[code],
                    "script": SCRIPTS[code],
                    "parameters": language.grammar.parameters,
                    "words": language.lexicon.words,
                    "affixes": language.lexicon.affixes,
                }
                for code, language in self.languages.items()
            },
            "names": self.names,
            # Which intermediate tasks ask what a target task asks.
            "shared_skills": skills.SHARED,
            "syntactic_similarity": pairs(lambda a, b: grammars.similarity(a.grammar, b.grammar)),
            "lexical_overlap": pairs(lambda a, b: lexicons.overlap(a.lexicon, b.lexicon)),
        }

    # Each generator depends on data set, language and split alone.

    def panx(self, code: str, split: str, count: int) -> Iterator[Row]:
        """Yields rows of wikiann/{code}."""
        return examples.panx(self.languages[code], self.think("panx", code, split), count)

    def tydiqa(self, code: str, split: str, count: int, of: str | None = None) -> Iterator[Row]:
        """Yields rows of tydi_qa/goldp: a language's own, or the translation of another's."""
        of = of or code
        think = self.think("tydiqa", of, split)
        return examples.tydiqa(self.languages[code], think, count, split, of)

    def pawsx(self, code: str, split: str, count: int, of: str | None = None) -> Iterator[Row]:
        """Yields rows of paws_x_wiki/{code}, or of xtreme_pawsx: the translation of another's."""
        return examples.pawsx(self.languages[code], self.think("pawsx", of or code, split), count)

    def inferences(self, split: str, count: int) -> Iterator[examples.Inference]:
        """Yields inferences, to be said in any language."""
        return examples.inferences(self.think("xnli", split), count)

    def multi_nli(self, split: str, count: int) -> Iterator[Row]:
        """Yields rows of multi_nli: inferences said in English."""
        return skills.snli(self.languages["en"], self.inferences(split, count))

    def xnli(self, split: str, count: int) -> Iterator[Row]:
        """Yields rows of xnli and xtreme_xnli: inferences said in fifteen languages."""
        for inference in self.inferences(split, count):
            said = {code: inference.say(self.languages[code]) for code in official.XNLI}
            yield {
                "premise": {code: premise for code, (premise, _) in said.items()},
                "hypothesis": {code: hypothesis for code, (_, hypothesis) in said.items()},
                "label": inference.label,
            }

    def documents(self, code: str, split: str, count: int) -> Iterator[str]:
        """Yields plain text of one language."""
        return examples.documents(self.languages[code], self.think("c4", code, split), count)
