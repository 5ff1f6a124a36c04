"""Scores of predictions against gold, in percent, by the benchmarks' own definitions.

A metric takes `targets` and `predictions` of equal length (one entry an example, as SeqIO's
postprocessors return them) and gives a dict of floats from 0 to 100. Scores over no examples at all
are 0: nothing was shown. Where a metric needs to know labels or a language, a function of these
makes it.
"""

from tasks.metrics.answers import (
    UNANSWERABLE,
    mlqa,
    normalize_answer,
    normalize_mlqa,
    squad,
    squad2,
)
from tasks.metrics.classification import accuracy, macro_f1, per_label_f1, positive_f1
from tasks.metrics.legality import illegal_label_rate, not_in_context, wrong_script_rate
from tasks.metrics.retrieval import (
    MinedPair,
    best_threshold,
    mined_pairs,
    mining_f1,
    mining_f1_at,
    mining_f1_cosine,
    mining_scores,
    retrieval_accuracy,
)
from tasks.metrics.spans import span_f1
from tasks.metrics.tags import chunk_f1, tag_scores
from tasks.metrics.xtreme import BenchmarkAverage, TaskAverage, xtreme_r_scores, xtreme_scores

__all__ = [
    "UNANSWERABLE",
    "BenchmarkAverage",
    "MinedPair",
    "TaskAverage",
    "accuracy",
    "best_threshold",
    "chunk_f1",
    "illegal_label_rate",
    "macro_f1",
    "mined_pairs",
    "mining_f1",
    "mining_f1_at",
    "mining_f1_cosine",
    "mining_scores",
    "mlqa",
    "normalize_answer",
    "normalize_mlqa",
    "not_in_context",
    "per_label_f1",
    "positive_f1",
    "retrieval_accuracy",
    "span_f1",
    "squad",
    "squad2",
    "tag_scores",
    "wrong_script_rate",
    "xtreme_r_scores",
    "xtreme_scores",
]
