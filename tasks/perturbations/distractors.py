"""A sentence from elsewhere that looks as if it answered the question (after Jia and Liang 2017).

Their distractors were written for English by rule and by hand. Ours are found, so that there are
some in every language: sentences of other rows' contexts, in the same split and language, that
share the most words with the question, rare words counting more, and hold no gold answer.
"""

import functools
import math
import random
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np

from tasks.perturbations import edits, graphemes, sentences

# The sentence is drawn from so many of the best, so that seeds differ.
BEST = 3
# In grapheme clusters: neither a heading nor a paragraph that was never split.
_SHORTEST, _LONGEST = 15, 400


class Pool:
    """The sentences of many contexts, to be searched by question.

    Args:
      contexts: the contexts of a whole split, in any order and with repetitions.
    """

    def __init__(self, contexts: Iterable[str]):
        self._contexts = sorted(set(contexts))
        self._sentences: list[str] = []
        owners: list[int] = []
        places: dict[str, list[int]] = {}
        for owner, context in enumerate(self._contexts):
            for sentence in sentences.split(context):
                if not _SHORTEST <= len(graphemes.split(sentence)) <= _LONGEST:
                    continue
                for term in sentences.terms(sentence):
                    places.setdefault(term, []).append(len(self._sentences))
                self._sentences.append(sentence)
                owners.append(owner)
        self._owners = np.array(owners, np.int32)
        self._places = {term: np.array(found, np.int32) for term, found in places.items()}

    def __contains__(self, context: str) -> bool:
        return context in self._known

    @functools.cached_property
    def _known(self) -> dict[str, int]:
        return {context: owner for owner, context in enumerate(self._contexts)}

    def best(self, question: str, context: str, answers: Sequence[str]) -> list[str]:
        """Returns the best distractors, at most BEST, the best first.

        Overlap is the sum of log(sentences / sentences with the word) over the words that question
        and sentence share. A sentence of `context` itself, one that `context` holds, one that
        holds an answer and one that shares no word are no distractors.
        """
        overlap = np.zeros(len(self._sentences))
        # Sorted, since sums of floats depend on their order.
        for term in sorted(sentences.terms(question) & self._places.keys()):
            found = self._places[term]
            overlap[found] += math.log(len(self._sentences) / len(found))
        if context in self._known:
            overlap[self._owners == self._known[context]] = 0
        wrong = [text for text in map(_comparable, answers) if text]
        own = _comparable(context)
        best: dict[str, None] = {}
        # Equals keep the order of the pool, which is that of the alphabet.
        for index in np.argsort(-overlap, kind="stable"):
            if overlap[index] <= 0 or len(best) == BEST:
                break
            text = _comparable(self._sentences[index])
            if text not in own and not any(answer in text for answer in wrong):
                best[self._sentences[index]] = None
        return list(best)


def append(
    context: str, question: str, answers: Sequence[str], pool: Pool, rng: random.Random
) -> str:
    """Returns the context with one distractor at its end; as it is where the pool has none."""
    best = pool.best(question, context, answers)
    return f"{context.rstrip()} {edits.pick(best, rng)}" if best else context


def _comparable(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
