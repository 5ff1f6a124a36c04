"""Predictions for many inputs: in batches of like length, returned in the order they came in."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from mt5x import decoding, length_buckets, partitioning, scoring, steps
from mt5x.decoding import GREEDY, DecodeConfig
from mt5x.length_buckets import Advance, Predict, TokenIds, nobody
from mt5x.models import EncoderDecoderModel

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
        batch = {"tokens": length_buckets.tokens(inputs, indices, size), "rows": rows}
        return step(params, steps.place(batch, mesh), key)

    return [
        [
            Decode(_text(ids, vocabulary), float(score))
            for ids, score in zip(*row, strict=True)
            if decoding.found(score)
        ]
        for row in _in_order(lengths, batch_size, mesh, predict, advance)
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
    prefixes = scoring.distinct_prefixes(label_ids)
    step = steps.label_step(model, mesh)

    def score(indices: Sequence[int], size: int) -> tuple[jax.Array]:
        batch = steps.place({"tokens": length_buckets.tokens(inputs, indices, size)}, mesh)
        return (step(params, batch["tokens"], label_ids, prefixes),)

    rows = _in_order([len(ids) for ids in inputs], batch_size, mesh, score, advance)
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
        length = length_buckets.bucket(max(map(len, rows)), _SHORTEST_TARGET_BUCKET)
        batch = {
            "tokens": length_buckets.tokens(inputs, indices, size),
            "targets": length_buckets.padded(rows, size, length),
        }
        return (step(params, steps.place(batch, mesh)),)

    lengths = [len(ids) + len(target) for ids, target in zip(inputs, targets, strict=True)]
    return [float(score) for (score,) in _in_order(lengths, batch_size, mesh, score, advance)]


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
        batch = steps.place({"tokens": length_buckets.tokens(inputs, indices, size)}, mesh)
        return (step(params, batch["tokens"]),)

    rows = _in_order([len(ids) for ids in inputs], batch_size, mesh, embed, advance)
    return [row for (row,) in rows]


def encode_labels(labels: Sequence[str], vocabulary: Any) -> np.ndarray:
    """Returns the labels' ids with EOS, int32 [labels, longest], padded with 0."""
    rows = [[*vocabulary.encode(label), vocabulary.eos_id] for label in labels]
    return length_buckets.padded(rows, len(rows), max(map(len, rows)))


def _in_order(
    lengths: Sequence[int], batch_size: int, mesh: Mesh, predict: Predict, advance: Advance
) -> list[tuple[np.ndarray, ...]]:
    parts = partitioning.batch_parts(mesh)
    return length_buckets.in_order(lengths, batch_size, predict, advance, parts)


def _text(ids: np.ndarray, vocabulary: Any) -> str:
    tokens = ids.tolist()
    end = tokens.index(vocabulary.eos_id) if vocabulary.eos_id in tokens else len(tokens)
    return str(vocabulary.decode([token for token in tokens[:end] if token]))
