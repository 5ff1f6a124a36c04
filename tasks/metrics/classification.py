"""Scores of labels: each target and prediction is one label string."""

import collections
from collections.abc import Callable, Sequence

from tasks.errors import DataError
from tasks.metrics.counts import f1, percent

Metric = Callable[[Sequence[str], Sequence[str]], dict[str, float]]


def accuracy(targets: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """Share of predictions that are the target string."""
    hits = sum(t == p for t, p in zip(targets, predictions, strict=True))
    return {"accuracy": percent(hits, len(targets))}


def macro_f1(labels: Sequence[str]) -> Metric:
    """The metric `macro_f1`: the unweighted mean of the F1 of each of `labels`.

    A label that neither gold nor predictions hold counts as 0 (scikit-learn's macro average with
    zero_division=0), so a split that lacks a label cannot reach 100. A prediction that is no label
    at all claims nothing, and its gold label misses it.
    """
    _check(labels)

    def macro_f1(targets: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
        scores = per_label_f1(targets, predictions)
        return {"macro_f1": sum(scores.get(label, 0.0) for label in labels) / len(labels)}

    return macro_f1


def positive_f1(label: str) -> Metric:
    """The metric `positive_f1`: the F1 of one label, as QQP's and MRPC's 'duplicate' is scored.

    Where neither gold nor predictions hold the label, the score is 0.
    """
    _check([label])

    def positive_f1(targets: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
        return {"positive_f1": per_label_f1(targets, predictions).get(label, 0.0)}

    return positive_f1


def per_label_f1(targets: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """{label: F1 in percent} of every label that gold or predictions hold."""
    right: collections.Counter[str] = collections.Counter()
    for target, prediction in zip(targets, predictions, strict=True):
        right[target] += target == prediction
    wanted, claimed = collections.Counter(targets), collections.Counter(predictions)
    return {label: f1(right[label], claimed[label], wanted[label]) for label in wanted | claimed}


def _check(labels: Sequence[str]) -> None:
    if isinstance(labels, str) or not labels or len(set(labels)) < len(labels):
        raise DataError(f"expected the different labels of a task, got {labels!r}")
