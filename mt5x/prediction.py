"""Predictions for many inputs: in batches of like length, returned in the order they came in.

Inputs are sorted by length and padded to the next power of two, so that a few compiled shapes serve
all data and a short input never pays for the longest.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from mt5x import decoding, steps
from mt5x.decoding import GREEDY, DecodeConfig
from mt5x.models import EncoderDecoderModel

TokenIds = Sequence[int] | np.ndarray
Advance = Callable[[int], None]

_SHORTEST_BUCKET = 32
_SHORTEST_TARGET_BUCKET = 8
_TARGET_LENGTH_STEP = 8


class Decode(NamedTuple):
    """One decoded text.

    Attributes:
      text: without the end token.
      score: in nats; see `decoding.Decodes`.
    """

    text: str
    score: float


def nobody(rows: int) -> None:
    """Tells nobody how many inputs are done."""


def predict_texts(
    model: EncoderDecoderModel,
    params: Any,
    mesh: Mesh,
    inputs: Sequence[TokenIds],
    vocabulary: Any,
    batch_size: int,
    longest_target: int,
    advance: Advance = nobody,
    decode: DecodeConfig = GREEDY,
) -> list[str]:
    """Decodes inputs, for comparison with known targets.

    Args:
      model: the model.
      params: its parameters, on `mesh`.
      mesh: the devices.
      inputs: token ids with EOS, of any lengths.
      vocabulary: the vocabulary of the texts.
      batch_size: rows decoded together.
      longest_target: most tokens of a prediction where `decode` names none; rounded up to a
        multiple of 8, so that data sets share compiled steps.
      advance: told how many inputs are done, batch by batch.
      decode: the decoder; the best decode is the prediction.
    """
    length = -(-longest_target // _TARGET_LENGTH_STEP) * _TARGET_LENGTH_STEP
    rows = predict_decodes(
        model, params, mesh, inputs, vocabulary, batch_size, length, advance, decode
    )
    return [decodes[0].text for decodes in rows]


def predict_decodes(
    model: EncoderDecoderModel,
    params: Any,
    mesh: Mesh,
    inputs: Sequence[TokenIds],
    vocabulary: Any,
    batch_size: int,
    max_length: int,
    advance: Advance = nobody,
    decode: DecodeConfig = GREEDY,
) -> list[list[Decode]]:
    """Returns each input's decodes, best first; arguments as for `predict_texts`.

    A beam search that found fewer decodes than it has beams returns those it found.

    Args:
      model: the model.
      params: its parameters, on `mesh`.
      mesh: the devices.
      inputs: token ids with EOS, of any lengths.
      vocabulary: the vocabulary of the texts.
      batch_size: rows decoded together.
      max_length: most tokens of a prediction where `decode` names none.
      advance: told how many inputs are done, batch by batch.
      decode: the decoder.
    """
    step = steps.decode_step(model, mesh, decode.compiled_for(max_length))
    key = jax.random.key(decode.seed)
    lengths = [len(ids) for ids in inputs]

    def predict(indices: Sequence[int], size: int) -> tuple[jax.Array, jax.Array]:
        rows = np.zeros(size, np.int32)
        rows[: len(indices)] = indices
        batch = {"tokens": _tokens(inputs, indices, size), "rows": rows}
        return step(params, steps.place(batch, mesh), key)

    return [
        [
            Decode(_text(ids, vocabulary), float(score))
            for ids, score in zip(*row, strict=True)
            if decoding.found(score)
        ]
        for row in _in_order(lengths, batch_size, predict, advance)
    ]


def predict_labels(
    model: EncoderDecoderModel,
    params: Any,
    mesh: Mesh,
    inputs: Sequence[TokenIds],
    labels: Sequence[str],
    vocabulary: Any,
    batch_size: int,
    advance: Advance = nobody,
) -> list[str]:
    """Returns for each input the likeliest of the labels; arguments as for `predict_texts`."""
    scores = score_labels(model, params, mesh, inputs, labels, vocabulary, batch_size, advance)
    return [labels[int(row.argmax())] for row in scores]


def score_labels(
    model: EncoderDecoderModel,
    params: Any,
    mesh: Mesh,
    inputs: Sequence[TokenIds],
    labels: Sequence[str],
    vocabulary: Any,
    batch_size: int,
    advance: Advance = nobody,
) -> list[np.ndarray]:
    """Returns for each input the log-probability of every label, float32 [labels], in nats."""
    label_ids = encode_labels(labels, vocabulary)
    step = steps.label_step(model, mesh)

    def score(indices: Sequence[int], size: int) -> tuple[jax.Array]:
        batch = steps.place({"tokens": _tokens(inputs, indices, size)}, mesh)
        return (step(params, batch["tokens"], label_ids),)

    rows = _in_order([len(ids) for ids in inputs], batch_size, score, advance)
    return [row for (row,) in rows]


def score_targets(
    model: EncoderDecoderModel,
    params: Any,
    mesh: Mesh,
    inputs: Sequence[TokenIds],
    targets: Sequence[TokenIds],
    batch_size: int,
    advance: Advance = nobody,
) -> list[float]:
    """Returns the log-probability of each input's own target, in nats, its end token included.

    Args:
      model: the model.
      params: its parameters, on `mesh`.
      mesh: the devices.
      inputs: token ids with EOS, of any lengths.
      targets: as many, token ids with EOS.
      batch_size: rows scored together.
      advance: told how many inputs are done, batch by batch.
    """
    step = steps.score_step(model, mesh)

    def score(indices: Sequence[int], size: int) -> tuple[jax.Array]:
        rows = [targets[index] for index in indices]
        length = max(_SHORTEST_TARGET_BUCKET, _power_of_two(max(map(len, rows))))
        batch = {"tokens": _tokens(inputs, indices, size), "targets": _pad(rows, size, length)}
        return (step(params, steps.place(batch, mesh)),)

    lengths = [len(ids) + len(target) for ids, target in zip(inputs, targets, strict=True)]
    return [float(score) for (score,) in _in_order(lengths, batch_size, score, advance)]


def predict_vectors(
    model: EncoderDecoderModel,
    params: Any,
    mesh: Mesh,
    inputs: Sequence[TokenIds],
    batch_size: int,
    advance: Advance = nobody,
) -> list[np.ndarray]:
    """Returns each input's mean-pooled encoder states, float32 [emb_dim]; else as predict_texts."""
    step = steps.embed_step(model, mesh)

    def embed(indices: Sequence[int], size: int) -> tuple[jax.Array]:
        batch = steps.place({"tokens": _tokens(inputs, indices, size)}, mesh)
        return (step(params, batch["tokens"]),)

    rows = _in_order([len(ids) for ids in inputs], batch_size, embed, advance)
    return [row for (row,) in rows]


