"""Grammars of the sample languages: word and affix order as WALS describes it (via lang2vec).

Where WALS knows both orders of a construction ("no dominant order"), half of the words that head
it take the one and half the other, so that a sentence still has one reading.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from tasks import typology

# Parameter -> its values and the lang2vec features that speak for each. A value without features
# is what remains when none of the others is there.
ORDERS: dict[str, dict[str, str | None]] = {
    "subject": {
        "before_verb": "S_SUBJECT_BEFORE_VERB",
        "after_verb": "S_SUBJECT_AFTER_VERB",
    },
    "object": {
        "before_verb": "S_OBJECT_BEFORE_VERB",
        "after_verb": "S_OBJECT_AFTER_VERB",
    },
    "oblique": {
        "before_verb": "S_OBLIQUE_BEFORE_VERB",
        "after_verb": "S_OBLIQUE_AFTER_VERB",
    },
    "adposition": {
        "before_noun": "S_ADPOSITION_BEFORE_NOUN",
        "after_noun": "S_ADPOSITION_AFTER_NOUN",
    },
    "adjective": {
        "before_noun": "S_ADJECTIVE_BEFORE_NOUN",
        "after_noun": "S_ADJECTIVE_AFTER_NOUN",
    },
    "possessor": {
        "before_noun": "S_POSSESSOR_BEFORE_NOUN",
        "after_noun": "S_POSSESSOR_AFTER_NOUN",
    },
    "numeral": {
        "before_noun": "S_NUMERAL_BEFORE_NOUN",
        "after_noun": "S_NUMERAL_AFTER_NOUN",
    },
    "negation": {
        "word_before_verb": "S_NEGATIVE_WORD_BEFORE_VERB",
        "word_after_verb": "S_NEGATIVE_WORD_AFTER_VERB",
        "prefix": "S_NEGATIVE_PREFIX",
        "suffix": "S_NEGATIVE_SUFFIX",
    },
    "tense": {"prefix": "S_TAM_PREFIX", "suffix": "S_TAM_SUFFIX", "none": None},
    "plural": {"prefix": "S_PLURAL_PREFIX", "suffix": "S_PLURAL_SUFFIX", "none": None},
    "definite": {"affix": "S_DEFINITE_AFFIX", "word": "S_DEFINITE_WORD", "none": None},
    "case": {"suffix": "S_CASE_SUFFIX", "none": None},
}

# The grammar of all languages in a world whose syntax is shared: of the ten, the language whose
# grammar is on average nearest to the others'.
SHARED_SYNTAX_OF = "es"


@dataclasses.dataclass(frozen=True)
class Grammar:
    """Word and affix order of one language.

    Attributes:
      parameters: parameter -> value -> share of the words that follow it; shares add up to 1.
    """

    parameters: Mapping[str, Mapping[str, float]]

    def choose(self, parameter: str, rank: float) -> str:
        """Returns the parameter's value for a word of the given rank in [0, 1).

        The rank belongs to the meaning and not to the language, so that two languages without a
        dominant order agree on the words.
        """
        total = 0.0
        for name, share in self.parameters[parameter].items():
            total += share
            if rank < total:
                return name
        return name


def grammar_of(language: str) -> Grammar:
    """Returns the grammar of an ISO 639-1 language as lang2vec has it."""
    parameters = {}
    for parameter, values in ORDERS.items():
        present = [
            name
            for name, feature in values.items()
            if feature and typology.value(language, feature)
        ]
        if not present:
            # No value speaks: 'none' where the construction can be absent, else no dominant order.
            present = ["none"] if "none" in values else list(values)[:2]
        parameters[parameter] = {name: 1 / len(present) for name in values if name in present}
    return Grammar(parameters)


def grammars(languages: Sequence[str], syntax: str) -> dict[str, Grammar]:
    """Returns each language's grammar; `syntax` is 'typology', or 'shared' for one and the same."""
    if syntax == "shared":
        return dict.fromkeys(languages, grammar_of(SHARED_SYNTAX_OF))
    return {language: grammar_of(language) for language in languages}


def similarity(one: Grammar, other: Grammar) -> float:
    """Returns the share of constructions, in [0, 1], that two grammars form in the same way.

    The mean over the parameters of what two distributions over a parameter's values have in common.
    """
    common = [
        sum(
            min(share, other.parameters[parameter].get(name, 0.0)) for name, share in values.items()
        )
        for parameter, values in one.parameters.items()
    ]
    return sum(common) / len(common)
