"""The encoder, the decoder and the whole mT5 network, with T5X's parameter tree.

`encoder/layers_0/attention/query/kernel` and so on: the names of T5X's checkpoints are the names
of the modules here.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from mt5x.model.attention import (
    Attention,
    KeyValue,
    RelativePositionBias,
    attention_mask,
    causal_mask,
)
from mt5x.model.config import T5Config
from mt5x.model.layers import Embed, Logits, MlpBlock, RMSNorm, drop, dropout_masks

Array = jax.Array


class DecodeCache(NamedTuple):
    """What a decode step needs of the past; made by `Transformer.start_decoding`.

    Attributes:
        position: int32 scalar, the position the next step writes.
        cross: per layer, the encoder's keys and values, projected once.
        past: per layer, the decoder's own keys and values so far, zero beyond `position`.
        encoder_mask: bool `[batch, 1, 1, source]`, True at real source tokens.
        bias: `[1, heads, max_length, max_length]`, the decoder's relative-position bias.
    """

    position: Array
    cross: tuple[KeyValue, ...]
    past: tuple[KeyValue, ...]
    encoder_mask: Array
    bias: Array


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each normalised before and added back (pre-norm)."""

    config: T5Config

    def setup(self) -> None:
        """Declares the parts."""
        self.pre_attention_layer_norm = RMSNorm(self.config.dtype)
        self.attention = Attention(self.config)
        self.pre_mlp_layer_norm = RMSNorm(self.config.dtype)
        self.mlp = MlpBlock(self.config)

    def __call__(self, x: Array, mask: Array, bias: Array, enable_dropout: bool) -> Array:
        """`[batch, source, emb_dim]` to the same."""
        config = self.config
        sizes = (config.num_heads * x.shape[1], config.emb_dim, config.mlp_dim, config.emb_dim)
        weights, attended, hidden, projected = dropout_masks(self, len(x), sizes, enable_dropout)
        y = self.pre_attention_layer_norm(x)
        x = x + drop(self.attention(y, y, mask, bias, weights), attended)
        return x + drop(self.mlp(self.pre_mlp_layer_norm(x), hidden), projected)


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the encoder, and feed-forward, all pre-norm."""

    config: T5Config

    def setup(self) -> None:
        """Declares the parts."""
        self.pre_self_attention_layer_norm = RMSNorm(self.config.dtype)
        self.self_attention = Attention(self.config)
        self.pre_cross_attention_layer_norm = RMSNorm(self.config.dtype)
        self.encoder_decoder_attention = Attention(self.config)
        self.pre_mlp_layer_norm = RMSNorm(self.config.dtype)
        self.mlp = MlpBlock(self.config)

    def __call__(
        self,
        x: Array,
        encoded: Array,
        mask: Array,
        cross_mask: Array,
        bias: Array,
        enable_dropout: bool,
    ) -> Array:
        """`[batch, target, emb_dim]` to the same, given `encoded [batch, source, emb_dim]`."""
        config, emb_dim = self.config, self.config.emb_dim
        own, cross = config.num_heads * x.shape[1], config.num_heads * encoded.shape[1]
        sizes = (own, emb_dim, cross, emb_dim, config.mlp_dim, emb_dim)
        weights, attended, *rest = dropout_masks(self, len(x), sizes, enable_dropout)
        y = self.pre_self_attention_layer_norm(x)
        x = x + drop(self.self_attention(y, y, mask, bias, weights), attended)
        source = self.encoder_decoder_attention.keys_values(encoded)
        return self._after_self_attention(x, source, cross_mask, rest)

    def step(
        self, x: Array, cross: KeyValue, past: KeyValue, cache: DecodeCache
    ) -> tuple[Array, KeyValue]:
        """One position, `x [batch, 1, emb_dim]`, against the caches; returns the new past."""
        y = self.pre_self_attention_layer_norm(x)
        past = self.self_attention.extend(y, past, cache.position)
        length = past.key.shape[2]
        mask = (jnp.arange(length) <= cache.position)[None, None, None, :]
        bias = lax.dynamic_slice_in_dim(cache.bias, cache.position, 1, axis=2)
        x = x + self.self_attention.attend(y, past, mask, bias)
        none = (None, None, None, None)
        return self._after_self_attention(x, cross, cache.encoder_mask, none), past

    def _after_self_attention(
        self, x: Array, cross: KeyValue, cross_mask: Array, masks: Sequence[Array | None]
    ) -> Array:
        weights, attended, hidden, projected = masks
        y = self.pre_cross_attention_layer_norm(x)
        y = self.encoder_decoder_attention.attend(y, cross, cross_mask, None, weights)
        x = x + drop(y, attended)
        return x + drop(self.mlp(self.pre_mlp_layer_norm(x), hidden), projected)


class Encoder(nn.Module):
    """The stack of encoder layers; one relative-position bias for all of them."""

    config: T5Config

    def setup(self) -> None:
        """Declares the stack."""
        self.relpos_bias = RelativePositionBias(self.config, bidirectional=True)
        self.layers = [EncoderLayer(self.config) for _ in range(self.config.num_encoder_layers)]
        self.encoder_norm = RMSNorm(self.config.dtype)

    def __call__(self, x: Array, mask: Array, enable_dropout: bool) -> Array:
        """Embedded tokens `[batch, source, emb_dim]` to encodings of the same shape."""
        bias = self.relpos_bias(x.shape[1], x.shape[1])
        first, last = dropout_masks(self, len(x), 2 * (self.config.emb_dim,), enable_dropout)
        x = drop(x, first)
        for layer in self.layers:
            x = layer(x, mask, bias, enable_dropout)
        return drop(self.encoder_norm(x), last)


class Decoder(nn.Module):
    """The stack of decoder layers up to, but without, the product with the logits' kernel."""

    config: T5Config

    def setup(self) -> None:
        """Declares the stack."""
        self.relpos_bias = RelativePositionBias(self.config, bidirectional=False)
        self.layers = [DecoderLayer(self.config) for _ in range(self.config.num_decoder_layers)]
        self.decoder_norm = RMSNorm(self.config.dtype)
        if not self.config.logits_via_embedding:
            self.logits_dense = Logits(self.config)

    def __call__(
        self, x: Array, encoded: Array, mask: Array, cross_mask: Array, enable_dropout: bool
    ) -> Array:
        """Embedded tokens `[batch, target, emb_dim]` to final hidden states of that shape."""
        bias = self.relpos_bias(x.shape[1], x.shape[1])
        first, last = dropout_masks(self, len(x), 2 * (self.config.emb_dim,), enable_dropout)
        x = drop(x, first)
        for layer in self.layers:
            x = layer(x, encoded, mask, cross_mask, bias, enable_dropout)
        return drop(self.decoder_norm(x), last)

    def start(self, encoded: Array, encoder_mask: Array, max_length: int) -> DecodeCache:
        """Caches for decoding up to `max_length` positions."""
        config = self.config
        shape = (encoded.shape[0], config.num_heads, max_length, config.head_dim)
        return DecodeCache(
            position=jnp.zeros((), jnp.int32),
            cross=tuple(e.encoder_decoder_attention.keys_values(encoded) for e in self.layers),
            past=tuple(
                KeyValue(jnp.zeros(shape, config.dtype), jnp.zeros(shape, config.dtype))
                for _ in self.layers
            ),
            encoder_mask=encoder_mask,
            bias=self.relpos_bias(max_length, max_length),
        )

    def step(self, x: Array, cache: DecodeCache) -> tuple[Array, DecodeCache]:
        """One embedded token `[batch, 1, emb_dim]` to its final hidden state."""
        past = []
        for layer, cross, old in zip(self.layers, cache.cross, cache.past, strict=True):
            x, new = layer.step(x, cross, old, cache)
            past.append(new)
        return self.decoder_norm(x), cache._replace(position=cache.position + 1, past=tuple(past))


