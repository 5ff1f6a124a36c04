"""Self-attention of a packed encoder in one kernel of cuDNN, which never holds the scores.

cuDNN adds a learned bias, and gives its gradient, where that has no batch dimension: T5's has none,
but a mask of packed segments would give it one. So segments go into the heads: each position's
segment number, written in bits of +1 and -1, is appended to its query and key, and the product of
two of them is largest where the segments are the same. Another segment loses at least `_GAP`, next
to which no score of T5's counts, and is nothing in a softmax of float32. What all keep is added to
each score and costs it some digits, far fewer than bfloat16 has lost before.

On one H200 (jax 0.11.2, bfloat16, 32 x 1024 positions, 12 heads of 64) attention forward and
backward took 3.8 ms, with XLA's products and softmax 5.8 ms and many times the memory.
"""

import jax
import jax.numpy as jnp

from mt5x.model.config import T5Config
from mt5x.partitioning import on_one_device

Array = jax.Array

# Positions from which the kernel is worth what is appended to the heads.
SHORTEST = 256

# Enough for rows of 65,535 segments; heads must be multiples of 8.
_BITS = 16
_GAP = 256.0
# What cuDNN's kernel can take.
_WIDEST_HEAD = 128


def serves(config: T5Config, length: int) -> bool:
    """Whether the encoder's self-attention over `length` positions goes through the kernel.

    `config.attention_kernel` says; 'auto' takes it where it was measured to be faster: on one GPU,
    in bfloat16, from `SHORTEST` positions on.
    """
    if config.attention_kernel != "auto":
        return config.attention_kernel == "cudnn"
    return (
        jax.default_backend() == "gpu"
        and on_one_device()
        and config.dtype == jnp.bfloat16
        and length >= SHORTEST
        and length % 64 == 0
        and config.head_dim % 8 == 0
        and config.head_dim + _BITS <= _WIDEST_HEAD
    )


def attend(query: Array, key: Array, value: Array, bias: Array, segments: Array) -> Array:
    """Attention of positions to those of their own segment.

    Args:
        query: `[batch, length, heads, head_dim]`; key and value likewise.
        key: see `query`.
        value: see `query`.
        bias: `[1, heads, length, length]` added to the scores.
        segments: int32 `[batch, length]`, from 0 to `length`; what positions of segment 0, padding,
            get counts for nothing.

    Returns:
        `[batch, length, heads, head_dim]`.
    """
    head_dim = query.shape[-1]
    # Half of the gap: two segments differ in a bit at least, which turns its product's sign.
    code = _code(segments, query.shape[2]).astype(query.dtype) * (_GAP / 2) ** 0.5
    padded = jnp.pad(value, [(0, 0)] * 3 + [(0, _BITS)])
    mixed = jax.nn.dot_product_attention(
        jnp.concatenate([query, code], axis=-1),
        jnp.concatenate([key, code], axis=-1),
        padded,
        bias=bias.astype(query.dtype),
        scale=1.0,
        implementation="cudnn" if jax.default_backend() == "gpu" else "xla",
    )
    return mixed[..., :head_dim]


def _code(segments: Array, heads: int) -> Array:
    """The bits of each segment number as +1 and -1, `[batch, length, heads, _BITS]`."""
    used = segments.shape[1].bit_length()
    bits = (segments[..., None] >> jnp.arange(used)[None, None, :]) & 1
    signs = jnp.pad(2 * bits - 1, [(0, 0), (0, 0), (0, _BITS - used)])[:, :, None, :]
    return jnp.broadcast_to(signs, (*segments.shape, heads, _BITS))
