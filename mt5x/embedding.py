"""Sentence vectors: the mean of the encoder's last states, for tasks that find translations."""

from typing import Any

import jax
import jax.numpy as jnp

from mt5x.model import Transformer


def mean_pooled(
    module: Transformer, params: Any, encoder_input_tokens: jax.typing.ArrayLike
) -> jax.Array:
    """Returns the mean of a text's encoder states, as XTREME's retrieval baselines pool them.

    Args:
      module: the network.
      params: its parameters.
      encoder_input_tokens: int32 [batch, source]; 0 is padding and takes no part, EOS does.

    Returns:
      float32 [batch, emb_dim]; zeros for a row that is all padding.
    """
    states: Any = module.apply(
        {"params": params}, encoder_input_tokens, enable_dropout=False, method=module.encode
    )
    real = (jnp.asarray(encoder_input_tokens) > 0).astype(jnp.float32)
    total = jnp.einsum("bse,bs->be", states.astype(jnp.float32), real)
    return total / jnp.maximum(real.sum(axis=1, keepdims=True), 1.0)
