"""Cross-entropy over a large vocabulary without ever holding all logits.

T5X's loss (softmax cross-entropy, label smoothing, z-loss), taken from the final hidden states and
the logits' kernel piece by piece over the target positions. The gradient of a piece is formed
while its logits are there, so that no logit is kept for, or computed again in, the backward pass:
three matrix products in all, as many as with the logits held.
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mt5x import target
from mt5x.errors import UserError, nearest
from mt5x.model import Transformer
from mt5x.partitioning import constrain, on_one_device, parts_of
from mt5x.real_targets import up_to_the_last

Array = jax.Array
# Features as SeqIO's EncDecFeatureConverter names them: NumPy or JAX arrays `[batch, length]`.
Batch = Mapping[str, Any]
Metrics = dict[str, tuple[Array, Array]]

# Bytes of float32 logits that a device may hold at once; fewer take one piece and no loop.
LOGITS_BYTES = 256 * 2**20
# Of a GPU's memory, where that is more: each piece reads and writes the kernel's gradient again.
_SHARE_OF_GPU = 32

_LOGITS_AXES = ("batch", "length", "vocab")
_PARTIAL_GRADIENT_AXES = ("batch", None, "vocab")

NORMALIZING_FACTORS = ("NUM_REAL_TARGET_TOKENS", "NUM_TOTAL_TARGET_TOKENS", "AVERAGE_PER_SEQUENCE")


class TokenStatistics(NamedTuple):
    """What a softmax says about each target token, each float32 `[batch, target]`.

    Attributes:
        log_z: logarithm of the softmax's normaliser.
        target_logit: the logit of the target token; `target_logit - log_z` is its log-probability.
        sum_logits: sum over the vocabulary, for label smoothing; 0 where nobody asks for it.
        is_best: 1.0 where no token has a larger logit than the target's.
    """

    log_z: Array
    target_logit: Array
    sum_logits: Array
    is_best: Array


def loss_fn(
    model: Transformer,
    params: Any,
    batch: Batch,
    dropout_rng: Array | None,
    *,
    z_loss: float = 1e-4,
    label_smoothing: float = 0.0,
    loss_normalizing_factor: float | str | None = None,
) -> tuple[Array, Metrics]:
    """T5X's training loss of a batch, and metrics that merge by adding.

    Args:
        model: the network.
        params: its parameters.
        batch: features as SeqIO's EncDecFeatureConverter names them, packed or not.
        dropout_rng: key for dropout; None for none.
        z_loss: weight of log(Z)^2, which keeps the softmax's normaliser near 1.
        label_smoothing: probability spread over the wrong tokens; the loss's minimum stays 0.
        loss_normalizing_factor: None for the plain sum over target tokens, a number to divide that
            sum by, or one of `NORMALIZING_FACTORS`.

    Returns:
        The scalar loss, and metrics as (sum, count) pairs of float32 scalars whose quotient is the
        value: loss, cross_entropy, z_loss and accuracy per target token (never normalised
        otherwise), target_tokens per batch, and the share of input and of target positions that
        are no padding, `non_padding_fraction/encoder` and `/decoder` as T5X names them.

    Raises:
        UserError: an unknown `loss_normalizing_factor`.
    """
    hidden, kernel = hidden_and_kernel(model, params, batch, dropout_rng)
    targets = batch["decoder_target_tokens"]
    mask = target_weights(batch)
    weights, factor = normalized_weights(batch, loss_normalizing_factor)
    # Divided here, and not the sum at the end, which would scale the kernel's gradient once more.
    loss, statistics = cross_entropy(
        hidden,
        kernel,
        targets,
        weights / factor,
        z_loss=z_loss,
        label_smoothing=label_smoothing,
        packed="decoder_segment_ids" in batch,
    )
    statistics = jax.tree.map(lax.stop_gradient, statistics)
    total = jnp.sum(mask)

    def per_token(values: Array) -> tuple[Array, Array]:
        return jnp.sum(values * mask), total

    entropy = token_cross_entropy(statistics, kernel.shape[1], label_smoothing)
    z_terms = z_loss * lax.square(statistics.log_z)
    one = jnp.ones((), jnp.float32)
    metrics = {
        "loss": per_token(entropy + z_terms),
        "cross_entropy": per_token(entropy),
        "z_loss": per_token(z_terms),
        "accuracy": per_token(statistics.is_best),
        "target_tokens": (total, one),
        "non_padding_fraction/encoder": _real_share(batch["encoder_input_tokens"] > 0),
        "non_padding_fraction/decoder": _real_share(mask > 0),
    }
    return loss, metrics


def target_weights(batch: Batch) -> Array:
    """Weight of each target token, float32 `[batch, target]`; without weights, 1 where id > 0."""
    weights = batch.get("decoder_loss_weights")
    if weights is None:
        weights = batch["decoder_target_tokens"] > 0
    return jnp.asarray(weights, jnp.float32)


def normalized_weights(batch: Batch, factor: float | str | None) -> tuple[Array, Any]:
    """The weights of a batch's tokens and what T5X divides the weighted sum by.

    NUM_REAL_TARGET_TOKENS divides by the sum of weights, NUM_TOTAL_TARGET_TOKENS by all positions,
    AVERAGE_PER_SEQUENCE gives each (packed) example the same weight. An empty batch divides by 1.

    Returns:
        float32 weights `[batch, target]` and a scalar.

    Raises:
        UserError: an unknown name.
    """
    weights = target_weights(batch)
    if factor is None:
        return weights, 1.0
    if not isinstance(factor, str):
        return weights, factor
    name = factor.upper()
    if name == "NUM_REAL_TARGET_TOKENS":
        return weights, _or_one(jnp.sum(weights))
    if name == "NUM_TOTAL_TARGET_TOKENS":
        return weights, float(weights.size)
    if name == "AVERAGE_PER_SEQUENCE":
        segments = batch.get("decoder_segment_ids", jnp.ones(weights.shape, jnp.int32))
        same = (segments[:, :, None] == segments[:, None, :]).astype(jnp.float32)
        weights = weights / _or_one(jnp.einsum("bts,bs->bt", same, weights))
        return weights, _or_one(jnp.sum(weights))
    raise UserError(
        f"loss_normalizing_factor must be None, a number or one of {', '.join(NORMALIZING_FACTORS)}"
        f", not {factor!r}{nearest(name, NORMALIZING_FACTORS, count=1) or '.'}"
    )


def token_cross_entropy(
    statistics: TokenStatistics, vocab_size: int, label_smoothing: float
) -> Array:
    """Cross-entropy of each token in nats, `[batch, target]`, 0 at the best it can be."""
    confidence, low, constant = _smoothing(label_smoothing, vocab_size)
    picked = (confidence - low) * statistics.target_logit + low * statistics.sum_logits
    return statistics.log_z - picked - constant


def token_statistics(
    hidden: Array, kernel: Array, targets: Array, summed: bool = False
) -> TokenStatistics:
    """Softmax statistics of `hidden [b, t, d] @ kernel [d, v]` at `targets [b, t]`; no gradient.

    `summed` asks for `sum_logits`.
    """

    factor = kernel.astype(operand_dtype(hidden.dtype))

    def piece(_, args):
        hidden, targets = args
        return None, _statistics(_logits(hidden, factor), targets, summed)

    pieces = _pieces(hidden, kernel)
    _, statistics = _scan(piece, None, (hidden, targets), pieces)
    return statistics


def cross_entropy(
    hidden: Array,
    kernel: Array,
    targets: Array,
    weights: Array,
    *,
    z_loss: float = 0.0,
    label_smoothing: float = 0.0,
    packed: bool = False,
) -> tuple[Array, TokenStatistics]:
    """Weighted sum of cross-entropy and z-loss, differentiable in `hidden` and `kernel`.

    Args:
        hidden: final hidden states `[batch, target, emb_dim]`.
        kernel: float32 `[emb_dim, vocab]`.
        targets: int32 `[batch, target]`.
        weights: float32 `[batch, target]`.
        z_loss: weight of log(Z)^2.
        label_smoothing: probability spread over the wrong tokens.
        packed: whether rows are full, so that it is not worth looking for where targets end (for
            which a GPU would wait).

    Returns:
        The scalar sum, and the statistics of each token (constants to differentiation); zeros for
        tokens without a weight that are behind the last one that has one in any row.
    """
    settings = (z_loss, label_smoothing, packed)
    return _cross_entropy(settings, hidden, kernel, targets, weights)


def hidden_and_kernel(
    model: Transformer, params: Any, batch: Batch, dropout_rng: Array | None
) -> tuple[Array, Array]:
    """The two factors of a batch's logits, `[b, t, d]` and `[d, v]`; no key means no dropout."""
    factors: Any = model.apply(
        {"params": params},
        batch["encoder_input_tokens"],
        batch["decoder_input_tokens"],
        batch["decoder_target_tokens"],
        encoder_segment_ids=batch.get("encoder_segment_ids"),
        decoder_segment_ids=batch.get("decoder_segment_ids"),
        enable_dropout=dropout_rng is not None,
        rngs=None if dropout_rng is None else {"dropout": dropout_rng},
        method="hidden_and_kernel",
    )
    return factors


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _cross_entropy(settings, hidden, kernel, targets, weights):
    z_loss, label_smoothing, packed = settings

    def work(rows, kernel):
        hidden, targets = rows
        statistics = token_statistics(hidden, kernel, targets, label_smoothing > 0.0)
        return (_token_losses(statistics, kernel, z_loss, label_smoothing), statistics), None

    over = _over_all if packed else up_to_the_last
    (loss, statistics), _ = over(work, weights, (hidden, targets), kernel)
    return jnp.sum(loss * weights), statistics


