"""Meanings of the sample sentences: who is what, before any language says it.

Every name of a clause has exactly one cue, the word that belongs to it and says what it is (a
person, a place or an organisation). Names themselves say nothing: any name can be any of them.
"""

import dataclasses
import random
from collections.abc import Sequence

from tasks.sample_world.lexicons import CUE_CLASSES, CUES, ENTITY_TYPES, KINDS, VERBS, Concept


@dataclasses.dataclass(frozen=True)
class NounPhrase:
    """A name, with an adjective ('wise N') or as a possessor ('mother of N'), or bare.

    Attributes:
      name: as written.
      cue: an 'adjective' or 'possessor' concept, or None where verb or adposition is the cue.
      number: a numeral that counts the noun phrase, or None.
      plural: whether the possessed noun is plural.
      definite: whether the possessed noun is definite.
    """

    name: str
    cue: Concept | None = None
    number: int | None = None
    plural: bool = False
    definite: bool = False


@dataclasses.dataclass(frozen=True)
class Clause:
    """A subject, and perhaps a verb, an object and an oblique phrase with its adposition."""

    subject: NounPhrase
    verb: Concept | None = None
    object: NounPhrase | None = None
    oblique: tuple[Concept, NounPhrase] | None = None
    negated: bool = False
    past: bool = False

    def phrases(self) -> list[NounPhrase]:
        """The noun phrases: subject, object, oblique, as far as they are there."""
        oblique = self.oblique[1] if self.oblique else None
        return [phrase for phrase in (self.subject, self.object, oblique) if phrase]

    def facts(self) -> list[tuple[str, Concept]]:
        """Each name with its cue, in the order of `phrases`; not of a clause with a bare object."""
        facts = []
        for phrase in self.phrases():
            if phrase.cue is not None:
                cue = phrase.cue
            elif self.oblique and phrase is self.oblique[1]:
                cue = self.oblique[0]
            else:
                assert self.verb is not None
                cue = self.verb
            facts.append((phrase.name, cue))
        return facts


class Imagination:
    """Thinks up clauses.

    Args:
      names: the names to speak of.
      rng: source of all choices.
    """

    def __init__(self, names: Sequence[str], rng: random.Random) -> None:
        self._names = list(names)
        self._rng = rng
        self._cues = {
            (word_class, entity_type): [
                cue
                for cue in CUES
                if (cue.word_class, cue.entity_type) == (word_class, entity_type)
            ]
            for word_class in CUE_CLASSES
            for entity_type in ENTITY_TYPES
        }

    def clause(self, names: Sequence[str] | None = None, untyped_object: bool = False) -> Clause:
        """Returns a clause with two or three names and no word twice.

        Args:
          names: the three names to use instead of random ones.
          untyped_object: ends the clause with an object that has no cue ('wise N meets M').
        """
        first, second, third = names or self.pick(self._names, 3)
        kind = self._rng.random()
        used: list[Concept] = []
        past, negated = self._rng.random() < 0.3, self._rng.random() < 0.15
        verb: Concept | None
        thing: NounPhrase | None
        if untyped_object:
            verb, thing = self._rng.choice(VERBS), NounPhrase(second)
            return Clause(self._modified(first, used), verb, thing, None, negated, past)
        oblique = (self._cue("adposition", used), NounPhrase(third))
        if kind < 0.25:
            # 'N sings with M.'
            subject = NounPhrase(first)
            verb, thing = self._cue("subject", used), None
        elif kind < 0.6:
            # 'Wise N marries M (in K).'
            subject = self._modified(first, used)
            verb, thing = self._cue("object", used), NounPhrase(second)
        else:
            # 'Wise N (meets) mother of M (in K).'
            subject, thing = self._modified(first, used), self._modified(second, used)
            verb = self._rng.choice(VERBS) if self._rng.random() < 0.5 else None
        with_oblique = thing is None or self._rng.random() < 0.6
        return Clause(subject, verb, thing, oblique if with_oblique else None, negated, past)

    def clauses(self, count: int) -> list[Clause]:
        """Returns clauses about different names (a word may come back in another clause)."""
        names = self.pick(self._names, 3 * count)
        return [self.clause(names[3 * i : 3 * i + 3]) for i in range(count)]

    def kind(self, entity_type: str) -> Concept:
        """Returns a noun for an entity type."""
        return self._rng.choice([kind for kind in KINDS if kind.entity_type == entity_type])

    def other_names(self, known: Sequence[str], count: int) -> list[str]:
        """Returns `count` names that are not among those known."""
        return self.pick([name for name in self._names if name not in known], count)

    def pick(self, choices: Sequence, count: int) -> list:
        """Returns `count` different choices in random order."""
        return self._rng.sample(choices, count)

    def _modified(self, name: str, used: list[Concept]) -> NounPhrase:
        word_class = "adjective" if self._rng.random() < 0.5 else "possessor"
        number = self._rng.randrange(2, 10) if self._rng.random() < 0.15 else None
        plural = word_class == "possessor" and (number is not None or self._rng.random() < 0.2)
        definite = word_class == "possessor" and self._rng.random() < 0.2
        return NounPhrase(name, self._cue(word_class, used), number, plural, definite)

    def _cue(self, word_class: str, used: list[Concept]) -> Concept:
        """Draws a cue whose pair of opposites the clause has not used."""
        entity_type = self._rng.choice(ENTITY_TYPES)
        pairs = {(cue.word_class, cue.entity_type, cue.pair) for cue in used}
        free = [
            cue
            for cue in self._cues[word_class, entity_type]
            if (cue.word_class, cue.entity_type, cue.pair) not in pairs
        ]
        if not free:
            return self._cue(word_class, used)
        cue = self._rng.choice(free)
        used.append(cue)
        return cue
