"""Inputs in batches of like length, and their results in the order the inputs came in.

Inputs are sorted by length, and a batch is padded to the next of few lengths, four an octave: a
short input never pays for the longest, and a few compiled shapes serve all data.
"""

from collections.abc import Callable, Sequence

import jax
import numpy as np

TokenIds = Sequence[int] | np.ndarray
Advance = Callable[[int], None]
# From the places of the inputs of a batch, and its rows, to arrays of as many rows.
Predict = Callable[[Sequence[int], int], tuple[jax.Array, ...]]

SHORTEST = 32
# Finer steps fill batches little better: on XNLI 4 an octave leave 9% of the positions empty, and
# powers of two 31%.
STEPS_AN_OCTAVE = 4


def nobody(rows: int) -> None:
    """Tells nobody how many inputs are done."""


def bucket(length: int, shortest: int = SHORTEST) -> int:
    """The padded length: a power of two, or a quarter, half or three quarters up to the next.

    Args:
      length: tokens, at least 1.
      shortest: what the shortest are padded to, a power of two.
    """
    step = max(power_of_two(length) // 2 // STEPS_AN_OCTAVE, 1)
    return max(shortest, -(-length // step) * step)


def power_of_two(number: int) -> int:
    """The next power of two, or the number itself."""
    return 1 << (number - 1).bit_length()


def in_order(
    lengths: Sequence[int],
    batch_size: int,
    predict: Predict,
    advance: Advance = nobody,
    parts: int = 1,
) -> list[tuple[np.ndarray, ...]]:
    """Returns predict's rows for each input, reading one batch while the device does the next.

    Args:
      lengths: of the inputs; like lengths are predicted together.
      batch_size: most rows of a batch. All batches have the same: half of them, and so on, where
        that holds all inputs.
      predict: see `Predict`.
      advance: told how many inputs are done.
      parts: what the rows of a batch must divide into.
    """
    rows = batch_size
    while rows % (2 * parts) == 0 and rows // 2 >= len(lengths):
        rows //= 2
    # The longest first: if memory does not suffice, that is known at once.
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    found: list[tuple[np.ndarray, ...]] = [()] * len(lengths)
    pending: tuple[list[int], tuple[jax.Array, ...]] | None = None

    def read() -> None:
        if pending is not None:
            indices, arrays = pending
            for index, *row in zip(indices, *map(np.asarray, arrays), strict=False):
                found[index] = tuple(row)
            advance(len(indices))

    for start in range(0, len(order), rows):
        indices = order[start : start + rows]
        predicted = predict(indices, rows)
        read()
        pending = (indices, predicted)
    read()
    return found


def tokens(inputs: Sequence[TokenIds], indices: Sequence[int], rows: int) -> np.ndarray:
    """The inputs at `indices`, padded with 0 to their bucket: int32 [rows, bucket]."""
    chosen = [inputs[index] for index in indices]
    return padded(chosen, rows, bucket(max(map(len, chosen))))


def padded(chosen: Sequence[TokenIds], rows: int, length: int) -> np.ndarray:
    """Token ids padded with 0, int32 [rows, length]; rows that are missing are all 0."""
    array = np.zeros((rows, length), np.int32)
    for index, ids in enumerate(chosen):
        array[index, : len(ids)] = ids
    return array
