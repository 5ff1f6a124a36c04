"""The likeliest token of each row, without the slow argmax of XLA's CPU backend."""

import math

import jax
import jax.numpy as jnp

Array = jax.Array

_PARTS = 256


def likeliest(logits: Array, vocabulary_axis: int) -> tuple[Array, Array]:
    """The token with the largest logit, of equal ones the first, and its log-probability.

    The maximum of each of 256 parts of the vocabulary is found first; an argmax then reads a
    thousand numbers in place of mT5's 250,112.

    Args:
        logits: float32, `[rows, vocab]`, or `[vocab, rows]` with axis 0.
        vocabulary_axis: 0 or 1, the axis that lies far apart or side by side in memory.

    Returns:
        int32 and float32 `[rows]`.
    """
    axis = vocabulary_axis
    parts = math.gcd(logits.shape[axis], _PARTS)
    size = logits.shape[axis] // parts
    split = logits.reshape(*logits.shape[:axis], parts, size, *logits.shape[axis + 1 :])
    part = jnp.argmax(split.max(axis=axis + 1), axis=axis)
    chosen = jnp.expand_dims(part, (axis, axis + 1))
    own = jnp.take_along_axis(split, chosen, axis=axis).squeeze(axis)
    token = part * size + jnp.argmax(own, axis=axis)
    highest = jnp.expand_dims(own.max(axis=axis), axis)
    log_prob = -jnp.log(jnp.sum(jnp.exp(logits - highest), axis=axis))
    return token.astype(jnp.int32), log_prob
