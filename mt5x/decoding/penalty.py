"""What divides a decode's log-probability so that short ones are not favoured."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

Array = jax.Array

# T5X's default decoder is a beam search of one beam, which divides finished scores by this power.
T5X_ALPHA = 0.6


def length_penalty(length: ArrayLike, alpha: float = T5X_ALPHA) -> Array:
    """((5 + length) / 6)^alpha: arXiv 1609.08144, equation 14; the length counts the end token."""
    return jnp.power((5.0 + jnp.asarray(length, jnp.float32)) / 6.0, alpha)


def brevity_penalty(ids: ArrayLike, eos_id: int = 1, alpha: float = T5X_ALPHA) -> Array:
    """What T5X's beam search divides a decode's score by: its `length_penalty`.

    A decode that ran to the limit without its end token is not finished to T5X, and keeps its score
    (1 here).

    Args:
        ids: int32 `[batch, length]` from `greedy_decode`.
        eos_id: the end token.
        alpha: the power; T5X's default is 0.6.

    Returns:
        float32 `[batch]`.
    """
    ids = jnp.asarray(ids)
    ended = jnp.any(ids == eos_id, axis=1)
    length = jnp.sum(ids > 0, axis=1)
    return jnp.where(ended, length_penalty(length, alpha), 1.0)
