"""Lexicons of the sample languages, and which languages write a word alike.

A concept's form is either shared by a group of languages (cognates and loans, which keep their
spelling and script) or a language's own. How large the groups are is the lexical dial:

  'relation'  genealogy and geography decide, as lang2vec has them;
  'equal'     the same concepts are shared by all languages: every pair overlaps equally;
  'drawn'     overlap varies strongly and has nothing to do with typology: each language takes
              part in the common stock of words to its own, randomly drawn degree.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tasks import typology
from tasks.sample_world.scripts import SCRIPTS, WordMaker

ENTITY_TYPES = ("PER", "LOC", "ORG")

# Word classes that say what a name is, and how many pairs of opposites each has per entity type.
WORD_CLASSES = {
    "adjective": 2,
    "adposition": 1,
    "possessor": 2,  # the relational noun of which the name is the possessor: 'mother of N'
    "object": 2,  # the transitive verb whose object the name is
    "subject": 2,  # the intransitive verb whose subject the name is
    "kind": 2,  # the noun that names the type itself: 'N is a city', 'which city?'
}
# The classes that a clause is made of; a kind is what follows from them.
CUE_CLASSES = tuple(name for name in WORD_CLASSES if name != "kind")
FUNCTION_WORDS = ("not", "the", "which", "it")
AFFIXES = ("negation", "tense", "plural", "definite", "case")
NEUTRAL_VERBS = 3

NUM_NAMES = 24


@dataclasses.dataclass(frozen=True, order=True)
class Concept:
    """A lexical meaning.

    Attributes:
      word_class: a key of WORD_CLASSES, 'verb' for a verb that says nothing of its arguments, or
        'function'.
      entity_type: PER, LOC or ORG for a cue, else ''.
      pair: which pair of opposites; for others, which concept.
      pole: 0 or 1, the end of the pair.
      rank: in [0, 1), decides which order the word takes where a language has no dominant one.
    """

    word_class: str
    entity_type: str
    pair: int
    pole: int = 0
    rank: float = 0.0
    name: str = ""

    @property
    def key(self) -> str:
        """A readable name, unique among concepts."""
        return self.name or f"{self.word_class}.{self.entity_type}.{self.pair}.{self.pole}"


def _cues() -> tuple[Concept, ...]:
    cues = []
    for word_class, pairs in WORD_CLASSES.items():
        number = 0
        for entity_type in ENTITY_TYPES:
            for pair in range(pairs):
                for pole in (0, 1):
                    # Opposites differ in rank, so 'no dominant order' splits every pair and type.
                    rank = ((number + pole) % 2 + 0.5) / 2
                    cues.append(Concept(word_class, entity_type, pair, pole, rank))
                number += 1
    return tuple(cues)


CUES = _cues()
VERBS = tuple(
    Concept("verb", "", i, rank=(i % 2 + 0.5) / 2, name=f"verb.{i}") for i in range(NEUTRAL_VERBS)
)
KINDS = tuple(cue for cue in CUES if cue.word_class == "kind")
FUNCTIONS = tuple(Concept("function", "", i, name=word) for i, word in enumerate(FUNCTION_WORDS))
CONCEPTS = (*CUES, *VERBS, *FUNCTIONS)


@dataclasses.dataclass(frozen=True)
class Lexicon:
    """The words of one language.

    Attributes:
      words: concept key to written form.
      affixes: affix to written form.
    """

    words: Mapping[str, str]
    affixes: Mapping[str, str]

    def __getitem__(self, concept: Concept) -> str:
        return self.words[concept.key]


def names(rng: np.random.Generator, taken: set[str]) -> tuple[str, ...]:
    """Makes up the names of the world: Latin letters, the same in all languages."""
    maker = WordMaker("en", rng, taken)
    return tuple(maker.word(2).capitalize() for _ in range(NUM_NAMES))


def lexicons(
    languages: Sequence[str], sharing: np.ndarray, rng: np.random.Generator, taken: set[str]
) -> dict[str, Lexicon]:
    """Makes up the words of all languages.

    Args:
      languages: ISO 639-1 codes.
      sharing: symmetric [n, n], the probability that a word is shared (see `sharing_*`).
      rng: source of the choices.
      taken: words that may not be used again; grows.
    """
    makers = {language: WordMaker(language, rng, taken) for language in languages}
    words: dict[str, dict[str, str]] = {language: {} for language in languages}
    fields = sorted({(c.word_class, c.entity_type, c.pair) for c in CONCEPTS})
    groups = dict(zip(fields, _groups(sharing, len(fields), rng), strict=True))
    for concept in CONCEPTS:
        # Opposites are borrowed together: who says 'with' says 'without'.
        group_of = groups[concept.word_class, concept.entity_type, concept.pair]
        syllables = 1 if concept.word_class in ("function", "adposition") else 2
        for group in sorted(set(group_of)):
            members = [
                language for language, g in zip(languages, group_of, strict=True) if g == group
            ]
            # A word that crosses scripts is written in Latin letters if any of its languages is.
            latin = [member for member in members if SCRIPTS[member] == "Latin"]
            lenders = latin or members
            lender = lenders[int(rng.integers(len(lenders)))]
            form = makers[lender].word(syllables)
            for language in members:
                words[language][concept.key] = form
    return {
        language: Lexicon(
            words[language],
            # Affixes are a language's own, and may look like another's by accident.
            dict(zip(AFFIXES, WordMaker(language, rng, set()).words(1, len(AFFIXES)), strict=True)),
        )
        for language in languages
    }


def overlap(one: Lexicon, other: Lexicon) -> float:
    """Returns the share, in [0, 1], of concepts that two languages write alike."""
    same = [one.words[key] == other.words[key] for key in one.words]
    return sum(same) / len(same)


def sharing(
    languages: Sequence[str], dial: str, low: float, high: float, rng: np.random.Generator
) -> np.ndarray:
    """Returns [n, n], for each pair of languages the probability that a word is shared.

    Args:
      dial: 'relation', 'equal' or 'drawn' (see the module).
      low: probability of the least related pair.
      high: probability of the closest; 'equal' uses the mean of both.
    """
    n = len(languages)
    if dial == "equal":
        return np.full((n, n), (low + high) / 2)
    if dial == "drawn":
        degree = rng.permutation(np.linspace(low, high, n))
        return np.minimum(degree[:, None], degree[None, :])
    family = typology.cosine_similarity(typology.vectors("fam", languages)[1])
    near = typology.cosine_similarity(typology.vectors("geo", languages)[1])
    # Great-circle distances to reference points are all alike: spread them over [0, 1].
    near = (near - near.min()) / (1 - near.min())
    related = 0.5 * np.sqrt(family) + 0.5 * near**2
    others = related[~np.eye(n, dtype=bool)]
    scaled = (related - others.min()) / (others.max() - others.min())
    return np.clip(low + (high - low) * scaled, low, high)


def _groups(sharing: np.ndarray, count: int, rng: np.random.Generator) -> list[list[int]]:
    """Draws `count` partitions of the languages; a pair falls together about as often as it shares.

    A threshold is drawn evenly from [0, 1) (stratified, so that small lexicons come out as planted)
    and languages whose sharing exceeds it are joined.
    """
    thresholds = rng.permutation((np.arange(count) + rng.random(count)) / count)
    return [_components(sharing > threshold) for threshold in thresholds]


def _components(linked: np.ndarray) -> list[int]:
    """Returns for each node the smallest node that it is connected to."""
    group = list(range(len(linked)))
    for i in range(len(linked)):
        for j in range(i):
            if linked[i, j] and group[i] != group[j]:
                old, new = max(group[i], group[j]), min(group[i], group[j])
                group = [new if g == old else g for g in group]
    return group
