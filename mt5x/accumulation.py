"""Gradients of a batch taken in microbatches, so that it need not fit in memory at once.

The sum of the microbatches' gradients is the gradient of the whole batch: what the loss divides by
is counted over the whole batch, and each microbatch drops features by its own key (T5X gives all
of them the same one).
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mt5x import freezing, losses
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import constrain

Array = jax.Array
Batch = Mapping[str, Any]
Metrics = dict[str, tuple[Array, Array]]

# Metrics whose count is 1 for a batch, and not the tokens or positions it has.
_COUNTED_PER_BATCH = frozenset({"target_tokens"})


def gradients(
    model: EncoderDecoderModel,
    params: Any,
    batch: Batch,
    dropout_rng: Array | None,
    num_microbatches: int,
    place: Callable[[Any], Any] = lambda grads: grads,
) -> tuple[Any, Metrics]:
    """The gradients of the loss, and its metrics, over a batch in `num_microbatches` parts.

    Args:
        model: network and loss.
        params: float32 parameters.
        batch: features `[batch, ...]`; `num_microbatches` divides their rows.
        dropout_rng: key for dropout, None for none; of several microbatches each gets its own.
        num_microbatches: parts that are computed one after another; 1 takes the batch whole.
        place: says where the gradients' arrays live; they are summed there.

    Returns:
        float32 gradients like `params` without the frozen ones, and (sum, count) metrics of the
        whole batch.
    """
    trained, frozen = freezing.split(params, model.freeze)

    def part(rows: Batch, key: Array | None, share: Array | float) -> tuple[Any, Metrics]:
        def loss(trained: Any) -> tuple[Array, Metrics]:
            value, metrics = model.loss_fn(freezing.joined(trained, frozen), rows, key)
            return value * share, metrics

        grads, metrics = jax.grad(loss, has_aux=True)(trained)
        return place(grads), metrics

    if num_microbatches == 1:
        return part(batch, dropout_rng, 1.0)
    factor = model.loss_normalizing_factor
    whole = losses.normalized_weights(batch, factor)[1]

    def add(totals: tuple[Any, Metrics], numbered: tuple[Array, Batch]) -> tuple[Any, None]:
        number, rows = numbered
        key = None if dropout_rng is None else jax.random.fold_in(dropout_rng, number)
        # A part's loss is divided by the part's own tokens; the batch's is what counts.
        share = losses.normalized_weights(rows, factor)[1] / whole
        return jax.tree.map(jnp.add, totals, part(rows, key, share)), None

    parts = {name: _split(value, num_microbatches) for name, value in batch.items()}
    first = jax.tree.map(lambda x: x[0], parts)
    shapes = jax.eval_shape(lambda rows: part(rows, dropout_rng, 1.0), first)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    zeros = (place(zeros[0]), zeros[1])
    (grads, metrics), _ = lax.scan(add, zeros, (jnp.arange(num_microbatches), parts))
    return grads, {
        name: (total, count / num_microbatches if name in _COUNTED_PER_BATCH else count)
        for name, (total, count) in metrics.items()
    }


def _split(x: Any, parts: int) -> Array:
    """`[batch, ...]` to `[parts, batch / parts, ...]`, by turns.

    Each device's rows are dealt out to all parts, so that no row leaves its device.
    """
    x = jnp.asarray(x)
    dealt = x.reshape(x.shape[0] // parts, parts, *x.shape[1:]).swapaxes(0, 1)
    return constrain(dealt, (None, "batch") + (None,) * (x.ndim - 1))
