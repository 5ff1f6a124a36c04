"""Predictions for many inputs: in batches of like length, returned in the order they came in.

Inputs are sorted by length and padded to the next power of two, so that a few compiled shapes serve
all data and a short input never pays for the longest.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from mt5x import steps
from mt5x.models import EncoderDecoderModel

TokenIds = Sequence[int] | np.ndarray
Advance = Callable[[int], None]

_SHORTEST_BUCKET = 32
_TARGET_LENGTH_STEP = 8


def predict_texts(
    model: EncoderDecoderModel,
    params: Any,
    mesh: Mesh,
    inputs: Sequence[TokenIds],
    vocabulary: Any,
    batch_size: int,
    max_decode_length: int,
    advance: Advance = lambda rows: None,
) -> list[str]:
    """Decodes inputs greedily.

    Args:
      model: the model.
      params: its parameters, on `mesh`.
      mesh: the devices.
      inputs: token ids with EOS, of any lengths.
      vocabulary: the SeqIO vocabulary of the texts.
      batch_size: rows decoded together.
      max_decode_length: most tokens of a prediction; rounded up to a multiple of 8.
      advance: told how many inputs are done, batch by batch.
    """
    length = -(-max_decode_length // _TARGET_LENGTH_STEP) * _TARGET_LENGTH_STEP
    decode = steps.greedy_step(model, mesh, length)
    rows = _in_order(inputs, batch_size, mesh, lambda tokens: decode(params, tokens), advance)
    return [_text(row, vocabulary) for row in rows]


def predict_labels(
    model: EncoderDecoderModel,
    params: Any,
    mesh: Mesh,
    inputs: Sequence[TokenIds],
    labels: Sequence[str],
    vocabulary: Any,
    batch_size: int,
    advance: Advance = lambda rows: None,
) -> list[str]:
    """Returns for each input the likeliest of the labels; arguments as for `predict_texts`."""
    label_ids = encode_labels(labels, vocabulary)
    score = steps.label_step(model, mesh)
    rows = _in_order(
        inputs, batch_size, mesh, lambda tokens: score(params, tokens, label_ids), advance
    )
    return [labels[int(row.argmax())] for row in rows]


def encode_labels(labels: Sequence[str], vocabulary: Any) -> np.ndarray:
    """Returns the labels' ids with EOS, int32 [labels, longest], padded with 0."""
    rows = [[*vocabulary.encode(label), vocabulary.eos_id] for label in labels]
    return _pad(rows, len(rows), max(map(len, rows)))


def _in_order(
    inputs: Sequence[TokenIds],
    batch_size: int,
    mesh: Mesh,
    predict: Callable[[jax.Array], jax.Array],
    advance: Advance,
) -> list[np.ndarray]:
    """Returns predict's row for each input, reading one batch while the device does the next."""
    process, processes = jax.process_index(), jax.process_count()
    mine = slice(process * batch_size // processes, (process + 1) * batch_size // processes)
    # The longest first: if memory does not suffice, that is known at once.
    order = sorted(range(len(inputs)), key=lambda index: -len(inputs[index]))
    found: list[np.ndarray] = [np.empty(0)] * len(inputs)
    pending: tuple[list[int], jax.Array] | None = None

    def read() -> None:
        if pending is not None:
            for index, row in zip(pending[0], np.asarray(pending[1]), strict=False):
                found[index] = row
            advance(len(pending[0]))

    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        rows = [inputs[index] for index in indices]
        tokens = _pad(rows, batch_size, _bucket(len(rows[0])))[mine]
        predicted = predict(steps.place({"tokens": tokens}, mesh)["tokens"])
        read()
        pending = (indices, predicted)
    read()
    return found


def _bucket(length: int) -> int:
    return max(_SHORTEST_BUCKET, 1 << (length - 1).bit_length())


def _text(ids: np.ndarray, vocabulary: Any) -> str:
    tokens = ids.tolist()
    end = tokens.index(vocabulary.eos_id) if vocabulary.eos_id in tokens else len(tokens)
    return str(vocabulary.decode([token for token in tokens[:end] if token]))


def _pad(rows: Sequence[TokenIds], count: int, length: int) -> np.ndarray:
    padded = np.zeros((count, length), np.int32)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded
