"""What T5X does where mt5x does otherwise: the baseline of the training step and of the loss.

Written from the definitions, with everything else mt5x's own, so that it is no weaker than T5X:
tokens are embedded by a product with one-hot vectors, the relative-position bias is looked up by
another for every pair of positions, the loss takes one-hot targets and all logits in float32 at
once, and Adafactor goes over whole matrices.
"""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mt5x import losses, optimizers
from mt5x.model import T5Config, Transformer, attention, layers, transformer
from mt5x.models import EncoderDecoderModel
from mt5x.train_state import TrainState

Array = jax.Array


def model_like(model: EncoderDecoderModel) -> EncoderDecoderModel:
    """The same network, optimizer and loss, done as T5X does them."""
    optimizer = model.optimizer_def
    if isinstance(optimizer, optimizers.Adafactor):
        optimizer = _WholeAdafactor(**_fields(optimizer))
    module = _Transformer(model.module.config)
    return _Model(**{**_fields(model), "module": module, "optimizer_def": optimizer})


def train_step(model: EncoderDecoderModel) -> Any:
    """As `steps.train_step`, for a model of `model_like`."""

    def step(
        state: TrainState, batch: losses.Batch, key: Array, learning_rate: Array
    ) -> tuple[TrainState, losses.Metrics]:
        key = jax.random.fold_in(key, state.step)
        loss = partial(model.loss_fn, batch=batch, dropout_rng=key)
        grads, metrics = jax.grad(loss, has_aux=True)(state.params)
        # Of the norms T5X's trainer takes the gradient's; what nobody asks for, XLA leaves out.
        params, opt_state, squares = model.optimizer_def.measured_update(
            grads, state.opt_state, state.params, learning_rate
        )
        norm = (jnp.sqrt(squares.grad), jnp.ones(()))
        return TrainState(params, opt_state), {**metrics, "weight_gradient_norm": norm}

    return jax.jit(step, donate_argnums=0)


def cross_entropy(
    logits: Array, targets: Array, weights: Array, z_loss: float, label_smoothing: float
) -> tuple[Array, Array]:
    """Weighted sum of cross-entropy and z-loss, and z-loss alone, of float32 `[b, t, v]` logits."""
    vocabulary = logits.shape[-1]
    low = label_smoothing / (vocabulary - 1)
    high = 1.0 - label_smoothing
    constant = -(high * np.log(high) + (vocabulary - 1) * low * np.log(low + 1e-20))
    hit = targets[..., None] == jnp.arange(vocabulary)[None, None]
    soft_targets = lax.select(hit, jnp.full(hit.shape, high), jnp.full(hit.shape, low))
    loss, z_terms = _with_logits(logits, soft_targets, z_loss)
    return jnp.sum((loss - constant) * weights), jnp.sum(z_terms * weights)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _with_logits(logits: Array, targets: Array, z_loss: float) -> tuple[Array, Array]:
    return _with_logits_forward(logits, targets, z_loss)[0]


def _with_logits_forward(logits: Array, targets: Array, z_loss: float) -> Any:
    best = jnp.max(logits, axis=-1, keepdims=True)
    shifted = logits - best
    exponentials = jnp.exp(shifted)
    total = jnp.sum(exponentials, axis=-1, keepdims=True)
    log_softmax = shifted - jnp.log(total)
    log_z = jnp.squeeze(jnp.log(total) + best, axis=-1)
    z_terms = z_loss * lax.square(log_z)
    loss = -jnp.sum(targets * log_softmax, axis=-1) + z_terms
    return (loss, z_terms), (targets, exponentials, total, log_softmax, log_z)


def _with_logits_backward(z_loss: float, saved: Any, cotangents: Any) -> tuple[Array, Array]:
    targets, exponentials, total, log_softmax, log_z = saved
    factor = jnp.expand_dims(cotangents[0], -1)
    z_factor = jnp.expand_dims(1.0 + 2.0 * z_loss * log_z, -1)
    return factor * (z_factor * exponentials / total - targets), -factor * log_softmax


_with_logits.defvjp(_with_logits_forward, _with_logits_backward)


class _Embed(layers.Embed):
    """Token ids to vectors by a product with one-hot vectors."""

    def __call__(self, ids: Array) -> Array:
        one_hot = ids[..., None] == jnp.arange(self.config.vocab_size)[None, None]
        dtype = self.config.dtype
        return jnp.dot(one_hot.astype(dtype), self.embedding.astype(dtype))


class _RelativePositionBias(attention.RelativePositionBias):
    """The bias by a product with a one-hot vector for every pair of positions."""

    def __call__(self, query_length: int, key_length: int) -> Array:
        distances = np.arange(key_length)[None, :] - np.arange(query_length)[:, None]
        buckets = attention.relative_position_bucket(distances, self.bidirectional)
        one_hot = jnp.asarray(buckets)[None] == jnp.arange(attention.NUM_BUCKETS)[:, None, None]
        dtype = self.config.dtype
        table = self.rel_embedding.astype(dtype)
        return jnp.tensordot(table, one_hot.astype(dtype), axes=1)[None]


class _Encoder(transformer.Encoder):
    def setup(self) -> None:
        config = self.config
        self.relpos_bias = _RelativePositionBias(config, bidirectional=True)
        self.layers = [transformer.EncoderLayer(config) for _ in range(config.num_encoder_layers)]
        self.encoder_norm = layers.RMSNorm(config.dtype)


class _Decoder(transformer.Decoder):
    def setup(self) -> None:
        config = self.config
        self.relpos_bias = _RelativePositionBias(config, bidirectional=False)
        self.layers = [transformer.DecoderLayer(config) for _ in range(config.num_decoder_layers)]
        self.decoder_norm = layers.RMSNorm(config.dtype)
        self.logits_dense = layers.Logits(config)


class _Transformer(Transformer):
    config: T5Config

    def setup(self) -> None:
        self.token_embedder = _Embed(self.config)
        self.encoder = _Encoder(self.config)
        self.decoder = _Decoder(self.config)


class _WholeAdafactor(optimizers.Adafactor):
    def parts(self, shape: tuple[int, ...]) -> int:
        del shape
        return 1

    def has_long_rows(self, shape: tuple[int, ...]) -> bool:
        del shape
        return False


class _Model(EncoderDecoderModel):
    def loss_fn(
        self, params: Any, batch: losses.Batch, dropout_rng: Array | None
    ) -> tuple[Array, losses.Metrics]:
        hidden, kernel = losses.hidden_and_kernel(self.module, params, batch, dropout_rng)
        logits = jnp.dot(hidden.astype(jnp.float32), kernel)
        weights, factor = losses.normalized_weights(batch, self.loss_normalizing_factor)
        targets = batch["decoder_target_tokens"]
        loss, z_loss = cross_entropy(logits, targets, weights, self.z_loss, self.label_smoothing)
        hits = (jnp.argmax(logits, axis=-1) == targets) * weights
        tokens = jnp.sum(weights)
        metrics = {"loss": loss, "z_loss": z_loss, "accuracy": jnp.sum(hits)}
        return loss / factor, {name: (total, tokens) for name, total in metrics.items()}


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
