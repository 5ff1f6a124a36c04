"""How a parameter's first value is drawn: noted beside the value, where that is asked for."""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from flax import linen as nn

Initializer = Callable[..., jax.Array]
"""(key, shape, dtype) to an array, as in `jax.nn.initializers`."""

_noted: ContextVar[bool] = ContextVar("noted", default=False)


@contextlib.contextmanager
def noted() -> Iterator[None]:
    """Within it, `init` gives boxes of the kind `Drawn`; otherwise flax's own."""
    token = _noted.set(True)
    try:
        yield
    finally:
        _noted.reset(token)


class Drawn(nn.LogicallyPartitioned):
    """A parameter with what its value was drawn from; `nn.unbox` gives the value.

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

    def boxed(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> nn.LogicallyPartitioned:
        value = init(key, shape, dtype)
        if not _noted.get():
            return nn.LogicallyPartitioned(value, names=axes)
        return Drawn(value, names=axes, key=jax.random.key_data(key), init=init)

    found: Any = module.param(name, boxed, shape, jnp.float32)
    return found