class Transformer(nn.Module):
    """mT5: encoder, decoder, shared input embedding, float32 logits (arXiv 2010.11934).

    The methods take T5X's arguments. Ids are int32 `[batch, length]`; 0 is padding. Segment ids,
    where given, keep packed examples apart; positions are accepted and not needed, since within a
    segment the distances between positions, all that T5 uses, are those of the array itself.
    """

    config: T5Config

    def setup(self) -> None:
        """Declares the embedding and both stacks."""
        self.token_embedder = Embed(self.config)
        self.encoder = Encoder(self.config)
        self.decoder = Decoder(self.config)

    def encode(
        self,
        encoder_input_tokens: Array,
        encoder_segment_ids: Array | None = None,
        enable_dropout: bool = True,
    ) -> Array:
        """Encodes `[batch, source]` tokens to `[batch, source, emb_dim]` in `config.dtype`."""
        segments = _segments(encoder_input_tokens, encoder_segment_ids)
        mask = attention_mask(segments, segments)
        embedded = self.token_embedder(encoder_input_tokens)
        return self.encoder(embedded, mask, enable_dropout)

    def decode_hidden(
        self,
        encoded: Array,
        encoder_input_tokens: Array,
        decoder_input_tokens: Array,
        decoder_target_tokens: Array,
        encoder_segment_ids: Array | None = None,
        decoder_segment_ids: Array | None = None,
        decoder_positions: Array | None = None,
        enable_dropout: bool = True,
    ) -> Array:
        """As `decode`, stopping at the final hidden states, `[batch, target, emb_dim]`.

        Logits are `hidden.astype(float32) @ logits_kernel()`; a loss that takes the two apart never
        needs all logits at once.
        """
        del decoder_positions
        source = _segments(encoder_input_tokens, encoder_segment_ids)
        target = _segments(decoder_target_tokens, decoder_segment_ids)
        causal = causal_mask(decoder_input_tokens.shape[1])
        # Targets may be segmented where the source is not (several targets for one source).
        across = target if encoder_segment_ids is not None else jnp.minimum(target, 1)
        return self.decoder(
            self.token_embedder(decoder_input_tokens),
            encoded,
            attention_mask(target, target) & causal,
            attention_mask(across, source),
            enable_dropout,
        )

    def logits_kernel(self) -> Array:
        """The matrix from final hidden states to logits, float32 `[emb_dim, vocab_size]`."""
        if self.config.logits_via_embedding:
            table = self.token_embedder.embedding
            return table.T / np.sqrt(self.config.emb_dim).astype(np.float32)
        return self.decoder.logits_dense()

    def hidden_and_kernel(
        self,
        encoder_input_tokens: Array,
        decoder_input_tokens: Array,
        decoder_target_tokens: Array,
        encoder_segment_ids: Array | None = None,
        decoder_segment_ids: Array | None = None,
        encoder_positions: Array | None = None,
        decoder_positions: Array | None = None,
        *,
        enable_dropout: bool = True,
    ) -> tuple[Array, Array]:
        """The two factors of the logits: final hidden states and `logits_kernel()`."""
        del encoder_positions
        encoded = self.encode(encoder_input_tokens, encoder_segment_ids, enable_dropout)
        hidden = self.decode_hidden(
            encoded,
            encoder_input_tokens,
            decoder_input_tokens,
            decoder_target_tokens,
            encoder_segment_ids,
            decoder_segment_ids,
            decoder_positions,
            enable_dropout,
        )
        return hidden, self.logits_kernel()

    def decode(self, *args, **kwargs) -> Array:
        """Decodes with teacher forcing; T5X's arguments, those of `decode_hidden`.

        `decoder_target_tokens` only tells which target positions are real.

        Returns:
            float32 logits `[batch, target, vocab_size]`.
        """
        return self._logits(self.decode_hidden(*args, **kwargs))

    def __call__(self, *args, **kwargs) -> Array:
        """Encodes and decodes; T5X's arguments, those of `hidden_and_kernel`.

        Returns:
            float32 logits `[batch, target, vocab_size]`.
        """
        hidden, _ = self.hidden_and_kernel(*args, **kwargs)
        return self._logits(hidden)

    def start_decoding(
        self, encoded: Array, encoder_input_tokens: Array, max_decode_length: int
    ) -> DecodeCache:
        """Projects the encodings for every layer, once, and makes room for the targets."""
        mask = (encoder_input_tokens > 0)[:, None, None, :]
        return self.decoder.start(encoded, mask, max_decode_length)

    def decode_step(self, tokens: Array, cache: DecodeCache) -> tuple[Array, DecodeCache]:
        """One step: int32 `[batch]` tokens in, float32 logits `[batch, vocab_size]` out."""
        hidden, cache = self.decoder.step(self.token_embedder(tokens[:, None]), cache)
        return self._logits(hidden[:, 0]), cache

    def _logits(self, hidden: Array) -> Array:
        return jnp.dot(hidden.astype(jnp.float32), self.logits_kernel())


def _segments(tokens: Array, segment_ids: Array | None) -> Array:
    real = (tokens > 0).astype(jnp.int32)
    return real if segment_ids is None else real * segment_ids