def _cross_entropy_forward(settings, hidden, kernel, targets, weights):
    z_loss, label_smoothing, packed = settings
    work = partial(_loss_and_gradients, z_loss, label_smoothing)
    rows = (hidden, targets, weights)
    over = _over_all if packed else up_to_the_last
    (loss, statistics, hidden_grad), kernel_grad = over(work, weights, rows, kernel)
    return (jnp.sum(loss * weights), statistics), (hidden_grad, kernel_grad, loss)


def _over_all(work, weights, rows, kernel):
    del weights
    return work(rows, kernel)


def _loss_and_gradients(z_loss, label_smoothing, rows, kernel):
    """Each token's loss, statistics and gradient to its hidden state, and the kernel's gradient."""
    confidence, low, _ = _smoothing(label_smoothing, kernel.shape[1])
    operand = operand_dtype(rows[0].dtype)
    # Once, and not for each piece.
    factor = kernel.astype(operand)

    def piece(kernel_grad, args):
        hidden, targets, weights = args
        logits = _logits(hidden, factor)
        statistics = _statistics(logits, targets, label_smoothing > 0.0)
        # d loss / d logits = (1 + 2 z log Z) softmax - smoothed targets, times the weight.
        log_z = statistics.log_z[..., None]
        hit = _hits(logits, targets)
        grad = (1.0 + 2.0 * z_loss * log_z) * jnp.exp(logits - log_z)
        grad = (grad - jnp.where(hit, confidence, low)) * weights[..., None]
        grad = grad.astype(operand)
        hidden_grad = _product("btv,dv->btd", grad, factor).astype(hidden.dtype)
        # A NaN in one gradient is one in the other. And so the kernel is read for the last time
        # before its gradient is there: XLA else keeps a copy of it while it is updated.
        hidden = jnp.where(jnp.isnan(hidden_grad), hidden_grad, hidden)
        own = _by_device(hidden.astype(operand), devices, None)
        update = _product("pbtd,pbtv->pdv", own, _by_device(grad, devices, "vocab"))
        update = constrain(update, _PARTIAL_GRADIENT_AXES)
        kernel_grad = update if kernel_grad is None else kernel_grad + update
        return kernel_grad, (statistics, hidden_grad)

    hidden = rows[0]
    pieces = _pieces(hidden, kernel)
    # Each group of rows sums its own gradient over the pieces; the groups are summed once, at the
    # end, and not after each piece.
    devices = parts_of(hidden.shape[:1], ("batch",))
    start = None
    if pieces > 1:
        start = constrain(jnp.zeros((devices, *kernel.shape)), _PARTIAL_GRADIENT_AXES)
    kernel_grad, (statistics, hidden_grad) = _scan(piece, start, tuple(rows), pieces)
    loss = _token_losses(statistics, kernel, z_loss, label_smoothing)
    return (loss, statistics, hidden_grad), jnp.sum(kernel_grad, axis=0)


