"""Examples of the four target tasks and plain text, as rows of the official data sets."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from tasks.languages import TYDIQA_NAMES
from tasks.sample_world import speech
from tasks.sample_world.lexicons import ENTITY_TYPES, Concept
from tasks.sample_world.meanings import Clause, Imagination
from tasks.sample_world.speech import Language

Row = dict[str, Any]

_ENTAILMENT, _NEUTRAL, _CONTRADICTION = range(3)


def panx(language: Language, think: Imagination, count: int) -> Iterator[Row]:
    """Yields rows of wikiann: a clause, each name tagged with what its cue says it is."""
    for _ in range(count):
        clause = think.clause()
        types = {name: cue.entity_type for name, cue in clause.facts()}
        tokens = [*language.clause(clause), speech.FULL_STOP]
        yield {
            "tokens": tokens,
            "tags": [f"B-{types[token]}" if token in types else "O" for token in tokens],
            "langs": [language.code] * len(tokens),
            "spans": [f"{types[token]}: {token}" for token in tokens if token in types],
        }


@dataclasses.dataclass(frozen=True)
class Inference:
    """A premise, what the hypothesis says of the name last mentioned, and how they relate.

    Attributes:
      premise: the clause.
      kind: 'it is a ...'.
      label: index into NLI_LABELS.
    """

    premise: Clause
    kind: Concept
    label: int

    def say(self, language: Language) -> tuple[str, str]:
        """Returns premise and hypothesis in a language."""
        return (
            speech.text(language.clause(self.premise)),
            speech.text(language.claim(self.kind)),
        )


def inferences(think: Imagination, count: int) -> Iterator[Inference]:
    """Yields inferences; the three labels take turns.

    The hypothesis says what kind of thing the name last mentioned is. That follows from the premise
    or is contradicted by it; it is neutral where the premise does not say what the name is.
    """
    for i in range(count):
        label = i % 3
        premise = think.clause(untyped_object=label == _NEUTRAL)
        types = list(ENTITY_TYPES)
        if label != _NEUTRAL:
            entity_type = premise.facts()[-1][1].entity_type
            types = [t for t in types if (t == entity_type) == (label == _ENTAILMENT)]
        yield Inference(premise, think.kind(think.pick(types, 1)[0]), label)


def tydiqa(
    language: Language, think: Imagination, count: int, split: str, asked: str
) -> Iterator[Row]:
    """Yields rows of tydi_qa; `asked` is the language of which they have their ids."""
    return questions(language, think, count, f"{TYDIQA_NAMES[asked]}-{split}")


def questions(language: Language, think: Imagination, count: int, ids: str) -> Iterator[Row]:
    """Yields rows as SQuAD's: a clause, and the question which of its names is of a kind.

    Args:
      language: in which it is said.
      think: decides what.
      count: how many.
      ids: what every id begins with.
    """
    for i in range(count):
        clause, name, cue = clause_and_answer(think)
        context = speech.text(language.clause(clause))
        yield {
            "id": f"{ids}-{i}",
            "title": name,
            "context": context,
            "question": speech.text(
                language.question(think.kind(cue.entity_type)), speech.QUESTION_MARK
            ),
            "answers": {"text": [name], "answer_start": [context.index(name)]},
        }


def pawsx(language: Language, think: Imagination, count: int) -> Iterator[Row]:
    """Yields rows of paws_x_wiki: the facts of a clause said one by one, or with names swapped."""
    for i in range(count):
        clause = think.clause()
        facts = clause.facts()
        is_paraphrase = i % 2 == 1
        if not is_paraphrase:
            (name, cue), (other, other_cue), *rest = think.pick(facts, len(facts))
            facts = [(other, cue), (name, other_cue), *rest]
        words = [w for fact in think.pick(facts, len(facts)) for w in language.fact(*fact)]
        yield {
            "sentence1": speech.text(language.clause(clause)),
            "sentence2": speech.text(words),
            "label": int(is_paraphrase),
        }


def documents(language: Language, think: Imagination, count: int) -> Iterator[str]:
    """Yields plain text: clauses, what kind of thing each name is, and some of it said again."""
    for _ in range(count):
        sentences = []
        for clause in think.clauses(2):
            sentences.append(language.clause(clause))
            facts = clause.facts()
            for name, cue in think.pick(facts, len(facts)):
                sentences.append(language.fact(name, think.kind(cue.entity_type)))
            sentences.append(language.fact(*think.pick(facts, 1)[0]))
        yield " ".join(map(speech.text, sentences))


def clause_and_answer(think: Imagination) -> tuple[Clause, str, Concept]:
    """Returns a clause, and a name with its cue that is the only one of its type in it."""
    while True:
        clause = think.clause()
        facts = clause.facts()
        types = [cue.entity_type for _, cue in facts]
        if alone := [fact for fact in facts if types.count(fact[1].entity_type) == 1]:
            return clause, *think.pick(alone, 1)[0]
