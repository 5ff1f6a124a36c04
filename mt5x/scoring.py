"""Log-probabilities of given targets: of a batch's own, and of a closed set of labels.

A label is scored, not generated: the answer of a classification task is the label string that the
model gives the highest probability, which can never be a malformed string.
"""

from typing import Any

import jax
import jax.numpy as jnp

from mt5x import losses
from mt5x.model import Transformer

Array = jax.Array


def token_log_probs(model: Transformer, params: Any, batch: losses.Batch) -> Array:
    """The log-probability of each target token given the source and the tokens before it.

    Args:
        model: the network; dropout is off.
        params: its parameters.
        batch: features as SeqIO's EncDecFeatureConverter names them, packed or not.

    Returns:
        float32 `[batch, target]` in nats, at padding too, where it means nothing.
    """
    hidden, kernel = losses.hidden_and_kernel(model, params, batch, None)
    statistics = losses.token_statistics(hidden, kernel, batch["decoder_target_tokens"])
    return statistics.target_logit - statistics.log_z


def score_batch(model: Transformer, params: Any, batch: losses.Batch) -> Array:
    """T5X's score of each row: its tokens' log-probabilities, weighted, summed; `[batch]`."""
    return jnp.sum(token_log_probs(model, params, batch) * losses.target_weights(batch), axis=-1)


def score_labels(
    model: Transformer, params: Any, encoder_input_tokens: Array, label_ids: Array
) -> Array:
    """The log-probability of every label after every source.

    A source is encoded, and projected to keys and values, once: the labels follow one another on
    the target axis, like packed examples, each seeing itself and the whole source.

    Args:
        model: the network; dropout is off.
        params: its parameters.
        encoder_input_tokens: int32 `[batch, source]`, padded with 0, not packed.
        label_ids: int32 `[labels, length]`, each label with its end token, padded with 0.

    Returns:
        float32 `[batch, labels]` in nats; argmax over the last axis is the prediction.
    """
    labels, length = label_ids.shape
    batch = encoder_input_tokens.shape[0]
    label_ids = jnp.asarray(label_ids, jnp.int32)
    shifted = jnp.pad(label_ids[:, :-1], [(0, 0), (1, 0)])
    segments = jnp.repeat(jnp.arange(1, labels + 1, dtype=jnp.int32), length)

    def for_all(ids: Array) -> Array:
        return jnp.broadcast_to(ids.reshape(1, -1), (batch, labels * length))

    features = {
        "encoder_input_tokens": encoder_input_tokens,
        "decoder_input_tokens": for_all(shifted),
        "decoder_target_tokens": for_all(label_ids),
        "decoder_segment_ids": for_all(segments),
    }
    log_probs = token_log_probs(model, params, features).reshape(batch, labels, length)
    return jnp.sum(jnp.where((label_ids > 0)[None], log_probs, 0.0), axis=-1)
