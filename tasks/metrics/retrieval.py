"""Scores of sentences found by their vectors: Tatoeba's accuracy and BUCC's mining F1.

Gold is one `Sentence` an example, the prediction its vector, float [emb]. Similarity is the cosine.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from tasks.errors import DataError
from tasks.metrics.counts import f1, percent
from tasks.metrics.neighbours import nearest, unit
from tasks.postprocessors import Sentence

Scoring = Literal["ratio", "cosine"]
RetrievalMetric = Callable[[Sequence[Sentence], Sequence[np.ndarray]], dict[str, float]]

# How many nearest neighbours the margin looks at (Artetxe & Schwenk 2019, and XTREME).
NEIGHBOURS = 4


class _Side(NamedTuple):
    """Sentences of one side: vectors [n, emb] float32 of length 1 (or 0)."""

    sentences: list[Sentence]
    vectors: np.ndarray


class _Search(NamedTuple):
    """Both sides' nearest neighbours on the other: indices and cosines [n, up to NEIGHBOURS]."""

    source: list[Sentence]
    target: list[Sentence]
    forward: np.ndarray
    forward_cosines: np.ndarray
    backward: np.ndarray
    backward_cosines: np.ndarray


class MinedPair(NamedTuple):
    """Two sentences taken for translations of each other."""

    source: str
    target: str
    score: float


def retrieval_accuracy(
    targets: Sequence[Sentence], predictions: Sequence[np.ndarray]
) -> dict[str, float]:
    """Share of the sentences with a partner whose nearest neighbour by cosine is the partner.

    Of equal vectors the first counts as found, so a model that tells no sentences apart scores as
    chance does. A partner that is not among the examples is not found.

    Returns:
      retrieval_accuracy: of source sentences, looked for among the target (English) ones.
      retrieval_accuracy_to_source: of target sentences among the source ones. This is the direction
        in which XTREME's released code searches Tatoeba.
    """
    source, target = _sides(targets, predictions)
    return {
        "retrieval_accuracy": _accuracy(source, target),
        "retrieval_accuracy_to_source": _accuracy(target, source),
    }


def mining_f1(targets: Sequence[Sentence], predictions: Sequence[np.ndarray]) -> dict[str, float]:
    """F1 of the pairs mined by ratio margin (Artetxe & Schwenk 2019), as XTREME scores BUCC.

    The score of a pair is its cosine divided by the mean cosine of both sentences to their four
    nearest neighbours on the other side. A candidate is each sentence's best-scored neighbour, in
    both directions; the best candidates are taken one to one. The threshold is chosen on the very
    examples that are scored, to maximise F1, as XTREME does on BUCC's dev split: on a test split
    that flatters. Choose it with `best_threshold` on dev and score test with `mining_f1_at`.

    Returns:
      mining_f1, mining_precision, mining_recall.
    """
    return _scores(targets, mined_pairs(targets, predictions))


def mining_f1_cosine(
    targets: Sequence[Sentence], predictions: Sequence[np.ndarray]
) -> dict[str, float]:
    """As `mining_f1`, with the cosine itself for the score of a pair; named `..._cosine`."""
    scores = _scores(targets, mined_pairs(targets, predictions, "cosine"))
    return {f"{name}_cosine": value for name, value in scores.items()}


def mining_scores(
    targets: Sequence[Sentence], predictions: Sequence[np.ndarray]
) -> dict[str, float]:
    """`mining_f1` and `mining_f1_cosine` together, in the time of one: the search is the same."""
    search = _searched(targets, predictions)
    cosine = _scores(targets, _pairs(search, "cosine"))
    return _scores(targets, _pairs(search, "ratio")) | {
        f"{name}_cosine": value for name, value in cosine.items()
    }


def mining_f1_at(threshold: float, scoring: Scoring = "ratio") -> RetrievalMetric:
    """The metric `mining_f1` with pairs scored `threshold` or more, chosen elsewhere."""

    def mining_f1(
        targets: Sequence[Sentence], predictions: Sequence[np.ndarray]
    ) -> dict[str, float]:
        return _scores(targets, mined_pairs(targets, predictions, scoring), threshold)

    return mining_f1


def best_threshold(
    targets: Sequence[Sentence], predictions: Sequence[np.ndarray], scoring: Scoring = "ratio"
) -> float:
    """The score from which on pairs must be taken to maximise F1; inf where none is right."""
    pairs = mined_pairs(targets, predictions, scoring)
    count = _best_count(pairs, _gold_pairs(targets))
    if not count:
        return float("inf")
    # Half-way to the next, as XTREME has it: the same pairs, and some room for other vectors.
    following = pairs[count].score if count < len(pairs) else pairs[count - 1].score
    return (pairs[count - 1].score + following) / 2


def mined_pairs(
    targets: Sequence[Sentence], predictions: Sequence[np.ndarray], scoring: Scoring = "ratio"
) -> list[MinedPair]:
    """All pairs that mining proposes, one to one, the best scored first; scores are above 0."""
    return _pairs(_searched(targets, predictions), scoring)


def _searched(targets: Sequence[Sentence], predictions: Sequence[np.ndarray]) -> _Search:
    source, target = _sides(targets, predictions)
    return _Search(
        source.sentences,
        target.sentences,
        *nearest(source.vectors, target.vectors, NEIGHBOURS),
        *nearest(target.vectors, source.vectors, NEIGHBOURS),
    )


