"""Embedding, projections, normalisation, feed-forward block: the small parts of the network.

Kernels are 2-D and float32; the axis names are T5X's (embed, joined_kv, mlp, vocab, heads,
relpos_buckets), which the sharding table maps to mesh axes.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from mt5x import target
from mt5x.model.config import T5Config, activation
from mt5x.model.drawn import Initializer, parameter
from mt5x.model.products import product
from mt5x.partitioning import constrain, gathered

Array = jax.Array
# Each is one object, so that all parameters of its kind and shape are drawn by one program.
_MLP_INIT = nn.initializers.variance_scaling(1.0, "fan_in", "truncated_normal")
_EMBEDDING_INIT = nn.initializers.normal(stddev=1.0)


def dropout_masks(
    module: nn.Module, batch: int, sizes: tuple[int, ...], enable: bool
) -> tuple[Array | None, ...]:
    """The dropout masks of one layer, from one draw of random bits.

    T5 drops the same features at all positions of a sequence, so a mask is small, and drawing all
    masks of a layer at once costs a fraction of drawing each (a third of a small model's step).

    Args:
        module: the layer; has `config`, and its 'dropout' key is used up.
        batch: sequences in the batch.
        sizes: features of each mask.
        enable: False gives None for each, which `drop` leaves alone.

    Returns:
        For each size a mask `[batch, size]` of 0 and 1 / (1 - rate) in the activation dtype.
    """
    config: T5Config = module.config
    if not enable or config.dropout_rate == 0.0:
        return (None,) * len(sizes)
    # 16 bits give the rate to within 1e-5 at half the cost of 32.
    bits = jax.random.bits(module.make_rng("dropout"), (batch, sum(sizes)), jnp.uint16)
    kept = jnp.asarray(1.0 / (1.0 - config.dropout_rate), config.dtype)
    threshold = jnp.uint16(round(config.dropout_rate * 2**16))
    masks = jnp.where(bits >= threshold, kept, jnp.zeros_like(kept))
    # Every device of the model axis draws all: to exchange parts of so little would take longer.
    parts = jnp.split(masks, np.cumsum(sizes)[:-1], axis=1)
    return tuple(constrain(part, ("batch", None)) for part in parts)


def drop(x: Array, mask: Array | None) -> Array:
    """Applies a mask `[batch, features]` to `x [batch, length, features]`."""
    return x if mask is None else x * mask[:, None, :]


class Embed(nn.Module):
    """Token ids to vectors, by gather: `[...] int32 -> [..., emb_dim]`. Ids outside are clipped."""

    config: T5Config

    def setup(self) -> None:
        """Declares the table, `[vocab, embed]`; one that is given may have fewer rows."""
        given: Any = self.get_variable("params", "embedding")
        rows = self.config.vocab_size if given is None else nn.meta.unbox(given).shape[0]
        shape = (rows, self.config.emb_dim)
        self.embedding = parameter(self, "embedding", _EMBEDDING_INIT, shape, ("vocab", "embed"))

    def __call__(self, ids: Array) -> Array:
        """Looks the ids up."""
        # Gather first and cast after: casting the whole table would touch vocab x emb_dim.
        table = constrain(self.embedding, gathered(("vocab", "embed")))
        rows = jnp.take(table, ids, axis=0, mode="clip")
        return constrain(rows.astype(self.config.dtype), ("batch", "length", None))


class Dense(nn.Module):
    """A linear map of the last axis without bias, computed in `dtype`."""

    features: int
    axes: tuple[str, str]
    dtype: Any
    kernel_init: Initializer = _MLP_INIT

    @nn.compact
    def __call__(self, inputs: Array) -> Array:
        """`[..., in] -> [..., features]`."""
        shape = (inputs.shape[-1], self.features)
        kernel = parameter(self, "kernel", self.kernel_init, shape, self.axes)
        # Cast first: half as much to gather over devices.
        kernel = constrain(kernel.astype(self.dtype), gathered(self.axes))
        return product(inputs.astype(self.dtype), kernel)


class Logits(nn.Module):
    """The untied output projection; gives its kernel too, for losses that go piece by piece."""

    config: T5Config

    def setup(self) -> None:
        """Declares the kernel, `[embed, vocab]`."""
        shape = (self.config.emb_dim, self.config.vocab_size)
        self.kernel = parameter(self, "kernel", _MLP_INIT, shape, ("embed", "vocab"))

    def __call__(self) -> Array:
        """The kernel itself, float32 `[emb_dim, vocab_size]`."""
        return constrain(self.kernel, gathered(("embed", "vocab")))


class RMSNorm(nn.Module):
    """Divides by the root mean square, in float32, and scales (arXiv 1910.07467); no bias."""

    dtype: Any
    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[..., d] -> [..., d]` in `dtype`."""
        scale = parameter(self, "scale", nn.initializers.ones, (x.shape[-1],), ("embed",))
        x = x.astype(jnp.float32)
        mean_square = jnp.mean(lax.square(x), axis=-1, keepdims=True)
        normed = (x * lax.rsqrt(mean_square + self.epsilon)).astype(self.dtype)
        return normed * jnp.expand_dims(scale.astype(self.dtype), tuple(range(x.ndim - 1)))


class MlpBlock(nn.Module):
    """The feed-forward block: product of activated projections, dropout, projection back."""

    config: T5Config

    @nn.compact
    def __call__(self, x: Array, mask: Array | None = None) -> Array:
        """`[batch, length, emb_dim]` to the same; `mask` drops hidden features (`[batch, mlp]`)."""
        config = self.config
        projected = []
        for i in range(len(config.mlp_activations)):
            part = "wi" if len(config.mlp_activations) == 1 else f"wi_{i}"
            projected.append(Dense(config.mlp_dim, ("embed", "mlp"), config.dtype, name=part)(x))
        gate: Any = partial(_gate, config.mlp_activations)
        if target.is_platform("gpu"):
            # Computed again in the backward pass: a GPU does it faster than it reads it.
            gate = jax.checkpoint(gate)
        hidden = constrain(gate(projected, mask), ("batch", "length", "mlp"))
        return Dense(config.emb_dim, ("mlp", "embed"), config.dtype, name="wo")(hidden)


def _gate(activations: Sequence[str], projected: Sequence[Array], mask: Array | None) -> Array:
    """The product of the activated projections, with dropout."""
    activated = [activation(name)(x) for name, x in zip(activations, projected, strict=True)]
    return drop(math.prod(activated[1:], start=activated[0]), mask)
