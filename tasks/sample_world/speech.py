"""From a meaning to the words of a language: order, affixes and function words of its grammar."""

import dataclasses

from tasks.sample_world.grammars import Grammar
from tasks.sample_world.lexicons import FUNCTIONS, Concept, Lexicon
from tasks.sample_world.meanings import Clause, NounPhrase

_NOT, _THE, _WHICH, _IT = FUNCTIONS
FULL_STOP = "."
QUESTION_MARK = "?"


@dataclasses.dataclass(frozen=True)
class Language:
    """A language: what decides how a meaning is said."""

    code: str
    grammar: Grammar
    lexicon: Lexicon

    def clause(self, clause: Clause) -> list[str]:
        """Returns the words of a clause, without a full stop."""
        head = clause.verb.rank if clause.verb else 0.25
        subject = self.noun_phrase(clause.subject)
        verb = self._verb(clause) if clause.verb else []
        before: list[str] = []
        after: list[str] = []
        (before if self._order("subject", head) == "before_verb" else after).extend(subject)
        if clause.object:
            thing = self.noun_phrase(clause.object, is_object=True)
            (before if self._order("object", head) == "before_verb" else after).extend(thing)
        if clause.oblique:
            oblique = self.adposition_phrase(*clause.oblique)
            (before if self._order("oblique", head) == "before_verb" else after).extend(oblique)
        return before + verb + after

    def noun_phrase(self, phrase: NounPhrase, is_object: bool = False) -> list[str]:
        """Returns the words of a noun phrase."""
        words = [phrase.name]
        if phrase.cue is not None:
            before = self._order(phrase.cue.word_class, phrase.cue.rank) == "before_noun"
            if phrase.cue.word_class == "adjective":
                words = self._beside(words, [self.lexicon[phrase.cue]], before)
            else:
                noun = self._noun(phrase, is_object)
                # The possessor is the name, so the noun goes to the other side.
                words = self._beside(words, noun, not before)
        if phrase.number is not None:
            before = self._order("numeral", 0.25) == "before_noun"
            words = self._beside(words, [str(phrase.number)], before)
        return words

    def adposition_phrase(self, adposition: Concept, phrase: NounPhrase) -> list[str]:
        """Returns adposition and noun phrase in the language's order."""
        before = self._order("adposition", adposition.rank) == "before_noun"
        return self._beside(self.noun_phrase(phrase), [self.lexicon[adposition]], before)

    def fact(self, name: str, cue: Concept) -> list[str]:
        """Returns the shortest sentence that says that the cue belongs to the name."""
        match cue.word_class:
            case "adjective" | "possessor":
                return self.noun_phrase(NounPhrase(name, cue))
            case "adposition":
                return self.adposition_phrase(cue, NounPhrase(name))
            case "kind":
                return [name, self.lexicon[cue]]
            case "subject":
                return self.clause(Clause(NounPhrase(name), cue))
            case _:
                before = self._order("object", cue.rank) == "before_verb"
                return self._beside([self.lexicon[cue]], [name], before)

    def claim(self, kind: Concept) -> list[str]:
        """Returns 'it is a city'; the pronoun stands for the name last mentioned."""
        return [self.lexicon[_IT], self.lexicon[kind]]

    def question(self, kind: Concept) -> list[str]:
        """Returns the question for the name of a kind: 'which city'."""
        return [self.lexicon[_WHICH], self.lexicon[kind]]

    def _verb(self, clause: Clause) -> list[str]:
        assert clause.verb is not None
        form = self.lexicon[clause.verb]
        if clause.past:
            form = self._affixed(form, "tense", self._order("tense", clause.verb.rank))
        if not clause.negated:
            return [form]
        match self._order("negation", clause.verb.rank):
            case "word_before_verb":
                return [self.lexicon[_NOT], form]
            case "word_after_verb":
                return [form, self.lexicon[_NOT]]
            case side:
                return [self._affixed(form, "negation", side)]

    def _noun(self, phrase: NounPhrase, is_object: bool) -> list[str]:
        cue = phrase.cue
        assert cue is not None
        form = self.lexicon[cue]
        if phrase.plural:
            form = self._affixed(form, "plural", self._order("plural", cue.rank))
        if is_object:
            form = self._affixed(form, "case", self._order("case", cue.rank))
        if phrase.definite:
            match self._order("definite", cue.rank):
                case "word":
                    return [self.lexicon[_THE], form]
                case "affix":
                    form = self._affixed(form, "definite", "suffix")
        return [form]

    def _affixed(self, form: str, affix: str, side: str) -> str:
        if side == "prefix":
            return self.lexicon.affixes[affix] + form
        return form + self.lexicon.affixes[affix] if side == "suffix" else form

    def _order(self, parameter: str, rank: float) -> str:
        return self.grammar.choose(parameter, rank)

    @staticmethod
    def _beside(words: list[str], added: list[str], before: bool) -> list[str]:
        return added + words if before else words + added


def text(words: list[str], end: str = FULL_STOP) -> str:
    """Joins words into a sentence with its final mark, set off by a space."""
    return " ".join([*words, end])
