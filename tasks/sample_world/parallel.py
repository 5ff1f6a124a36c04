"""Examples that say the same in several languages: XQuAD, MLQA, Tatoeba, BUCC."""

from collections.abc import Iterator

from tasks.sample_world import speech
from tasks.sample_world.examples import Row
from tasks.sample_world.meanings import Imagination
from tasks.sample_world.speech import Language


def tatoeba(language: Language, english: Language, think: Imagination, count: int) -> Iterator[Row]:
    """Yields rows of tatoeba: different clauses, each in a language and in English."""
    for clause in different(think, english, count):
        yield {
            "source_sentence": speech.text(language.clause(clause)),
            "target_sentence": speech.text(english.clause(clause)),
            "source_language": language.code,
            "target_language": english.code,
        }


def bucc(language: Language, english: Language, think: Imagination, count: int) -> Iterator[Row]:
    """Yields rows of bucc_mining: `count` sentences a side, the first half of them translations."""
    clauses = list(different(think, english, 2 * count))
    pairs = count // 2
    theirs, ours = clauses[:count], [*clauses[:pairs], *clauses[count : 2 * count - pairs]]
    sides = (("source", language, theirs), ("target", english, ours))
    for side, speaker, said in sides:
        other = english.code if side == "source" else language.code
        for number, clause in enumerate(said):
            yield {
                "id": f"{speaker.code}-{number:06}",
                "side": side,
                "sentence": speech.text(speaker.clause(clause)),
                "pair": f"{other}-{number:06}" if number < pairs else "",
            }


def different(think: Imagination, language: Language, count: int) -> Iterator:
    """Yields clauses no two of which are said alike in a language."""
    said: set[str] = set()
    while len(said) < count:
        clause = think.clause()
        text = speech.text(language.clause(clause))
        if text not in said:
            said.add(text)
            yield clause
