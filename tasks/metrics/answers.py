"""Scores of answers to questions: exact match and token F1, each the best over all gold answers.

The benchmarks differ in how they normalise a text before it is compared. They agree on the rest:
F1 is over the multiset of tokens, and where gold or prediction has no token left, F1 is the exact
match, as SQuAD 2.0's evaluation has it. (MLQA's script gives F1 0 there, even to gold itself. In
all of MLQA's dev sets one answer is touched, the Spanish 'una'.) An example without gold answers
expects the empty answer.
"""

import collections
import difflib
import re
import string
import unicodedata
from collections.abc import Callable, Sequence

from tasks.errors import DataError
from tasks.metrics.counts import percent

# What a model is to write where a question has no answer in its context.
UNANSWERABLE = "unanswerable"

AnswerMetric = Callable[[Sequence[Sequence[str]], Sequence[str]], dict[str, float]]

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)

# MLQA's evaluation script, version 1.0. Its pattern for Arabic is '\sال^|ال', of which the first
# half can never match: the article goes wherever these two letters stand, within words too.
_MLQA_ARTICLES = {
    "ar": re.compile("ال"),
    "de": re.compile(r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b"),
    "en": re.compile(r"\b(a|an|the)\b"),
    "es": re.compile(r"\b(un|una|unos|unas|el|la|los|las)\b"),
    "hi": None,
    "vi": re.compile(r"\b(của|là|cái|chiếc|những)\b"),
    "zh": None,
}
# What MLQA's script calls a Chinese character; each is a token of its own.
_HAN = re.compile("([\u4e00-\u9fa5])")


def squad(targets: Sequence[Sequence[str]], predictions: Sequence[str]) -> dict[str, float]:
    """Exact match and F1, normalised as the official SQuAD evaluation does.

    Lower case, no ASCII punctuation, no English articles, single spaces. XQuAD and TyDiQA-GoldP
    are scored so in every language.
    """
    return _em_and_f1(targets, predictions, normalize_answer)


def squad2(targets: Sequence[Sequence[str]], predictions: Sequence[str]) -> dict[str, float]:
    """SQuAD 2.0: as `squad`, and apart for questions with and without an answer.

    'unanswerable' stands for no answer, predicted or gold; so does an empty text, and having no
    gold answers. The prefixes HasAns_ and NoAns_ are the official script's.
    """
    gold = [_without_unanswerable(answers) for answers in targets]
    found = ["" if _says_unanswerable(text) else text for text in predictions]
    scores = squad(gold, found)
    for prefix, has_answer in (("HasAns", True), ("NoAns", False)):
        part = [
            (g, p)
            for g, p in zip(gold, found, strict=True)
            if any(normalize_answer(answer) for answer in g) == has_answer
        ]
        apart = squad([g for g, _ in part], [p for _, p in part])
        scores |= {f"{prefix}_{name}": value for name, value in apart.items()}
    return scores


def mlqa(language: str) -> AnswerMetric:
    """The metric of MLQA for answers in `language`, which is that of the context.

    Lower case; no punctuation of any script, nor any other ASCII symbol; no articles of the
    language (in Hindi and Chinese there are none); tokens by white space, in Chinese each Han
    character is one.

    Raises:
      DataError: MLQA does not have the language.
    """
    if language not in _MLQA_ARTICLES:
        near = difflib.get_close_matches(language, _MLQA_ARTICLES, n=1, cutoff=0.4)
        raise DataError(
            f"expected a language of MLQA ({' '.join(_MLQA_ARTICLES)}), got {language!r}"
            + (f"; did you mean {near[0]!r}?" if near else "")
        )

    def mlqa(targets: Sequence[Sequence[str]], predictions: Sequence[str]) -> dict[str, float]:
        return _em_and_f1(targets, predictions, lambda text: normalize_mlqa(text, language))

    return mlqa


def normalize_answer(text: str) -> str:
    """Returns an answer as SQuAD's evaluation compares it."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_ASCII_PUNCTUATION)).split())


def normalize_mlqa(text: str, language: str) -> str:
    """Returns an answer as MLQA's evaluation compares it in one of its languages."""
    text = "".join(character for character in text.lower() if not _is_punctuation(character))
    articles = _MLQA_ARTICLES[language]
    if articles is not None:
        text = articles.sub(" ", text)
    if language == "zh":
        text = _HAN.sub(r" \1 ", text)
    return " ".join(text.split())


def _em_and_f1(
    targets: Sequence[Sequence[str]], predictions: Sequence[str], normalize: Callable[[str], str]
) -> dict[str, float]:
    em = f1 = 0.0
    for answers, prediction in zip(targets, predictions, strict=True):
        found = normalize(prediction)
        gold = [normalize(answer) for answer in answers] or [""]
        em += found in gold
        f1 += max(_token_f1(answer, found) for answer in gold)
    return {"em": percent(em, len(targets)), "f1": percent(f1, len(targets))}


def _token_f1(gold: str, prediction: str) -> float:
    gold_tokens, tokens = gold.split(), prediction.split()
    if not gold_tokens or not tokens:
        return float(gold_tokens == tokens)
    common = (collections.Counter(gold_tokens) & collections.Counter(tokens)).total()
    return 2 * common / (len(gold_tokens) + len(tokens))


def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def _says_unanswerable(text: str) -> bool:
    return normalize_answer(text) == UNANSWERABLE


def _without_unanswerable(answers: Sequence[str]) -> list[str]:
    """The gold answers of an answerable question; of another, none.

    Gold answers that normalise to nothing are left out, as the official script does.
    """
    return [a for a in answers if normalize_answer(a) and not _says_unanswerable(a)]
