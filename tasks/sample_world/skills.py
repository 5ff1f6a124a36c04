"""Examples of the intermediate tasks, in one language: what is asked is a skill of a target task.

QQP asks what PAWS-X asks, SNLI and ANLI what XNLI asks, SQuAD and Cosmos QA what TyDiQA asks. CCG
wants the class of every word, HellaSwag a true thing said of what was told, CommonsenseQA what a
word is of: knowledge that the target tasks need a part of. `SHARED` says so in world.json.
"""

from collections.abc import Iterator

from tasks.sample_world import examples, speech
from tasks.sample_world.examples import Inference, Row
from tasks.sample_world.lexicons import AFFIXES, CONCEPTS, CUES, ENTITY_TYPES, Concept
from tasks.sample_world.meanings import Imagination
from tasks.sample_world.speech import Language
from tasks.tfds_schemas import ANLI_LABELS

SHARED = {
    "qqp": ["pawsx"],
    "mnli": ["xnli"],
    "snli": ["xnli"],
    "anli_plus": ["xnli"],
    "squad1": ["tydiqa", "xquad", "mlqa"],
    "squad2": ["tydiqa", "xquad", "mlqa"],
    "cosmosqa": ["tydiqa", "xquad", "mlqa"],
}
"""Intermediate task -> target tasks that ask the same."""

_CATEGORIES = {
    "adjective": "N/N",
    "possessor": "N/N",
    "adposition": "P/N",
    "object": "S/N/N",
    "verb": "S/N/N",
    "subject": "S/N",
    "kind": "N",
    "function": "X",
}
_NAME, _NUMBER, _MARK = "N", "N/N", "."


def qqp(language: Language, think: Imagination, count: int) -> Iterator[Row]:
    """Yields rows of glue/qqp: PAWS-X's pairs, asked."""
    for i, pair in enumerate(examples.pawsx(language, think, count)):
        yield {
            "question1": _asked(pair["sentence1"]),
            "question2": _asked(pair["sentence2"]),
            "label": pair["label"],
            "idx": i,
        }


def snli(language: Language, inferences: Iterator[Inference]) -> Iterator[Row]:
    """Yields rows of snli, and of multi_nli: inferences in one language."""
    for inference in inferences:
        premise, hypothesis = inference.say(language)
        yield {"premise": premise, "hypothesis": hypothesis, "label": inference.label}


def anli(language: Language, inferences: Iterator[Inference], round_: int) -> Iterator[Row]:
    """Yields rows of anli/r1 to r3."""
    for i, inference in enumerate(inferences):
        context, hypothesis = inference.say(language)
        yield {
            "uid": f"r{round_}-{i}",
            "context": context,
            "hypothesis": hypothesis,
            "label": ANLI_LABELS[inference.label],
        }


def squad2(language: Language, think: Imagination, count: int) -> Iterator[Row]:
    """Yields rows of squad/v2.0: every third question is for a kind that the context lacks."""
    made = 0
    while made < count:
        clause = think.clause()
        facts = clause.facts()
        there = [cue.entity_type for _, cue in facts]
        answered = made % 3 != 0
        asked = [kind for kind in ENTITY_TYPES if there.count(kind) == (1 if answered else 0)]
        if not asked:
            continue
        entity_type = think.pick(asked, 1)[0]
        context = speech.text(language.clause(clause))
        names = [name for name, cue in facts if cue.entity_type == entity_type]
        yield {
            "id": f"squad2-{made}",
            "title": facts[0][0],
            "context": context,
            "question": _which(language, think.kind(entity_type)),
            "answers": {"text": names, "answer_start": [context.index(name) for name in names]},
            "plausible_answers": {"text": [], "answer_start": []},
            "is_impossible": not answered,
        }
        made += 1


def hellaswag(language: Language, think: Imagination, count: int) -> Iterator[Row]:
    """Yields rows of hellaswag: what was told, and four things said of one of its names."""
    for i in range(count):
        clause = think.clause()
        name, cue = think.pick(clause.facts(), 1)[0]
        alike = [one for one in CUES if one.word_class == cue.word_class]
        others = think.pick([one for one in alike if one.key != cue.key], 3)
        endings = [language.fact(name, one) for one in (cue, *others)]
        order = think.pick(range(4), 4)
        yield {
            "context": speech.text(language.clause(clause)),
            "endings": [speech.text(endings[place]) for place in order],
            "activity_label": name,
            "label": order.index(0),
            "split_type": "indomain",
            "source_id": f"world~{i}",
        }


def cosmosqa(language: Language, think: Imagination, count: int) -> Iterator[Row]:
    """Yields rows of cosmos_qa: TyDiQA's question with four names to choose from."""
    for i in range(count):
        clause, name, cue = examples.clause_and_answer(think)
        others = think.other_names([one for one, _ in clause.facts()], 2)
        wrong = [one for one, _ in clause.facts() if one != name] + others
        names = [name, *wrong[:3]]
        order = think.pick(range(4), 4)
        yield {
            "context": speech.text(language.clause(clause)),
            "question": _which(language, think.kind(cue.entity_type)),
            **{f"answer{n}": names[place] for n, place in enumerate(order)},
            "label": order.index(0),
            "id": f"cosmos-{i}",
        }


def csqa(language: Language, think: Imagination, count: int) -> Iterator[Row]:
    """Yields rows of commonsense_qa: which of five words is said of things of a kind."""
    for i in range(count):
        entity_type = think.pick(ENTITY_TYPES, 1)[0]
        cues = [one for one in CUES if one.word_class != "kind"]
        right = think.pick([one for one in cues if one.entity_type == entity_type], 1)
        wrong = think.pick([one for one in cues if one.entity_type != entity_type], 4)
        order = think.pick(range(5), 5)
        words = [language.lexicon[one] for one in (*right, *wrong)]
        kind = think.kind(entity_type)
        yield {
            "id": f"csqa-{i}",
            "question": _which(language, kind),
            "question_concept": language.lexicon[kind],
            "choices": {"label": list("ABCDE"), "text": [words[place] for place in order]},
            "answerKey": "ABCDE"[order.index(0)],
        }


def ccg(language: Language, think: Imagination, count: int) -> Iterator[Row]:
    """Yields rows of ccgbank: a clause, and the category of every word."""
    categories = _Categories(language)
    for _ in range(count):
        tokens = [*language.clause(think.clause()), speech.FULL_STOP]
        yield {"tokens": tokens, "tags": [categories.of(token) for token in tokens]}


class _Categories:
    """Tells a word's category, affixes and all."""

    def __init__(self, language: Language) -> None:
        self._words: dict[str, Concept] = {language.lexicon[one]: one for one in CONCEPTS}
        self._affixes = [language.lexicon.affixes[one] for one in AFFIXES]

    def of(self, token: str) -> str:
        """Returns the category of a word of a clause."""
        if token == speech.FULL_STOP:
            return _MARK
        if token.isdigit():
            return _NUMBER
        concept = self._concept(token)
        return _NAME if concept is None else _CATEGORIES[concept.word_class]

    def _concept(self, token: str) -> Concept | None:
        if token in self._words:
            return self._words[token]
        for affix in self._affixes:
            for rest in (token.removeprefix(affix), token.removesuffix(affix)):
                if rest and rest != token and (found := self._concept(rest)):
                    return found
        return None


def _which(language: Language, kind: Concept) -> str:
    return speech.text(language.question(kind), speech.QUESTION_MARK)


def _asked(sentence: str) -> str:
    """The same words with a question mark."""
    return sentence.removesuffix(speech.FULL_STOP) + speech.QUESTION_MARK
