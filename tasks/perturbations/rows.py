"""The noise in one row of a data set, where the targets stay right.

A row is known by its own inputs: together with kind and seed they decide everything that is drawn,
so that neither the order of the rows nor their shards matter.
"""

import dataclasses
import re
from collections.abc import Sequence

from tasks.perturbations import clauses, distractors, edits, layouts
from tasks.perturbations.layouts import CLAUSE, DISTRACTOR
from tasks.perturbations.segments import Span
from tasks.perturbations.style import Style
from tasks.perturbations.text import perturb


@dataclasses.dataclass(frozen=True)
class Noise:
    """What is done to the rows of a data set.

    Attributes:
      kind: one of `layouts.kinds_for(data)`.
      strength: percent; of the words, or of windows of words, that the kind can change; of clauses
        and distractors, of the rows.
      seed: any number.
      data: the data set.
      language: of its text, ISO 639-1.
    """

    kind: str
    strength: int
    seed: int
    data: str
    language: str

    @property
    def style(self) -> Style:
        """How the data set's text is written."""
        return Style(self.language, layouts.layout(self.data).spaced)


def text(noise: Noise, inputs: str, targets: str) -> str:
    """Returns the inputs of a row; the targets say which entities stay as they are."""
    rng = edits.generator(noise.seed, noise.kind, inputs)
    if noise.kind == CLAUSE:
        hit = _hit(noise.strength, rng.random())
        return clauses.append(inputs, noise.language) if hit else inputs
    layout = layouts.layout(noise.data)
    protected = layouts.keyword_spans(inputs, layout.keywords)
    if layout.rows == "entities":
        protected += entity_spans(inputs, targets)
    return perturb(inputs, noise.kind, noise.strength, rng, protected, noise.style)


def question(
    noise: Noise,
    question: str,
    context: str,
    answers: Sequence[str],
    pool: distractors.Pool | None = None,
) -> tuple[str, str]:
    """Returns question and context; answers stay in the context. Distractors need the `pool`."""
    rng = edits.generator(noise.seed, noise.kind, question, context)
    if noise.kind == DISTRACTOR:
        assert pool is not None
        if _hit(noise.strength, rng.random()):
            context = distractors.append(context, question, answers, pool, rng)
        return question, context
    protected = answer_spans(context, answers)
    return (
        perturb(question, noise.kind, noise.strength, rng, style=noise.style),
        perturb(context, noise.kind, noise.strength, rng, protected, noise.style),
    )


def question_inputs(question: str, context: str) -> str:
    """Returns the input of question answering as `formats.question_answering` joins it."""
    opening = f"question: {question.lstrip()}".rstrip()
    return f"{opening} context: {context.lstrip()}"


def answer_spans(context: str, answers: Sequence[str]) -> list[Span]:
    """Returns where any of the answers is in the context, as (start, end) in characters."""
    found = {stripped for answer in answers if (stripped := answer.strip())}
    return [
        (start, start + len(answer))
        for answer in sorted(found)
        for start in _occurrences(context, answer)
    ]


def entity_spans(inputs: str, targets: str) -> list[Span]:
    """Returns where the entities of PANX's targets are in the inputs, whole tokens each.

    The spaces around an entity are part of its span: they are what makes it a token.
    """
    spans = []
    for part in targets.split("$$"):
        _, _, entity = part.partition(":")
        entity = entity.strip()
        for start in _occurrences(inputs, entity) if entity else ():
            end = start + len(entity)
            if not inputs[start - 1 : start].strip() and not inputs[end : end + 1].strip():
                spans.append((max(start - 1, 0), min(end + 1, len(inputs))))
    return spans


def _occurrences(text: str, part: str) -> list[int]:
    """Returns where `part` begins in `text`; occurrences may overlap."""
    return [match.start() for match in re.finditer(f"(?={re.escape(part)})", text)]


def _hit(strength: int, chance: float) -> bool:
    return int(chance * 100) < strength
