"""Beam search as T5X does it: its beams, its scores, its rule for when to stop.

Live hypotheses grow by a token a step; those that wrote the end token compete, by their score
divided by `length_penalty`, for a place among as many finished ones. No key or value is moved when
beams change places: each hypothesis knows whose token it goes on from at each position.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mt5x.decoding import caches
from mt5x.decoding.penalty import T5X_ALPHA, length_penalty
from mt5x.model import DecodeCache, Transformer

Array = jax.Array

# The score of a place that no decode has taken; T5X's.
NO_DECODE = -1.0e7


class _State(NamedTuple):
    # Beams are in increasing order of their scores; n is the number of beams.
    live_ids: Array  # int32 [b, n, max_decode_length]
    live_log_probs: Array  # float32 [b, n]
    finished_ids: Array  # int32 [b, n, max_decode_length]
    finished_scores: Array  # float32 [b, n]
    finished: Array  # bool [b, n]: whether a decode has taken the place
    tokens: Array  # int32 [b, n]: the last of each live hypothesis
    ancestors: Array  # int32 [b, n, max_decode_length]
    cache: DecodeCache


def beam_search(
    model: Transformer,
    params: Any,
    encoder_input_tokens: Array,
    max_decode_length: int,
    num_decodes: int = 4,
    alpha: float = T5X_ALPHA,
    eos_id: int = 1,
) -> tuple[Array, Array]:
    """Searches for the decodes of highest score.

    It ends when no row's live hypothesis can beat its worst finished decode any more. Where no
    hypothesis of a row has ended within the length, the row's live ones are returned, with their
    log-probabilities; where some have, the other places are empty: ids 0 and score `NO_DECODE`.

    Args:
        model: the network; dropout is off.
        params: its parameters.
        encoder_input_tokens: int32 `[batch, source]`, padded with 0. A row of padding alone (what
            fills up a last batch) is done from the start and has no decodes.
        max_decode_length: most tokens to write, the end token included.
        num_decodes: beams, and decodes returned.
        alpha: the power in `length_penalty`; 0 scores by the log-probability alone.
        eos_id: the end token; it is kept in the output.

    Returns:
        int32 ids `[batch, num_decodes, max_decode_length]`, 0 after the end token, and float32
        scores `[batch, num_decodes]` in increasing order: the best decode is the last, as in T5X.
    """
    batch = encoder_input_tokens.shape[0]
    padding = caches.is_padding(encoder_input_tokens)
    # T5X counts a start token here, and so looks one position further ahead than there is.
    longest_penalty = length_penalty(max_decode_length + 1, alpha)

    def unfinished(state: _State) -> Array:
        best_live = state.live_log_probs[:, -1] / longest_penalty
        settled = jnp.all(state.finished, axis=1) & (state.finished_scores[:, 0] > best_live)
        return (state.cache.position < max_decode_length) & ~jnp.all(settled | padding)

    def step(state: _State) -> _State:
        position = state.cache.position
        logits, cache = caches.step(model, params, state.tokens, state.cache, state.ancestors)
        # Twice the beams: should all the best of them end here, as many remain to go on.
        log_probs, parents, tokens = _best_continuations(
            logits, state.live_log_probs, 2 * num_decodes
        )
        ids = _take(state.live_ids, parents)
        ids = lax.dynamic_update_index_in_dim(ids, tokens, position, axis=2)
        ends = tokens == eos_id

        live_log_probs, chosen = _highest(jnp.where(ends, NO_DECODE, 0.0) + log_probs, num_decodes)
        # The next step's keys and values stand at its own place, the earlier ones where they were.
        ancestors = _take(state.ancestors, _take(parents, chosen))
        own = jnp.broadcast_to(jnp.arange(num_decodes, dtype=jnp.int32)[None, :], chosen.shape)
        ancestors = lax.dynamic_update_index_in_dim(ancestors, own, position + 1, axis=2)

        scores = log_probs / length_penalty(position + 1, alpha)
        scores = jnp.where(ends, 0.0, NO_DECODE) + scores
        finished_scores, kept = _highest(
            jnp.concatenate([state.finished_scores, scores], axis=1), num_decodes
        )
        return _State(
            live_ids=_take(ids, chosen),
            live_log_probs=live_log_probs,
            finished_ids=_take(jnp.concatenate([state.finished_ids, ids], axis=1), kept),
            finished_scores=finished_scores,
            finished=_take(jnp.concatenate([state.finished, ends], axis=1), kept),
            tokens=_take(tokens, chosen),
            ancestors=ancestors,
            cache=cache,
        )

    beams = (batch, num_decodes)
    no_ids = jnp.zeros((*beams, max_decode_length), jnp.int32)
    # All beams begin alike, so only one of them counts.
    first = jnp.arange(num_decodes) == 0
    final = lax.while_loop(
        unfinished,
        step,
        _State(
            live_ids=no_ids,
            live_log_probs=jnp.broadcast_to(jnp.where(first, 0.0, NO_DECODE)[None, :], beams),
            finished_ids=no_ids,
            finished_scores=jnp.full(beams, NO_DECODE),
            finished=jnp.zeros(beams, bool),
            tokens=jnp.zeros(beams, jnp.int32),
            ancestors=caches.independent(batch, num_decodes, max_decode_length),
            cache=caches.start(model, params, encoder_input_tokens, max_decode_length, num_decodes),
        ),
    )
    any_finished = jnp.any(final.finished, axis=1)[:, None]
    ids = jnp.where(any_finished[..., None], final.finished_ids, final.live_ids)
    scores = jnp.where(any_finished, final.finished_scores, final.live_log_probs)
    return (
        jnp.where(padding[:, None, None], 0, ids),
        jnp.where(padding[:, None], NO_DECODE, scores),
    )


def _best_continuations(
    logits: Array, live_log_probs: Array, count: int
) -> tuple[Array, Array, Array]:
    """The `count` likeliest continuations of all hypotheses of each row, best first.

    Args:
        logits: float32 `[batch, beams, vocab]`.
        live_log_probs: float32 `[batch, beams]`.
        count: how many.

    Returns:
        Their log-probabilities, the beams they continue and their tokens, each `[batch, count]`.
    """
    vocab = logits.shape[-1]
    # Within a beam first: no array of the vocabulary's size is written but the logits.
    best, tokens = lax.top_k(logits, min(count, vocab))
    best = best - jax.nn.logsumexp(logits, axis=-1, keepdims=True) + live_log_probs[..., None]
    flat = (len(logits), -1)
    log_probs, places = lax.top_k(best.reshape(flat), count)
    parents = places // best.shape[-1]
    tokens = jnp.take_along_axis(tokens.reshape(flat), places, axis=1)
    return log_probs, parents.astype(jnp.int32), tokens.astype(jnp.int32)


def _highest(scores: Array, count: int) -> tuple[Array, Array]:
    """The `count` highest of `[batch, n]` in increasing order, and their places."""
    values, places = lax.top_k(scores, count)
    return jnp.flip(values, axis=1), jnp.flip(places, axis=1)


def _take(array: Array, places: Array) -> Array:
    """`array [batch, n, ...]` at `places [batch, m]`: `[batch, m, ...]`."""
    return jax.vmap(lambda row, at: row[at])(array, places)
