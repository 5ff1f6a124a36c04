"""Log-probabilities of given targets: of a batch's own, and of a closed set of labels.

A label is scored, not generated: the answer of a classification task is the label string that the
model gives the highest probability, which can never be a malformed string.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mt5x import losses
from mt5x.decoding.likeliest import likeliest
from mt5x.model import Transformer

Array = jax.Array


class Prefixes(NamedTuple):
    """The prefixes of a set of labels, each once: a softmax is taken after each of them.

    Attributes:
        first: int32 `[prefixes]`, where each first occurs among the labels' positions, flattened.
        of_token: int32 `[labels, length]`, the prefix that each token of a label follows.
    """

    first: np.ndarray
    of_token: np.ndarray


def distinct_prefixes(label_ids: np.ndarray) -> Prefixes:
    """Finds the prefixes of int32 `[labels, length]` label ids, padded with 0.

    XNLI's labels, a digit and the end token each, have four: the empty one, which the digits
    follow, and the digits. Padding follows the empty prefix, which costs nothing.
    """
    labels, length = label_ids.shape
    known: dict[tuple[int, ...], int] = {}
    first: list[int] = []
    of_token = np.zeros((labels, length), np.int32)
    for label in range(labels):
        for position in range(int((label_ids[label] > 0).sum())):
            prefix = tuple(label_ids[label, :position].tolist())
            if prefix not in known:
                known[prefix] = len(known)
                first.append(label * length + position)
            of_token[label, position] = known[prefix]
    return Prefixes(np.array(first, np.int32), of_token)


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


def log_probs_and_likeliest(
    model: Transformer, params: Any, batch: losses.Batch
) -> tuple[Array, Array]:
    """As `token_log_probs`, and the token that the model finds likeliest in each place.

    Returns:
        float32 and int32 `[batch, target]`; of equally likely tokens the first.
    """
    hidden, kernel = losses.hidden_and_kernel(model, params, batch, None)

    def at_position(args: tuple[Array, Array]) -> tuple[Array, Array]:
        hidden, target = args
        logits = jnp.dot(hidden.astype(jnp.float32), kernel)
        best, best_log_prob = likeliest(logits, 1)
        ids = jnp.stack([target, best], axis=1)
        of_target, of_best = jnp.take_along_axis(logits, ids, axis=1).T
        return best_log_prob - (of_best - of_target), best

    # As many positions at once as their logits may take memory.
    together = max(1, losses.LOGITS_BYTES // (4 * hidden.shape[0] * kernel.shape[1]))
    positions = jnp.moveaxis(hidden, 1, 0), jnp.asarray(batch["decoder_target_tokens"]).T
    log_probs, best = jax.lax.map(at_position, positions, batch_size=together)
    return log_probs.T, best.T


def score_batch(model: Transformer, params: Any, batch: losses.Batch) -> Array:
    """T5X's score of each row: its tokens' log-probabilities, weighted, summed; `[batch]`."""
    return jnp.sum(token_log_probs(model, params, batch) * losses.target_weights(batch), axis=-1)


def score_labels(
    model: Transformer,
    params: Any,
    encoder_input_tokens: Array,
    label_ids: Array,
    prefixes: Prefixes | None = None,
) -> Array:
    """The log-probability of every label after every source.

    A source is encoded, and projected to keys and values, once: the labels follow one another on
    the target axis, like packed examples, each seeing itself and the whole source. A softmax over
    the vocabulary is taken once for a prefix that several labels share.

    Args:
        model: the network; dropout is off.
        params: its parameters.
        encoder_input_tokens: int32 `[batch, source]`, padded with 0, not packed.
        label_ids: int32 `[labels, length]`, each label with its end token, padded with 0.
        prefixes: `distinct_prefixes(label_ids)`; None takes a softmax at every position.

    Returns:
        float32 `[batch, labels]` in nats; argmax over the last axis is the prediction.
    """
    labels, length = label_ids.shape
    if prefixes is None:
        every = np.arange(labels * length, dtype=np.int32)
        prefixes = Prefixes(every, every.reshape(labels, length))
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
    hidden, kernel = losses.hidden_and_kernel(model, params, features, None)
    hidden = jnp.take(hidden, jnp.asarray(prefixes.first), axis=1).astype(jnp.float32)
    log_z = losses.token_statistics(hidden, kernel, jnp.zeros(hidden.shape[:2], jnp.int32)).log_z
    # Of the logits, those of the labels' own tokens alone.
    of_token = jnp.asarray(prefixes.of_token).reshape(-1)
    columns = jnp.take(kernel, label_ids.reshape(-1), axis=1)
    logits = jnp.einsum("bnd,dn->bn", jnp.take(hidden, of_token, axis=1), columns)
    log_probs = (logits - jnp.take(log_z, of_token, axis=1)).reshape(batch, labels, length)
    return jnp.sum(jnp.where((label_ids > 0)[None], log_probs, 0.0), axis=-1)
