"""Multi-head attention with T5's relative-position bias, masks, and caches for decoding."""

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from mt5x.model import fused_attention
from mt5x.model.config import T5Config
from mt5x.model.drawn import Initializer, parameter
from mt5x.model.fused_attention import Segments
from mt5x.model.layers import Dense

Array = jax.Array

NUM_BUCKETS = 32
MAX_DISTANCE = 128

# Large enough to vanish in a softmax and to swallow the bias, so that a query with nothing to
# attend to (padding) spreads evenly, as in T5X, rather than giving NaN.
_MASKED = -1e10

_KERNEL_INIT = nn.initializers.variance_scaling(1.0, "fan_in", "normal")
_BIAS_INIT = nn.initializers.variance_scaling(1.0, "fan_avg", "uniform")


@cache
def _query_init(head_dim: int) -> Initializer:
    """T5 scales no scores: the scale lives in the query's initialiser."""

    def init(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
        return _KERNEL_INIT(key, shape, dtype) / np.sqrt(head_dim).astype(np.float32)

    return init


class KeyValue(NamedTuple):
    """Projected keys and values, each `[batch, heads, length, head_dim]`."""

    key: Array
    value: Array


def who_sees_whom(
    config: T5Config, query_segments: Array, key_segments: Array, causal: bool = False
) -> Array | Segments:
    """Who may attend to whom, in the form that the fastest attention at hand takes.

    Args:
        config: the network's.
        query_segments: int32 `[batch, q]`; a position attends to those of its own segment, and
            segment 0 is padding and attends to nothing.
        key_segments: int32 `[batch, k]`.
        causal: whether no position sees a later one; both are then the same positions.
    """
    if fused_attention.serves(config, query_segments.shape[1], key_segments.shape[1]):
        return Segments(query_segments, key_segments, causal)
    mask = attention_mask(query_segments, key_segments)
    return mask & causal_mask(query_segments.shape[1]) if causal else mask


def attention_mask(query_segments: Array, key_segments: Array) -> Array:
    """`who_sees_whom` as a matrix: `[b, q] x [b, k] int -> bool [b, 1, q, k]`."""
    query = query_segments[:, None, :, None]
    key = key_segments[:, None, None, :]
    return (query == key) & (query > 0)


def causal_mask(length: int) -> Array:
    """Each position sees itself and the earlier ones: bool `[1, 1, length, length]`."""
    return jnp.asarray(np.tri(length, dtype=bool)[None, None])


def relative_position_bucket(relative_position: np.ndarray, bidirectional: bool) -> np.ndarray:
    """The bucket of each distance key - query (T5, arXiv 1910.10683, section 2.1).

    Half of the buckets are exact small distances, the other half grow logarithmically up to
    `MAX_DISTANCE`; beyond it all share the last. Both directions have their own half when
    `bidirectional`, else later keys share the bucket of distance 0.

    Args:
        relative_position: int array of any shape.
        bidirectional: True in the encoder, False in the decoder.

    Returns:
        int32 array of the same shape in [0, NUM_BUCKETS).
    """
    buckets = NUM_BUCKETS // 2 if bidirectional else NUM_BUCKETS
    distance = -relative_position
    first = np.where(bidirectional & (distance < 0), buckets, 0)
    distance = np.abs(distance) if bidirectional else np.maximum(distance, 0)
    exact = buckets // 2
    # float32 with this epsilon, as T5X, so that no distance falls on another side of a border.
    ratio = distance.astype(np.float32) / exact + np.finfo(np.float32).eps
    log_share = np.log(ratio) / np.log(MAX_DISTANCE / exact)
    far = np.minimum(exact + (log_share * (buckets - exact)).astype(np.int32), buckets - 1)
    return (first + np.where(distance < exact, distance, far)).astype(np.int32)


class RelativePositionBias(nn.Module):
    """One learned number per head and distance bucket, added to a stack's attention scores."""

    config: T5Config
    bidirectional: bool

    def setup(self) -> None:
        """Declares the table, `[heads, relpos_buckets]`."""
        shape, axes = (self.config.num_heads, NUM_BUCKETS), ("heads", "relpos_buckets")
        self.rel_embedding = parameter(self, "rel_embedding", _BIAS_INIT, shape, axes)

    def __call__(self, query_length: int, key_length: int) -> Array:
        """The bias of all pairs of positions, `[1, heads, query_length, key_length]`."""
        # Along a diagonal the bias is one number. With all the numbers in a row, one more than the
        # diagonals, repeated and cut into rows that are one shorter, each row is shifted by one.
        # A lookup per pair instead has a slow gradient, through a scatter or a large product.
        period = query_length + key_length
        distances = np.arange(period)
        distances = np.where(distances < key_length, distances, distances - period)
        buckets = relative_position_bucket(distances, self.bidirectional)
        one_hot = jnp.asarray(buckets[None, :] == np.arange(NUM_BUCKETS)[:, None])
        table = self.rel_embedding.astype(self.config.dtype)
        heads = self.config.num_heads
        diagonals = jnp.dot(table, one_hot.astype(table.dtype))
        rows = jnp.broadcast_to(diagonals[:, None], (heads, query_length, period))
        shifted = rows.reshape(heads, -1)[:, : query_length * (period - 1)]
        shifted = shifted.reshape(heads, query_length, period - 1)
        return shifted[None, :, :, :key_length]


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def _over_batch(bias: Array, batch: int) -> Array:
    """Repeats `[1, h, q, k]` to `[batch, h, q, k]`; the gradient is a product with ones.

    The plain gradient, a sum over the first axis, takes XLA's CPU backend 50 times as long, a
    tenth of a small model's step.
    """
    return jnp.broadcast_to(bias, (batch, *bias.shape[1:]))


def _over_batch_backward(batch: int, _: None, grad: Array) -> tuple[Array]:
    ones = jnp.ones((batch,), grad.dtype)
    return (jnp.einsum("b,bhqk->hqk", ones, grad)[None],)


_over_batch.defvjp(lambda bias, batch: (_over_batch(bias, batch), None), _over_batch_backward)


class Attention(nn.Module):
    """Multi-head attention; T5 scales no scores, the scale lives in the query's initialiser."""

    config: T5Config

    def setup(self) -> None:
        """Declares query, key, value and out."""
        config = self.config
        joined = config.num_heads * config.head_dim

        def projection(init):
            return Dense(joined, ("embed", "joined_kv"), config.dtype, init)

        self.query = projection(_query_init(config.head_dim))
        self.key = projection(_KERNEL_INIT)
        self.value = projection(_KERNEL_INIT)
        self.out = Dense(config.emb_dim, ("joined_kv", "embed"), config.dtype, _KERNEL_INIT)

    def __call__(
        self,
        x: Array,
        source: Array,
        mask: Array | Segments,
        bias: Array | None,
        dropout_mask: Array | None = None,
    ) -> Array:
        """Attends from `x` to `source`.

        Args:
            x: `[batch, q, emb_dim]`.
            source: `[batch, k, emb_dim]`; `x` itself for self-attention.
            mask: from `who_sees_whom`; or bool `[batch or 1, 1, q, k]`, True where attention is
                allowed.
            bias: `[1, heads, q, k]` added to the scores, or None.
            dropout_mask: `[batch, heads x k]` multiplied into the attention weights, or None.

        Returns:
            `[batch, q, emb_dim]`.
        """
        return self.attend(x, self.keys_values(source), mask, bias, dropout_mask)

    def keys_values(self, source: Array) -> KeyValue:
        """Projects `[batch, k, emb_dim]` to keys and values."""
        return KeyValue(self._split(self.key(source)), self._split(self.value(source)))

    def attend(
        self,
        x: Array,
        source: KeyValue,
        mask: Array | Segments,
        bias: Array | None,
        dropout_mask: Array | None = None,
    ) -> Array:
        """As `__call__`, with keys and values already projected."""
        config = self.config
        query = self._split(self.query(x))
        if dropout_mask is not None:
            # The mask of a key is the same for all queries (as T5).
            dropout_mask = dropout_mask.reshape(len(x), config.num_heads, -1)
        if isinstance(mask, Segments):
            query, key, value = (part.swapaxes(1, 2) for part in (query, *source))
            mixed = fused_attention.attend(query, key, value, bias, mask, dropout_mask)
            return self.out(mixed.reshape(*x.shape[:2], -1))
        value = source.value
        if dropout_mask is not None:
            # So it can fall on the values, of which there are fewer than weights.
            value = value * dropout_mask[..., None]
        scores_dtype = jnp.float32 if config.float32_attention_logits else config.dtype
        scores = jnp.einsum(
            "bhqd,bhkd->bhqk", query, source.key, preferred_element_type=scores_dtype
        )
        if bias is not None:
            scores = scores + _over_batch(bias.astype(scores_dtype), len(x))
        scores = jnp.where(mask, scores, jnp.asarray(_MASKED, scores_dtype))
        weights = jax.nn.softmax(scores).astype(config.dtype)
        mixed = jnp.einsum("bhqk,bhkd->bqhd", weights, value)
        return self.out(mixed.reshape(*x.shape[:2], -1))

    def extend(self, x: Array, cache: KeyValue, position: Array) -> KeyValue:
        """Writes the keys and values of `x [batch, some, emb_dim]` from `position` on."""
        new = self.keys_values(x)
        zero = jnp.zeros_like(position)
        at = (zero, zero, position, zero)
        return KeyValue(
            lax.dynamic_update_slice(cache.key, new.key, at),
            lax.dynamic_update_slice(cache.value, new.value, at),
        )

    def _split(self, x: Array) -> Array:
        batch, length, _ = x.shape
        x = x.reshape(batch, length, self.config.num_heads, self.config.head_dim)
        x = nn.with_logical_constraint(x, ("batch", "length", "heads", "kv"))
        return x.transpose(0, 2, 1, 3)
