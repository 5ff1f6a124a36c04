"""Examples of the four target tasks and plain text, as rows of the official data sets."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from tasks.languages import TYDIQA_NAMES
from tasks.sample_world import speech
from tasks.sample_world.lexicons import Concept, opposite
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
    """A premise, the claim of a hypothesis about one name, and how they relate (NLI_LABELS)."""

    premise: Clause
    name: str
    cue: Concept
    negated: bool
    label: int

    def say(self, language: Language) -> tuple[str, str]:
        """Returns premise and hypothesis in a language."""
        return (
            speech.text(language.clause(self.premise)),
            speech.text(language.fact(self.name, self.cue, self.negated)),
        )


def inferences(think: Imagination, rng: np.random.Generator, count: int) -> Iterator[Inference]:
    """Yields inferences; the three labels take turns.

    An entailed cue belongs to the name. A contradicting one is its opposite, or is denied. A
    neutral one belongs to another name of the premise, or to none.
    """
    for i in range(count):
        label = i % 3
        premise = think.clause()
        facts = premise.facts()
        (name, cue), (_, other_cue) = think.pick(facts, 2)
        negated = bool(rng.random() < 0.2)
        if label == _CONTRADICTION:
            if rng.random() < 0.5:
                negated = True
            else:
                cue, negated = opposite(cue), False
        elif label == _NEUTRAL:
            cue = other_cue if rng.random() < 0.6 else _unsaid(premise, think)
        else:
            negated = False
        yield Inference(premise, name, cue, negated, label)


def tydiqa(language: Language, think: Imagination, count: int, split: str) -> Iterator[Row]:
    """Yields rows of tydi_qa: two clauses, and the question to whom a word of them belongs."""
    for i in range(count):
        clauses, (name, cue) = _clauses_and_question(think)
        context = " ".join(speech.text(language.clause(clause)) for clause in clauses)
        yield {
            "id": f"{TYDIQA_NAMES[language.code]}-{split}-{i}",
            "title": name,
            "context": context,
            "question": speech.text(language.question(cue), speech.QUESTION_MARK),
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
    """Yields plain text: a few clauses, some of whose facts are said again."""
    for _ in range(count):
        sentences = []
        for clause in think.clauses(3):
            sentences.append(speech.text(language.clause(clause)))
            for name, cue in think.pick(clause.facts(), 2):
                sentences.append(speech.text(language.fact(name, cue)))
        yield " ".join(sentences)


def _clauses_and_question(think: Imagination) -> tuple[list[Clause], tuple[str, Concept]]:
    """Returns two clauses and a fact of theirs whose cue they have only once."""
    while True:
        clauses = think.clauses(2)
        facts = [fact for clause in clauses for fact in clause.facts()]
        cues = [cue for _, cue in facts]
        if clear := [fact for fact in facts if cues.count(fact[1]) == 1]:
            return clauses, think.pick(clear, 1)[0]


def _unsaid(clause: Clause, think: Imagination) -> Concept:
    """Returns a cue that the clause does not have, nor its opposite."""
    said = {cue for _, cue in clause.facts()}
    said |= {opposite(cue) for cue in said}
    while True:
        for _, cue in think.clause().facts():
            if cue not in said:
                return cue
