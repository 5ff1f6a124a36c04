"""Fresh parameters, each drawn where it will live by a small program of its own.

One program that draws all takes the longest of all programs to compile: mt5-base's took a minute on
a GPU, where every draw is unrolled. Those of one shape share a program, which takes a part of a
second, and only what is wanted is drawn.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict
from jax.sharding import NamedSharding

from mt5x.model import drawn
from mt5x.model.drawn import Drawn, Initializer
from mt5x.models import EncoderDecoderModel


@functools.lru_cache(maxsize=16)
def boxed_shapes(model: EncoderDecoderModel) -> Any:
    """The tree of the model's parameters as boxes, `Drawn`, of shapes."""
    return jax.eval_shape(lambda: _init(model, jax.random.key(0)))


def draw(
    model: EncoderDecoderModel,
    shardings: Mapping[str, NamedSharding],
    seed: int,
    wanted: Iterable[str] | None = None,
) -> dict[str, jax.Array]:
    """Draws parameters, the same ones that flax would.

    Args:
      model: the network.
      shardings: where each lives, by its path ('encoder/layers_0/mlp/wi_0/kernel').
      seed: of the random numbers.
      wanted: the paths of those that are drawn; None draws all.

    Returns:
      They, by their paths.
    """
    boxes = _flat(boxed_shapes(model))
    keys = _compiled_keys(model)(jax.random.key(seed))
    return {
        path: _compiled_draw(boxes[path].init, boxes[path].value.shape, shardings[path])(keys[path])
        for path in (boxes if wanted is None else wanted)
    }


def _init(model: EncoderDecoderModel, key: jax.Array) -> Any:
    tokens = jnp.ones((1, 1), jnp.int32)
    with drawn.noted():
        variables = model.module.init({"params": key}, tokens, tokens, tokens, enable_dropout=False)
    return variables["params"]


def _flat(boxed: Any) -> dict[str, Drawn]:
    found: dict[str, Drawn] = flatten_dict(boxed, sep="/")
    return found


@functools.lru_cache(maxsize=16)
def _compiled_keys(model: EncoderDecoderModel) -> Callable[[jax.Array], dict[str, Any]]:
    """Makes the raw keys of all parameters, on the host: a GPU takes longer to compile it."""

    def keys(key: jax.Array) -> dict[str, Any]:
        return {path: box.key for path, box in _flat(_init(model, key)).items()}

    with _on_host():
        compiled = jax.jit(keys).lower(jax.random.key(0)).compile()

    def on_host(key: jax.Array) -> dict[str, Any]:
        with _on_host():
            return jax.device_get(compiled(jax.device_put(key)))

    return on_host


# Compiled once for all parameters alike, and for all runs of one process.
@functools.lru_cache(maxsize=256)
def _compiled_draw(
    init: Initializer, shape: tuple[int, ...], sharding: NamedSharding
) -> Callable[[Any], jax.Array]:
    def value(key_data: jax.Array) -> jax.Array:
        layers = key_data.shape[:-1]
        one = functools.partial(init, shape=shape[len(layers) :], dtype=jnp.float32)
        of_all: Any = lambda data: one(jax.random.wrap_key_data(data))  # noqa: E731
        for _ in layers:
            of_all = jax.vmap(of_all)
        return of_all(key_data)

    return jax.jit(value, out_shardings=sharding)


def _on_host() -> contextlib.AbstractContextManager[Any]:
    """Runs on the host's processor, if JAX may use it."""
    try:
        return jax.default_device(jax.local_devices(backend="cpu")[0])
    except RuntimeError:
        return contextlib.nullcontext()
