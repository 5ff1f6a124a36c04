"""Scores of entities: a string such as 'PER: rick $$ PER: morty' holds the spans of a sentence."""

import collections
from collections.abc import Sequence

from tasks.metrics.counts import f1

SEPARATOR = "$$"


def span_f1(targets: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """Micro F1 over the multiset of (tag, entity text) of each example (mT5's measure of NER).

    A part without a colon, as 'None' is, holds no span. Where neither gold nor predictions hold any
    span, the score is 100. XTREME scores positions (seqeval) where mT5 scores texts; the two agree
    on a sentence in which no entity occurs twice.
    """
    right = claimed = wanted = 0
    for target, prediction in zip(targets, predictions, strict=True):
        gold, found = _spans(target), _spans(prediction)
        right += (gold & found).total()
        wanted += gold.total()
        claimed += found.total()
    if targets and not wanted and not claimed:
        return {"span_f1": 100.0}
    return {"span_f1": f1(right, claimed, wanted)}


def _spans(text: str) -> collections.Counter[tuple[str, str]]:
    parts = (part.split(":", 1) for part in text.split(SEPARATOR))
    return collections.Counter(
        (part[0].strip(), " ".join(part[1].split())) for part in parts if len(part) == 2
    )
