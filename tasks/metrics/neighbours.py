"""Nearest neighbours by cosine, in blocks: memory grows with the sentences, not with their square.

50,000 by 50,000 vectors of 512 numbers take half a minute of processor time and 460 MiB, 200 of
which are the vectors.
"""

import numpy as np

# Vectors a block and side: 64 MiB of similarities in float32.
_BLOCK = 4096


def nearest(queries: np.ndarray, candidates: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k candidates (or all, if fewer) with the highest cosine to each query.

    Returns:
      indices: int64 [queries, k], the nearest first; of equal ones the earlier.
      cosines: float64 [queries, k].
    """
    k = min(k, len(candidates))
    indices = np.empty((len(queries), k), np.int64)
    cosines = np.empty((len(queries), k), np.float64)
    if not indices.size:
        return indices, cosines
    for start in range(0, len(queries), _BLOCK):
        block = queries[start : start + _BLOCK]
        rows = np.arange(len(block))
        kept = np.empty((len(block), 0), np.int64)
        values = np.empty((len(block), 0), np.float32)
        for offset in range(0, len(candidates), _BLOCK):
            similarity = block @ candidates[offset : offset + _BLOCK].T
            # k passes of argmax are several times faster than one argpartition.
            for _ in range(min(k, similarity.shape[1])):
                best = similarity.argmax(axis=1)
                kept = np.column_stack([kept, best + offset])
                values = np.column_stack([values, similarity[rows, best]])
                similarity[rows, best] = -np.inf
            order = np.argsort(-values, axis=1, kind="stable")[:, :k]
            kept = np.take_along_axis(kept, order, axis=1)
            values = np.take_along_axis(values, order, axis=1)
        # float32 was enough to find them; what is scored is exact.
        exact = [
            np.einsum("qe,qe->q", block, candidates[column], dtype=np.float64) for column in kept.T
        ]
        indices[start : start + len(block)] = kept
        cosines[start : start + len(block)] = np.stack(exact, axis=1)
    return indices, cosines


def unit(vectors: list[np.ndarray]) -> np.ndarray:
    """[n, emb] float32 vectors of length 1; zeros, which resemble nothing, for those not finite."""
    if not vectors:
        return np.zeros((0, 0), np.float32)
    with np.errstate(over="ignore"):  # what float32 cannot hold is not finite
        stacked = np.stack(vectors).astype(np.float32)
    stacked[~np.isfinite(stacked).all(axis=1)] = 0.0
    # Scaled first, so that squares of very large or small numbers stay within range.
    largest = np.abs(stacked).max(axis=1, keepdims=True, initial=0.0)
    stacked /= np.where(largest > 0, largest, 1.0)
    norms = np.sqrt(np.einsum("ne,ne->n", stacked, stacked, dtype=np.float64))
    stacked /= np.where(norms > 0, norms, 1.0).astype(np.float32)[:, None]
    return stacked