def _pairs(search: _Search, scoring: Scoring) -> list[MinedPair]:
    if scoring not in ("ratio", "cosine"):
        raise DataError(f"expected the scoring 'ratio' or 'cosine', got {scoring!r}")
    if not search.source or not search.target:
        return []
    of_source = search.forward_cosines.mean(axis=1)
    of_target = search.backward_cosines.mean(axis=1)

    def best(
        near: np.ndarray, cosines: np.ndarray, own: np.ndarray, others: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best-scored neighbour of each sentence, and its score."""
        scores = cosines
        if scoring == "ratio":
            average = (own[:, None] + others[near]) / 2
            # Among dissimilar sentences an average may be 0 or less, which no ratio means well.
            positive = average > 0
            scores = np.where(positive, cosines / np.where(positive, average, 1.0), 0.0)
        rows, columns = np.arange(len(near)), scores.argmax(axis=1)
        return near[rows, columns], scores[rows, columns]

    found, forward = best(search.forward, search.forward_cosines, of_source, of_target)
    found_back, backward = best(search.backward, search.backward_cosines, of_target, of_source)
    return _one_to_one(
        search.source,
        search.target,
        np.concatenate([np.arange(len(found)), found_back]),
        np.concatenate([found, np.arange(len(found_back))]),
        np.concatenate([forward, backward]),
    )


def _one_to_one(
    source: list[Sentence],
    target: list[Sentence],
    sources: np.ndarray,
    targets: np.ndarray,
    scores: np.ndarray,
) -> list[MinedPair]:
    """Takes candidates from the best scored on, each sentence once."""
    pairs: list[MinedPair] = []
    seen_sources: set[int] = set()
    seen_targets: set[int] = set()
    # Equal scores in the order of the sentences: the same pairs on every machine.
    for index in np.lexsort((targets, sources, -scores)):
        one, other = int(sources[index]), int(targets[index])
        if scores[index] > 0 and one not in seen_sources and other not in seen_targets:
            seen_sources.add(one)
            seen_targets.add(other)
            pairs.append(MinedPair(source[one].id, target[other].id, float(scores[index])))
    return pairs


def _scores(
    targets: Sequence[Sentence], pairs: Sequence[MinedPair], threshold: float | None = None
) -> dict[str, float]:
    """Of the pairs from the threshold on; without one, of those that give the best F1."""
    gold = _gold_pairs(targets)
    if threshold is None:
        count = _best_count(pairs, gold)
    else:
        count = sum(pair.score >= threshold for pair in pairs)
    right = sum((pair.source, pair.target) in gold for pair in pairs[:count])
    return {
        "mining_f1": f1(right, count, len(gold)),
        "mining_precision": percent(right, count),
        "mining_recall": percent(right, len(gold)),
    }


def _best_count(pairs: Sequence[MinedPair], gold: set[tuple[str, str]]) -> int:
    """How many of the pairs to take for the best F1: the fewest; equal scores go together."""
    best, best_f1, right = 0, 0.0, 0
    for count, pair in enumerate(pairs, start=1):
        right += (pair.source, pair.target) in gold
        if count < len(pairs) and pairs[count].score == pair.score:
            continue
        score = f1(right, count, len(gold))
        if score > best_f1:
            best, best_f1 = count, score
    return best


def _gold_pairs(targets: Sequence[Sentence]) -> set[tuple[str, str]]:
    return {
        (one.id, one.partner) if one.side == "source" else (one.partner, one.id)
        for one in targets
        if one.partner
    }


def _accuracy(queries: _Side, candidates: _Side) -> float:
    asked = [index for index, one in enumerate(queries.sentences) if one.partner]
    if not asked or not candidates.sentences:
        return 0.0
    indices, _ = nearest(queries.vectors[asked], candidates.vectors, 1)
    first: dict[bytes, int] = {}
    for index, vector in enumerate(candidates.vectors):
        first.setdefault(vector.tobytes(), index)
    found = [
        candidates.sentences[first[candidates.vectors[index].tobytes()]].id
        for index in indices[:, 0]
    ]
    wanted = [queries.sentences[index].partner for index in asked]
    return percent(sum(f == w for f, w in zip(found, wanted, strict=True)), len(asked))


def _sides(targets: Sequence[Sentence], predictions: Sequence[np.ndarray]) -> tuple[_Side, _Side]:
    """(source, target) sentences with their vectors."""
    if len(targets) != len(predictions):
        raise DataError(
            f"expected one vector a sentence: {len(targets)} sentences, {len(predictions)} vectors"
        )
    shapes = {np.shape(vector) for vector in predictions}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        raise DataError(f"expected vectors [emb] of one length, got the shapes {sorted(shapes)}")
    parts: dict[str, list[int]] = {"source": [], "target": []}
    seen: set[tuple[str, str]] = set()
    for index, one in enumerate(targets):
        if one.side not in parts:
            raise DataError(
                f"expected a sentence's side to be 'source' or 'target', got {one.side!r}"
            )
        if (one.side, one.id) in seen:
            raise DataError(f"the {one.side} sentence {one.id!r} occurs twice; ids name one each")
        seen.add((one.side, one.id))
        parts[one.side].append(index)
    source, target = (
        _Side([targets[i] for i in part], unit([predictions[i] for i in part]))
        for part in parts.values()
    )
    return source, target
