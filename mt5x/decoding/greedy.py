"""Greedy decoding: the encoder once, then one token at a time against cached keys and values."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mt5x.decoding import caches
from mt5x.decoding.likeliest import likeliest
from mt5x.model import DecodeCache, Transformer

Array = jax.Array


class _State(NamedTuple):
    tokens: Array  # int32 [b]: the last tokens, 0 once a row is done
    ids: Array  # int32 [max_decode_length, b]: position first, so that a step writes one row
    scores: Array  # float32 [b]
    done: Array  # bool [b]
    cache: DecodeCache


def greedy_decode(
    model: Transformer,
    params: Any,
    encoder_input_tokens: Array,
    max_decode_length: int,
    eos_id: int = 1,
    longest: Array | None = None,
) -> tuple[Array, Array]:
    """Takes the likeliest token at each step until every row has ended.

    Args:
        model: the network; dropout is off.
        params: its parameters.
        encoder_input_tokens: int32 `[batch, source]`, padded with 0. A row of padding alone (what
            fills up a last batch) is done from the start.
        max_decode_length: most tokens to write, the end token included.
        eos_id: the end token; it is kept in the output.
        longest: int32 `[batch]`, most tokens to write of each row; None leaves it to the above.

    Returns:
        int32 ids `[batch, max_decode_length]`, 0 after the end token, and float32 scores
        `[batch]`, the natural logarithm of each decode's probability, its end token included.
        `brevity_penalty` turns them into what T5X reports.
    """
    batch = encoder_input_tokens.shape[0]

    def unfinished(state: _State) -> Array:
        return (state.cache.position < max_decode_length) & ~jnp.all(state.done)

    def step(state: _State) -> _State:
        logits, cache = caches.step(model, params, state.tokens, state.cache)
        # Turned back, where a turned kernel made them: read as they lie.
        turned = cache.turned_kernel is not None
        best, log_prob = likeliest(logits.T, 0) if turned else likeliest(logits, 1)
        tokens = jnp.where(state.done, 0, best)
        done = state.done | (tokens == eos_id)
        if longest is not None:
            done = done | (cache.position >= longest)
        return _State(
            tokens=tokens,
            ids=lax.dynamic_update_index_in_dim(state.ids, tokens, state.cache.position, axis=0),
            scores=state.scores + jnp.where(state.done, 0.0, log_prob),
            done=done,
            cache=cache,
        )

    final = lax.while_loop(
        unfinished,
        step,
        _State(
            tokens=jnp.zeros((batch,), jnp.int32),
            ids=jnp.zeros((max_decode_length, batch), jnp.int32),
            scores=jnp.zeros((batch,), jnp.float32),
            done=caches.is_padding(encoder_input_tokens),
            cache=caches.start(model, params, encoder_input_tokens, max_decode_length),
        ),
    )
    return final.ids.T, final.scores