def _token_losses(statistics, kernel, z_loss, label_smoothing):
    loss = token_cross_entropy(statistics, kernel.shape[1], label_smoothing)
    return loss + z_loss * lax.square(statistics.log_z)


def _cross_entropy_backward(settings, saved, cotangents):
    del settings
    hidden_grad, kernel_grad, loss = saved
    scale = cotangents[0]
    return (hidden_grad * scale.astype(hidden_grad.dtype), kernel_grad * scale, None, loss * scale)


_cross_entropy.defvjp(_cross_entropy_forward, _cross_entropy_backward)


def operand_dtype(dtype: Any) -> Any:
    """What the loss's products multiply where hidden states have `dtype`; sums are float32.

    bfloat16 for bfloat16, as a TPU does by default with float32, too, and T5X there; a CPU gains
    nothing by it.
    """
    half = dtype == jnp.bfloat16 and not target.is_platform("cpu")
    return jnp.bfloat16 if half else jnp.float32


def _product(subscripts: str, one: Array, other: Array) -> Array:
    return jnp.einsum(subscripts, one, other, preferred_element_type=jnp.float32)


def _logits(hidden: Array, kernel: Array) -> Array:
    """Float32, of a kernel in `operand_dtype`."""
    logits = _product("btd,dv->btv", hidden.astype(kernel.dtype), kernel)
    return constrain(logits, _LOGITS_AXES)


