"""The start and the steps of every decode: the source is encoded, and projected, once."""

from typing import Any

import jax
import jax.numpy as jnp

from mt5x import target
from mt5x.model import DecodeCache, Transformer

Array = jax.Array

# Decodes of this many tokens repay a transposed copy of the logits' kernel. Measured on CPU: the
# copy takes as long as 4 to 8 steps' products with it save, those of 8 to 128 rows.
WORTH_TURNING = 8


def start(
    model: Transformer,
    params: Any,
    encoder_input_tokens: Array,
    max_decode_length: int,
    hypotheses: int = 1,
) -> DecodeCache:
    """Encodes int32 `[batch, source]` once and returns the caches of the first step."""
    variables = {"params": params}
    encoded = model.apply(variables, encoder_input_tokens, enable_dropout=False, method="encode")
    cache: Any = model.apply(
        variables,
        encoded,
        encoder_input_tokens,
        max_decode_length,
        hypotheses,
        target.is_platform("cpu") and max_decode_length >= WORTH_TURNING,
        method="start_decoding",
    )
    return cache


def step(
    model: Transformer,
    params: Any,
    tokens: Array,
    cache: DecodeCache,
    ancestors: Array | None = None,
) -> tuple[Array, DecodeCache]:
    """`Transformer.decode_step`: float32 logits of the next token, and the next step's caches."""
    result: Any = model.apply({"params": params}, tokens, cache, ancestors, method="decode_step")
    return result


def is_padding(encoder_input_tokens: Array) -> Array:
    """Rows that fill up a last batch and are done from the start: bool `[batch]`."""
    return ~jnp.any(encoder_input_tokens > 0, axis=1)


def independent(batch: int, hypotheses: int, max_decode_length: int) -> Array:
    """The ancestors of hypotheses that each go on from themselves alone, as samples do.

    Returns:
        int32 `[batch, hypotheses, max_decode_length]`.
    """
    own = jnp.arange(hypotheses, dtype=jnp.int32)[None, :, None]
    return jnp.broadcast_to(own, (batch, hypotheses, max_decode_length))
