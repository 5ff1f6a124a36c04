"""Times the loss and its gradients alone, mt5x's and the textbook's, and compares their numbers."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from mt5x import losses
from mt5x.benchmarks import side_by_side, textbook
from mt5x.benchmarks.measurement import OURS, Measurement
from mt5x.benchmarks.step import TEXTBOOK, compiled_figures

Array = jax.Array

_Z_LOSS = 1e-4


def measure(
    rows: int,
    targets: int,
    width: int,
    vocabulary: int,
    dtype: Any,
    real_targets: int,
    variants: Sequence[str],
    repeats: int,
) -> list[Measurement]:
    """Times value and gradients of the loss, with respect to hidden states and kernel.

    Args:
      rows: of the batch.
      targets: positions of each.
      width: of the hidden states.
      vocabulary: columns of the logits.
      dtype: of the hidden states; the kernel and the logits are float32.
      real_targets: positions of each row that are no padding.
      variants: `OURS` and 'textbook', in any order.
      repeats: timed runs.

    Returns:
      A row each, with XLA's temporaries; ours with the largest difference from the textbook's
      value and gradients, relative to the largest number of each.
    """
    keys = jax.random.split(jax.random.key(0), 3)
    hidden = jax.random.normal(keys[0], (rows, targets, width)).astype(dtype)
    kernel = jax.random.normal(keys[1], (width, vocabulary)) / width**0.5
    tokens = jax.random.randint(keys[2], (rows, targets), 1, vocabulary)
    weights = jnp.broadcast_to(jnp.arange(targets)[None] < real_targets, (rows, targets))
    weights = weights.astype(jnp.float32)
    run: dict[str, Callable[[], Any]] = {}
    figures = {}
    for variant in variants:
        loss = _textbook if variant == TEXTBOOK else _ours
        jitted = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
        compiled = jitted.lower(hidden, kernel, tokens, weights).compile()
        run[variant] = _waiting(compiled, hidden, kernel, tokens, weights)
        figures[variant] = compiled_figures(compiled)
    if OURS in run and TEXTBOOK in run:
        differences = jax.tree.map(_difference, run[OURS](), run[TEXTBOOK]())
        figures[OURS]["difference"] = max(map(float, jax.tree.leaves(differences)))
    seconds = side_by_side.seconds(run, repeats)
    case = f"{rows} x {targets} x {width} x {vocabulary:,}, {jnp.dtype(dtype).name}"
    if real_targets < targets:
        case += f", {real_targets} real"
    return [Measurement(case, name, seconds[name], figures[name]) for name in run]


def _ours(hidden: Array, kernel: Array, targets: Array, weights: Array) -> Array:
    return losses.cross_entropy(hidden, kernel, targets, weights, z_loss=_Z_LOSS)[0]


def _textbook(hidden: Array, kernel: Array, targets: Array, weights: Array) -> Array:
    logits = jnp.dot(hidden.astype(jnp.float32), kernel)
    return textbook.cross_entropy(logits, targets, weights, _Z_LOSS, 0.0)[0]


def _waiting(function: Callable[..., Any], *arguments: Array) -> Callable[[], Any]:
    return lambda: jax.block_until_ready(function(*arguments))


@jax.jit
def _difference(one: Array, other: Array) -> Array:
    one, other = one.astype(jnp.float32), other.astype(jnp.float32)
    return jnp.max(jnp.abs(one - other)) / jnp.max(jnp.abs(other))