def _by_device(x: Array, devices: int, last: str | None) -> Array:
    """`[batch, t, n]` as `[devices, batch / devices, t, n]`; `last` is the logical axis of n."""
    x = x.reshape(devices, x.shape[0] // devices, *x.shape[1:])
    return constrain(x, ("batch", None, "length", last))


def _hits(logits: Array, targets: Array) -> Array:
    # A comparison rather than a gather: it fuses, and works on a vocabulary split over devices.
    vocabulary = lax.broadcasted_iota(jnp.int32, (1, 1, logits.shape[-1]), 2)
    return targets[..., None] == vocabulary


def _target_logit(logits: Array, targets: Array) -> Array:
    if not on_one_device():
        return jnp.sum(jnp.where(_hits(logits, targets), logits, 0.0), axis=-1)
    # It need not walk through all logits.
    ids = targets[..., None]
    return jnp.take_along_axis(logits, ids, axis=-1, mode="fill", fill_value=0.0)[..., 0]


def _statistics(logits: Array, targets: Array, summed: bool) -> TokenStatistics:
    best = jnp.max(logits, axis=-1)
    log_z = best + jnp.log(jnp.sum(jnp.exp(logits - best[..., None]), axis=-1))
    target_logit = _target_logit(logits, targets)
    is_best = (target_logit >= best).astype(jnp.float32)
    sum_logits = jnp.sum(logits, axis=-1) if summed else jnp.zeros_like(log_z)
    return TokenStatistics(log_z, target_logit, sum_logits, is_best)


def _smoothing(label_smoothing: float, vocab_size: int) -> tuple[float, float, float]:
    """Probability of the right token, of each wrong one, and the entropy of that distribution."""
    confidence = 1.0 - label_smoothing
    low = label_smoothing / max(vocab_size - 1, 1)
    entropy = -(confidence * np.log(confidence) + (vocab_size - 1) * low * np.log(low + 1e-20))
    return confidence, low, float(entropy)


def _pieces(hidden: Array, kernel: Array) -> int:
    batch, length, _ = hidden.shape
    shape = (batch, length, kernel.shape[1])
    per_device = math.prod(shape) * 4 // parts_of(shape, _LOGITS_AXES)
    wanted = -(-per_device // room_for_logits())
    return min(wanted, length)


def room_for_logits() -> int:
    """Bytes of logits that a device may hold at once."""
    return max(LOGITS_BYTES, target.current().memory // _SHARE_OF_GPU)


def _scan(body, carry, arrays, pieces: int):
    """`lax.scan` over `pieces` slices of axis 1 (the batch axis may be sharded); 1 needs no loop.

    A length that does not divide is padded with zeros, whose weights are zero too.
    """
    if pieces == 1:
        return body(carry, arrays)
    batch, length = jax.tree.leaves(arrays)[0].shape[:2]
    size = -(-length // pieces)
    pieces = -(-length // size)

    def split(x: Array) -> Array:
        rest = x.shape[2:]
        x = jnp.pad(x, [(0, 0), (0, pieces * size - length)] + [(0, 0)] * len(rest))
        return jnp.moveaxis(x.reshape(batch, pieces, size, *rest), 1, 0)

    def join(x: Array) -> Array:
        x = jnp.moveaxis(x, 0, 1)
        return x.reshape(batch, pieces * size, *x.shape[3:])[:, :length]

    carry, out = lax.scan(body, carry, jax.tree.map(split, arrays))
    return carry, jax.tree.map(join, out)


def _real_share(real: Array) -> tuple[Array, Array]:
    return jnp.sum(real.astype(jnp.float32)), jnp.asarray(real.size, jnp.float32)


def _or_one(x: Array) -> Array:
    return jnp.where(x > 0, x, jnp.ones_like(x))
