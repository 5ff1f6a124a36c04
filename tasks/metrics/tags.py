"""Scores of tag sequences (UD-POS, CCG): strings of one tag a token, joined by spaces.

A model that writes its tags may write too few or too many. Everywhere here a tag that is missing is
wrong, tags beyond the last token are ignored, and the share of such predictions is reported.
"""

import itertools
from collections.abc import Iterator, Sequence

from tasks.metrics.classification import per_label_f1
from tasks.metrics.counts import f1, percent

# Stands where a prediction has no tag: no tag of any gold, for it holds a space.
_MISSING = " "


def tag_scores(targets: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """Token accuracy, macro F1 over the tags, and the rate of predictions of a wrong length.

    Returns:
      tag_accuracy: share of the gold tokens of all examples that have their tag.
      tag_macro_f1: unweighted mean of the F1 of each tag that gold holds, over tokens.
      wrong_length: share of the examples whose prediction has another number of tags than gold.
    """
    gold: list[str] = []
    found: list[str] = []
    wrong = 0
    for target, prediction in zip(targets, predictions, strict=True):
        wanted, claimed = _aligned(target, prediction)
        gold += wanted
        found += claimed
        wrong += len(target.split()) != len(prediction.split())
    scores = per_label_f1(gold, found)
    known = sorted(set(gold))
    return {
        "tag_accuracy": percent(sum(t == p for t, p in zip(gold, found, strict=True)), len(gold)),
        "tag_macro_f1": sum(scores[tag] for tag in known) / len(known) if known else 0.0,
        "wrong_length": percent(wrong, len(targets)),
    }


def chunk_f1(targets: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """XTREME's score of UD-POS: seqeval's micro F1, which takes a run of one tag for one chunk.

    A chunk is right where its tag, first and last token are. Because seqeval reads the first letter
    of a bare tag as its place in a chunk, where S says 'single', tokens of SCONJ and of SYM are
    chunks of their own. So did seqeval 0.0.12, which was current when XTREME appeared; 1.x drops
    the first letter of a tag, and so takes CCONJ for SCONJ and does not see X.
    """
    right = claimed = wanted = 0
    for target, prediction in zip(targets, predictions, strict=True):
        gold, found = (set(_chunks(tags)) for tags in _aligned(target, prediction))
        right += len(gold & found)
        wanted += len(gold)
        claimed += len(found)
    return {"chunk_f1": f1(right, claimed, wanted)}


def _aligned(target: str, prediction: str) -> tuple[list[str], list[str]]:
    """Gold tags and as many predicted ones."""
    gold, found = target.split(), prediction.split()
    return gold, (found + [_MISSING] * len(gold))[: len(gold)]


def _chunks(tags: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """(tag, first token, token after the last) of each chunk."""
    start = 0
    for tag, run in itertools.groupby(tags):
        end = start + len(list(run))
        step = 1 if tag.startswith("S") else end - start
        if tag != _MISSING:
            yield from ((tag, at, at + step) for at in range(start, end, step))
        start = end
