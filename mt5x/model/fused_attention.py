"""Attention within segments in one kernel, which never holds the scores; and when to take it.

cuDNN's kernel was there before: it computes every pair of a row, also of different segments, and a
learned bias makes it slow (on one H200, jax 0.11.2, bfloat16, 32 x 1024 positions of 4 segments, 12
heads of 64: 3.8 ms forward and backward, where XLA's products and softmax take 5.8 ms).
"""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from mt5x import target
from mt5x.errors import UserError
from mt5x.model import attention_kernels as kernels
from mt5x.model.attention_tiles import TILE, cut
from mt5x.model.config import T5Config
from mt5x.partitioning import on_each_device

Array = jax.Array

# Keys from which the kernel is worth it.
SHORTEST = 128
# Heads that fit a program's tiles.
HEAD_DIMS = (16, 32, 64, 128)

# The oldest GPUs on which it was measured (Hopper).
_COMPUTE_CAPABILITY = 9.0
# Swallows every score; bfloat16 has it.
_HIDDEN = -1e10


@flax.struct.dataclass
class Segments:
    """Who attends to whom, without a matrix of it.

    Attributes:
        query: int32 `[batch, queries]`, from 1; 0 is padding, which attends to nothing.
        key: int32 `[batch, keys]`.
        causal: whether queries see no later keys; both are then the same positions.
    """

    query: Array
    key: Array
    causal: bool = flax.struct.field(pytree_node=False)


def serves(config: T5Config, queries: int, keys: int) -> bool:
    """Whether attention of so many positions to so many goes through the kernel.

    `config.attention_kernel` says; 'auto' takes it where it was measured to be faster: on GPUs
    of Hopper's kind or newer, in bfloat16, from `SHORTEST` keys on. Off a GPU, 'fused' runs the
    kernel's programs one after another: for tests, slowly.

    Raises:
        UserError: 'fused' is asked for, on a GPU, with what the kernel does not take.
    """
    if config.attention_kernel == "xla":
        return False
    on_gpu = target.is_platform("gpu")
    taken = config.head_dim in HEAD_DIMS and (config.dtype == jnp.bfloat16 or not on_gpu)
    if config.attention_kernel == "fused" and not taken:
        raise UserError(
            "ATTENTION_KERNEL='fused' needs DTYPE='bfloat16' and heads of "
            f"{', '.join(map(str, HEAD_DIMS[:-1]))} or {HEAD_DIMS[-1]}, not "
            f"{config.dtype.name} and {config.head_dim}: set ATTENTION_KERNEL='auto'"
        )
    whole = queries % TILE == 0 and keys % TILE == 0
    if config.attention_kernel == "fused":
        return whole
    measured = on_gpu and target.current().compute_capability >= _COMPUTE_CAPABILITY
    return measured and taken and whole and keys >= SHORTEST


def attend(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None,
    segments: Segments,
    kept: Array | None = None,
) -> Array:
    """Attention of positions to those of their own segment.

    Args:
        query: `[batch, queries, heads, head_dim]`.
        key: `[batch, keys, heads, head_dim]`.
        value: as `key`.
        bias: `[1, heads, queries, keys]` added to the scores, or None.
        segments: who attends to whom; causal only with a bias.
        kept: `[batch, heads, keys]` multiplied into the weights, a constant to differentiation.

    Returns:
        `[batch, queries, heads, head_dim]`, zero at padding.
    """
    if bias is not None:
        if segments.causal:
            seen = np.tri(bias.shape[2], dtype=np.bool_)[None, None]
            bias = jnp.where(seen, bias, jnp.asarray(_HIDDEN, bias.dtype))
        bias = bias[0].astype(query.dtype)
    vectors, positions = ("batch", "length", "heads", "kv"), ("batch", "length")
    axes = (*(vectors,) * 3, ("heads", None, None), ("batch", "heads", None), *(positions,) * 2)
    split = on_each_device(_attend_by_parts, axes, result=0)
    return split(query, key, value, bias, kept, segments.query, segments.key)


def _attend_by_parts(*arrays: Any) -> Array:
    return _attend(kernels.Factors(*arrays[:5]), *arrays[5:])


@jax.custom_vjp
def _attend(factors: kernels.Factors, query_segments: Array, key_segments: Array) -> Array:
    return _forward(factors, query_segments, key_segments)[0]


def _forward(
    factors: kernels.Factors, query_segments: Array, key_segments: Array
) -> tuple[Array, Any]:
    tiles = cut(query_segments, key_segments)
    mixed, log_sums = kernels.forward(factors, tiles, _interpret())
    return mixed, (factors, tiles, mixed, log_sums)


def _backward(saved: Any, grad: Array) -> tuple[kernels.Factors, None, None]:
    factors, tiles, mixed, log_sums = saved
    products = jnp.einsum("bqhd,bqhd->bhq", grad, mixed, preferred_element_type=jnp.float32)
    rest = (factors, kernels.Sent(grad, log_sums, products), tiles, _interpret())
    of_bias = None
    if factors.bias is not None:
        of_bias = kernels.bias_grad(*rest).astype(factors.bias.dtype)
    of_kept = None if factors.kept is None else jnp.zeros_like(factors.kept)
    grads = (kernels.query_grad(*rest), *kernels.key_value_grads(*rest), of_bias, of_kept)
    return kernels.Factors(*grads), None, None


_attend.defvjp(_forward, _backward)


def _interpret() -> bool:
    return not target.is_platform("gpu")