def encode_labels(labels: Sequence[str], vocabulary: Any) -> np.ndarray:
    """Returns the labels' ids with EOS, int32 [labels, longest], padded with 0."""
    rows = [[*vocabulary.encode(label), vocabulary.eos_id] for label in labels]
    return _pad(rows, len(rows), max(map(len, rows)))


def _in_order(
    lengths: Sequence[int],
    batch_size: int,
    predict: Callable[[Sequence[int], int], tuple[jax.Array, ...]],
    advance: Advance,
) -> list[tuple[np.ndarray, ...]]:
    """Returns predict's rows for each input, reading one batch while the device does the next.

    Args:
      lengths: of the inputs; like lengths are predicted together.
      batch_size: rows of a batch, always.
      predict: from the places of the inputs of a batch, and its size, to arrays of rows.
      advance: told how many inputs are done.
    """
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

    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        predicted = predict(indices, batch_size)
        read()
        pending = (indices, predicted)
    read()
    return found


def _tokens(inputs: Sequence[TokenIds], indices: Sequence[int], size: int) -> np.ndarray:
    rows = [inputs[index] for index in indices]
    longest = max(map(len, rows))
    return _pad(rows, size, max(_SHORTEST_BUCKET, _power_of_two(longest)))


def _power_of_two(length: int) -> int:
    return 1 << (length - 1).bit_length()


def _text(ids: np.ndarray, vocabulary: Any) -> str:
    tokens = ids.tolist()
    end = tokens.index(vocabulary.eos_id) if vocabulary.eos_id in tokens else len(tokens)
    return str(vocabulary.decode([token for token in tokens[:end] if token]))


def _pad(rows: Sequence[TokenIds], count: int, length: int) -> np.ndarray:
    padded = np.zeros((count, length), np.int32)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded
