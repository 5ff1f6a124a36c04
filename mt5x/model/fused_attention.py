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

from mt5x.errors import UserError
from mt5x.model.config import T5Config
from mt5x.partitioning import on_one_device

Array = jax.Array

# Positions from which the kernel is worth what is appended to the heads.
SHORTEST = 256

# Enough for rows of 65,535 segments; heads must be multiples of 8.
_BITS = 16
_GAP = 256.0
# What cuDNN's kernel can take, and the oldest GPUs on which it was measured (Hopper).
_WIDEST_HEAD = 128
_COMPUTE_CAPABILITY = 9.0


def serves(config: T5Config, length: int) -> bool:
    """Whether the encoder's self-attention over `length` positions goes through the kernel.

    `config.attention_kernel` says; 'auto' takes it where it was measured to be faster: on one GPU
    of Hopper's kind or newer, in bfloat16, from `SHORTEST` positions on. Off a GPU, 'cudnn' is the
    same arithmetic by XLA.

    Raises:
        UserError: 'cudnn' is asked for, on a GPU, with what the kernel does not take.
    """
    taken = (
        config.dtype == jnp.bfloat16
        and config.head_dim % 8 == 0
        and config.head_dim + _BITS <= _WIDEST_HEAD
    )
    on_gpu = jax.default_backend() == "gpu"
    if config.attention_kernel == "cudnn" and on_gpu and not taken:
        raise UserError(
            "ATTENTION_KERNEL='cudnn' needs DTYPE='bfloat16' and heads of a multiple of 8 up to "
            f"{_WIDEST_HEAD - _BITS}, not {config.dtype.name} and {config.head_dim}: set "
            "ATTENTION_KERNEL='auto'"
        )
    if config.attention_kernel != "auto":
        return config.attention_kernel == "cudnn"
    measured = on_gpu and compute_capability() >= _COMPUTE_CAPABILITY and on_one_device()
    return measured and taken and length >= SHORTEST and length % 64 == 0


def compute_capability() -> float:
    """That of the first device, such as 9.0; 0 where it is no NVIDIA GPU."""
    try:
        return float(getattr(jax.devices()[0], "compute_capability", 0.0))
    except ValueError:  # AMD's are names.
        return 0.0


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
