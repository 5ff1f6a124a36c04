"""Sampling, by temperature, from the top k or from the nucleus (top p).

Each row draws from a random key of its own, made from the seed and its place in the input: what it
draws does not depend on the rows that it happens to share a batch with.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mt5x.decoding import caches
from mt5x.model import DecodeCache, Transformer

Array = jax.Array


class _State(NamedTuple):
    tokens: Array  # int32 [b, n]: the last tokens, 0 once a sample is done
    ids: Array  # int32 [max_decode_length, b, n]
    scores: Array  # float32 [b, n]
    done: Array  # bool [b, n]
    cache: DecodeCache


def sample(
    model: Transformer,
    params: Any,
    encoder_input_tokens: Array,
    max_decode_length: int,
    key: Array,
    rows: Array,
    num_decodes: int = 1,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    eos_id: int = 1,
) -> tuple[Array, Array]:
    """Draws tokens until every sample has ended.

    Args:
        model: the network; dropout is off.
        params: its parameters.
        encoder_input_tokens: int32 `[batch, source]`, padded with 0. A row of padding alone (what
            fills up a last batch) is done from the start.
        max_decode_length: most tokens to write, the end token included.
        key: the random key of the whole input, scalar.
        rows: int32 `[batch]`, each row's place in the whole input.
        num_decodes: samples of each row, independent of one another.
        temperature: divides the logits; below 1 sharpens, above 1 flattens.
        top_k: draw from the k likeliest tokens alone.
        top_p: draw from the fewest likeliest tokens whose probabilities, after temperature and
            `top_k`, sum to at least p (arXiv 1904.09751).
        eos_id: the end token; it is kept in the output.

    Returns:
        int32 ids `[batch, num_decodes, max_decode_length]`, 0 after the end token, and float32
        scores `[batch, num_decodes]`: the natural logarithm of each sample's probability under
        the model itself, at temperature 1 and with all tokens.
    """
    batch, samples = encoder_input_tokens.shape[0], (encoder_input_tokens.shape[0], num_decodes)
    keys = _keys(key, rows, num_decodes)
    ancestors = caches.independent(batch, num_decodes, max_decode_length)

    def unfinished(state: _State) -> Array:
        return (state.cache.position < max_decode_length) & ~jnp.all(state.done)

    def step(state: _State) -> _State:
        position = state.cache.position
        logits, cache = caches.step(model, params, state.tokens, state.cache, ancestors)
        drawn = draw(_fold_in(keys, position), logits, temperature, top_k, top_p)
        log_prob = jnp.take_along_axis(logits, drawn[..., None], axis=-1)[..., 0]
        log_prob = log_prob - jax.nn.logsumexp(logits, axis=-1)
        tokens = jnp.where(state.done, 0, drawn)
        return _State(
            tokens=tokens,
            ids=lax.dynamic_update_index_in_dim(state.ids, tokens, position, axis=0),
            scores=state.scores + jnp.where(state.done, 0.0, log_prob),
            done=state.done | (tokens == eos_id),
            cache=cache,
        )

    padding = caches.is_padding(encoder_input_tokens)
    final = lax.while_loop(
        unfinished,
        step,
        _State(
            tokens=jnp.zeros(samples, jnp.int32),
            ids=jnp.zeros((max_decode_length, *samples), jnp.int32),
            scores=jnp.zeros(samples, jnp.float32),
            done=jnp.broadcast_to(padding[:, None], samples),
            cache=caches.start(model, params, encoder_input_tokens, max_decode_length, num_decodes),
        ),
    )
    return final.ids.transpose(1, 2, 0), final.scores


def draw(
    keys: Array, logits: Array, temperature: float, top_k: int | None, top_p: float | None
) -> Array:
    """Draws one token for each key.

    Args:
        keys: random keys `[...]`.
        logits: float32 `[..., vocab]`.
        temperature: as in `sample`.
        top_k: as in `sample`.
        top_p: as in `sample`.

    Returns:
        int32 `[...]`.
    """
    logits, vocab = logits / temperature, logits.shape[-1]
    tokens = None
    if top_k is not None or top_p is not None:
        logits, tokens = lax.top_k(logits, vocab if top_k is None else min(top_k, vocab))
    if top_p is not None:
        probabilities = jax.nn.softmax(logits)
        before = jnp.cumsum(probabilities, axis=-1) - probabilities
        # The likeliest always remains: a cumulative sum may be off by a rounding error.
        before = before.at[..., 0].set(-1.0)
        logits = jnp.where(before < top_p, logits, -jnp.inf)
    # Noise belongs to a token and not to its rank, which rounding may change: else two nearly equal
    # tokens, ranked otherwise in a batch of another shape, would swap their noise.
    noise = _noise(keys, vocab)
    if tokens is None:
        return jnp.argmax(logits + noise, axis=-1).astype(jnp.int32)
    best = jnp.argmax(logits + jnp.take_along_axis(noise, tokens, axis=-1), axis=-1)
    return jnp.take_along_axis(tokens, best[..., None], axis=-1)[..., 0].astype(jnp.int32)


def _noise(keys: Array, vocab: int) -> Array:
    """Gumbel noise for each token of each key, `[*keys, vocab]`: its largest sum is a draw."""
    noise = jax.vmap(lambda key: jax.random.gumbel(key, (vocab,)))(keys.reshape(-1))
    return noise.reshape(*keys.shape, vocab)


def _keys(key: Array, rows: Array, num_decodes: int) -> Array:
    """A random key for each sample of each row, `[batch, num_decodes]`."""
    of_rows = jax.vmap(lambda row: jax.random.fold_in(key, row))(rows)
    samples = jnp.arange(num_decodes)
    of_samples = jax.vmap(jax.random.fold_in, in_axes=(None, 0))
    return jax.vmap(of_samples, in_axes=(0, None))(of_rows, samples)


def _fold_in(keys: Array, number: Array) -> Array:
    return jax.vmap(jax.vmap(lambda key: jax.random.fold_in(key, number)))(keys)
