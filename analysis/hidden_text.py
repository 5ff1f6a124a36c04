"""The text behind the targets of span corruption: its characters, its bytes, its documents."""

import dataclasses
from typing import Any

import numpy as np

from analysis.lm_counts import LmStatistics
from mt5x.input_pipeline import EvaluationExamples

DOCUMENT = "document"
"""What span corruption calls the number of the document that a segment begins in."""


def marks(vocabulary: Any) -> tuple[int, ...]:
    """Returns the ids of a SeqIO vocabulary that are no text: the end token and the sentinels."""
    from tasks import vocabulary as vocabularies

    return (int(vocabulary.eos_id), *vocabularies.sentinels(vocabulary))


def counted(
    statistics: LmStatistics,
    examples: EvaluationExamples,
    vocabulary: Any,
    no_text: tuple[int, ...],
) -> LmStatistics:
    """Returns the statistics with the characters, bytes and documents of each sequence.

    Args:
      statistics: of the examples, in their order.
      examples: a task's; a segment's document is its feature 'document', where it has one.
      vocabulary: writes the tokens as text.
      no_text: ids that are no text.
    """
    texts = [
        [vocabulary.decode(span.tolist()) for span in _spans(ids, no_text)]
        for ids in examples.targets
    ]
    documents = None
    if examples.raw and DOCUMENT in examples.raw[0]:
        documents = np.array([int(raw[DOCUMENT]) for raw in examples.raw])
    return dataclasses.replace(
        statistics,
        characters=np.array([sum(map(len, spans)) for spans in texts]),
        bytes=np.array([sum(len(span.encode()) for span in spans) for spans in texts]),
        documents=documents,
    )


def _spans(ids: np.ndarray, no_text: tuple[int, ...]) -> list[np.ndarray]:
    """The runs of text between the marks."""
    is_text = ~np.isin(ids, no_text)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_text.astype(int), [0]])))
    return [ids[start:stop] for start, stop in edges.reshape(-1, 2)]
