"""The box of a parameter: the names of its dimensions, and how its first value is drawn."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from flax import linen as nn

Initializer = Callable[..., jax.Array]
"""(key, shape, dtype) to an array, as in `jax.nn.initializers`."""


class Drawn(nn.LogicallyPartitioned):
    """A parameter as `init` makes it; `nn.unbox` gives the value.

    The value is `init(key, shape, float32)`, so whoever knows the box can draw it elsewhere. Where
    layers are scanned over, value and key have an axis of the layers in front.

    Attributes:
      key: the raw data of the random key, uint32 `[..., 2]`.
      init: the initialiser.
    """

    key: Any = None
    init: Any = flax.struct.field(default=None, pytree_node=False)


def parameter(
    module: nn.Module, name: str, init: Initializer, shape: tuple[int, ...], axes: tuple[str, ...]
) -> jax.Array:
    """Declares a float32 parameter of `module` whose dimensions carry the logical names `axes`."""

    def drawn(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> Drawn:
        return Drawn(init(key, shape, dtype), names=axes, key=jax.random.key_data(key), init=init)

    found: Any = module.param(name, drawn, shape, jnp.float32)
    return found
