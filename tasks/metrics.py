"""Scores of predictions against gold, in percent, by the benchmarks' own definitions.

Every function takes `targets` and `predictions` of equal length (one entry an example, as SeqIO's
postprocessors return them) and returns a dict of floats from 0 to 100. Scores over no examples at
all are 0: nothing was shown.
"""

import collections
import re
import string
from collections.abc import Callable, Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b", re.UNICODE)
_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SPAN_SEPARATOR = "$$"


def accuracy(targets: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """Share of predictions that are the target string."""
    hits = sum(t == p for t, p in zip(targets, predictions, strict=True))
    return {"accuracy": _percent(hits, len(targets))}


def span_f1(targets: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """Micro F1 over the multiset of (tag, entity text) of each example (mT5's measure of NER).

    A string such as 'PER: rick $$ PER: morty' is read as spans; a part without a colon, as
    'None' is, holds no span. Where neither gold nor predictions hold any span, the score is 100.
    """
    right = claimed = wanted = 0
    for target, prediction in zip(targets, predictions, strict=True):
        gold, found = _spans(target), _spans(prediction)
        right += (gold & found).total()
        wanted += gold.total()
        claimed += found.total()
    if targets and not wanted and not claimed:
        return {"span_f1": 100.0}
    return {"span_f1": _percent(2 * right, wanted + claimed)}


def squad(targets: Sequence[Sequence[str]], predictions: Sequence[str]) -> dict[str, float]:
    """Exact match and token F1 of answers, each the best over an example's gold answers.

    Normalised as the official SQuAD evaluation does: lower case, no ASCII punctuation, no English
    articles, single spaces. Where gold or prediction is empty after that, F1 is the exact match,
    as in SQuAD 2.0. An example without gold answers expects the empty answer.
    """
    em = f1 = 0.0
    for answers, prediction in zip(targets, predictions, strict=True):
        gold = list(answers) or [""]
        em += _best(_exact, gold, prediction)
        f1 += _best(_token_f1, gold, prediction)
    return {"em": _percent(em, len(targets)), "f1": _percent(f1, len(targets))}


def normalize_answer(text: str) -> str:
    """Returns an answer as SQuAD's evaluation compares it."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_ASCII_PUNCTUATION)).split())


def _spans(text: str) -> collections.Counter[tuple[str, str]]:
    parts = (part.split(":", 1) for part in text.split(_SPAN_SEPARATOR))
    return collections.Counter(
        (part[0].strip(), " ".join(part[1].split())) for part in parts if len(part) == 2
    )


def _best(score: Callable[[str, str], float], gold: Sequence[str], prediction: str) -> float:
    return max(score(normalize_answer(g), normalize_answer(prediction)) for g in gold)


def _exact(gold: str, prediction: str) -> float:
    return float(gold == prediction)


def _token_f1(gold: str, prediction: str) -> float:
    gold_tokens, tokens = gold.split(), prediction.split()
    if not gold_tokens or not tokens:
        return float(gold_tokens == tokens)
    common = (collections.Counter(gold_tokens) & collections.Counter(tokens)).total()
    return 2 * common / (len(gold_tokens) + len(tokens))


def _percent(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else 0.0
