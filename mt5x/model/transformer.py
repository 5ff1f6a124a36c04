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
    who_sees_whom,
)
from mt5x.model.config import T5Config
from mt5x.model.fused_attention import Segments
from mt5x.model.layers import Embed, Logits, MlpBlock, RMSNorm, drop, dropout_masks
from mt5x.model.stack import run_layers
from mt5x.partitioning import constrain, gathered

Array = jax.Array
Mask = Array | Segments

# The logical axes of the residual stream.
_STREAM = ("batch", "length", None)


class DecodeCache(NamedTuple):
    """What a decode step needs of the past; made by `Transformer.start_decoding`.

    Attributes:
        position: int32 scalar, the position the next step writes.
        cross: per layer, the encoder's keys and values, projected once.
        past: per layer, the decoder's own keys and values so far, zero beyond `position`;
            `[batch, heads, max_length x hypotheses, head_dim]`, those of a position together.
        encoder_mask: bool `[batch, 1, 1, source]`, True at real source tokens.
        bias: `[1, heads, max_length, max_length]`, the decoder's relative-position bias;
            `[layers, ...]` where every layer has its own.
        turned_kernel: the logits' kernel as `[vocab, emb_dim]`, for where that is faster; or None.
    """

    position: Array
    cross: tuple[KeyValue, ...]
    past: tuple[KeyValue, ...]
    encoder_mask: Array
    bias: Array
    turned_kernel: Array | None = None


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each normalised before and added back (pre-norm)."""

    config: T5Config

    def setup(self) -> None:
        """Declares the parts."""
        if self.config.relative_bias_per_layer:
            self.relpos_bias = RelativePositionBias(self.config, bidirectional=True)
        self.pre_attention_layer_norm = RMSNorm(self.config.dtype)
        self.attention = Attention(self.config)
        self.pre_mlp_layer_norm = RMSNorm(self.config.dtype)
        self.mlp = MlpBlock(self.config)

    def __call__(
        self, x: Array, mask: Mask, bias: Array | None, dropout: Sequence[Array | None]
    ) -> Array:
        """`[batch, source, emb_dim]` to the same; `dropout` from `draw_masks`."""
        weights, attended, hidden, projected = dropout
        if bias is None:
            bias = self.relpos_bias(x.shape[1], x.shape[1])
        y = self.pre_attention_layer_norm(x)
        x = constrain(x + drop(self.attention(y, y, mask, bias, weights), attended), _STREAM)
        x = x + drop(self.mlp(self.pre_mlp_layer_norm(x), hidden), projected)
        return constrain(x, _STREAM)

    def draw_masks(self, x: Array, enable_dropout: bool) -> tuple[Array | None, ...]:
        """The dropout masks of this layer for one batch."""
        config = self.config
        sizes = (config.num_heads * x.shape[1], config.emb_dim, config.mlp_dim, config.emb_dim)
        return dropout_masks(self, len(x), sizes, enable_dropout)


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the encoder, and feed-forward, all pre-norm."""

    config: T5Config

    def setup(self) -> None:
        """Declares the parts."""
        if self.config.relative_bias_per_layer:
            self.relpos_bias = RelativePositionBias(self.config, bidirectional=False)
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
        mask: Mask,
        cross_mask: Mask,
        bias: Array | None,
        dropout: Sequence[Array | None],
    ) -> Array:
        """`[batch, target, emb_dim]` to the same, given `encoded [batch, source, emb_dim]`."""
        weights, attended, *rest = dropout
        if bias is None:
            bias = self.relpos_bias(x.shape[1], x.shape[1])
        y = self.pre_self_attention_layer_norm(x)
        x = constrain(x + drop(self.self_attention(y, y, mask, bias, weights), attended), _STREAM)
        source = self.encoder_decoder_attention.keys_values(encoded)
        return constrain(self._after_self_attention(x, source, cross_mask, rest), _STREAM)

    def draw_masks(
        self, x: Array, encoded: Array, enable_dropout: bool
    ) -> tuple[Array | None, ...]:
        """The dropout masks of this layer for one batch."""
        config, emb_dim = self.config, self.config.emb_dim
        own, cross = config.num_heads * x.shape[1], config.num_heads * encoded.shape[1]
        sizes = (own, emb_dim, cross, emb_dim, config.mlp_dim, emb_dim)
        return dropout_masks(self, len(x), sizes, enable_dropout)

    def step(
        self, x: Array, cross: KeyValue, past: KeyValue, cache: DecodeCache, mask: Array
    ) -> tuple[Array, KeyValue]:
        """One position, `x [batch, hypotheses, emb_dim]`, against the caches; also the new past.

        The hypotheses of a row attend side by side, as the positions of a longer target would, so
        that a row's source is held, and read, once for all of them.
        """
        y = self.pre_self_attention_layer_norm(x)
        hypotheses = x.shape[1]
        past = self.self_attention.extend(y, past, cache.position * hypotheses)
        bias = lax.dynamic_slice_in_dim(cache.bias, cache.position, 1, axis=2)
        bias = jnp.repeat(bias, hypotheses, axis=3)
        x = x + self.self_attention.attend(y, past, mask, bias)
        none = (None, None, None, None)
        return self._after_self_attention(x, cross, cache.encoder_mask, none), past

    def _after_self_attention(
        self, x: Array, cross: KeyValue, cross_mask: Mask, masks: Sequence[Array | None]
    ) -> Array:
        weights, attended, hidden, projected = masks
        y = self.pre_cross_attention_layer_norm(x)
        y = self.encoder_decoder_attention.attend(y, cross, cross_mask, None, weights)
        x = constrain(x + drop(y, attended), _STREAM)
        return x + drop(self.mlp(self.pre_mlp_layer_norm(x), hidden), projected)


class Encoder(nn.Module):
    """The stack of encoder layers; one relative-position bias for all of them."""

    config: T5Config

    def setup(self) -> None:
        """Declares the stack."""
        if not self.config.relative_bias_per_layer:
            self.relpos_bias = RelativePositionBias(self.config, bidirectional=True)
        self.layers = [EncoderLayer(self.config) for _ in range(self.config.num_encoder_layers)]
        self.encoder_norm = RMSNorm(self.config.dtype)

    def __call__(self, x: Array, mask: Mask, enable_dropout: bool) -> Array:
        """Embedded tokens `[batch, source, emb_dim]` to encodings of the same shape."""
        shared = not self.config.relative_bias_per_layer
        bias = self.relpos_bias(x.shape[1], x.shape[1]) if shared else None
        first, last = dropout_masks(self, len(x), 2 * (self.config.emb_dim,), enable_dropout)
        x = drop(x, first)
        dropout = [layer.draw_masks(x, enable_dropout) for layer in self.layers]
        x = run_layers(self.config, self.layers, dropout, x, mask, bias)
        return drop(self.encoder_norm(x), last)


class Decoder(nn.Module):
    """The stack of decoder layers up to, but without, the product with the logits' kernel."""

    config: T5Config

    def setup(self) -> None:
        """Declares the stack."""
        if not self.config.relative_bias_per_layer:
            self.relpos_bias = RelativePositionBias(self.config, bidirectional=False)
        self.layers = [DecoderLayer(self.config) for _ in range(self.config.num_decoder_layers)]
        self.decoder_norm = RMSNorm(self.config.dtype)
        if not self.config.logits_via_embedding:
            self.logits_dense = Logits(self.config)

    def __call__(
        self, x: Array, encoded: Array, mask: Mask, cross_mask: Mask, enable_dropout: bool
    ) -> Array:
        """Embedded tokens `[batch, target, emb_dim]` to final hidden states of that shape."""
        shared = not self.config.relative_bias_per_layer
        bias = self.relpos_bias(x.shape[1], x.shape[1]) if shared else None
        first, last = dropout_masks(self, len(x), 2 * (self.config.emb_dim,), enable_dropout)
        x = drop(x, first)
        dropout = [layer.draw_masks(x, encoded, enable_dropout) for layer in self.layers]
        x = run_layers(self.config, self.layers, dropout, x, encoded, mask, cross_mask, bias)
        return drop(self.decoder_norm(x), last)

    def start(
        self, encoded: Array, encoder_mask: Array, max_length: int, hypotheses: int
    ) -> DecodeCache:
        """Caches for decoding up to `max_length` positions of each row's hypotheses."""
        config = self.config
        biased = self.layers if config.relative_bias_per_layer else [self]
        shape = (encoded.shape[0], config.num_heads, max_length * hypotheses, config.head_dim)
        return DecodeCache(
            position=jnp.zeros((), jnp.int32),
            cross=tuple(e.encoder_decoder_attention.keys_values(encoded) for e in self.layers),
            past=tuple(
                KeyValue(jnp.zeros(shape, config.dtype), jnp.zeros(shape, config.dtype))
                for _ in self.layers
            ),
            encoder_mask=encoder_mask,
            bias=jnp.concatenate([part.relpos_bias(max_length, max_length) for part in biased]),
        )

    def step(
        self, x: Array, cache: DecodeCache, ancestors: Array | None
    ) -> tuple[Array, DecodeCache]:
        """Embedded tokens `[batch, hypotheses, emb_dim]` to their final hidden states."""
        max_length = cache.bias.shape[-1]
        mask = (jnp.arange(max_length) <= cache.position)[None, None, None, :]
        if ancestors is not None:
            own = ancestors[..., None] == jnp.arange(x.shape[1])[None, None, None, :]
            mask = (own & mask.reshape(1, 1, -1, 1)).reshape(*own.shape[:2], -1)[:, None]
        past = []
        for number, layer in enumerate(self.layers):
            own_bias = cache.bias[number : number + 1] if len(cache.bias) > 1 else cache.bias
            here = cache._replace(bias=own_bias)
            x, new = layer.step(x, cache.cross[number], cache.past[number], here, mask)
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
        mask = who_sees_whom(self.config, segments, segments)
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
        # Targets may be segmented where the source is not (several targets for one source).
        across = target if encoder_segment_ids is not None else jnp.minimum(target, 1)
        return self.decoder(
            self.token_embedder(decoder_input_tokens),
            encoded,
            who_sees_whom(self.config, target, target, causal=True),
            who_sees_whom(self.config, across, source),
            enable_dropout,
        )

    def logits_kernel(self) -> Array:
        """The matrix from final hidden states to logits, float32 `[emb_dim, vocab_size]`."""
        if self.config.logits_via_embedding:
            table = self.token_embedder.embedding
            kernel = table.T / np.sqrt(self.config.emb_dim).astype(np.float32)
            return constrain(kernel, gathered(("embed", "vocab")))
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
        self,
        encoded: Array,
        encoder_input_tokens: Array,
        max_decode_length: int,
        hypotheses: int = 1,
        turn_kernel: bool = False,
    ) -> DecodeCache:
        """Projects the encodings for every layer, once, and makes room for each row's targets.

        `turn_kernel` keeps a transposed copy of the logits' kernel, too.
        """
        mask = (encoder_input_tokens > 0)[:, None, None, :]
        cache = self.decoder.start(encoded, mask, max_decode_length, hypotheses)
        return cache._replace(turned_kernel=self.logits_kernel().T if turn_kernel else None)

    def decode_step(
        self, tokens: Array, cache: DecodeCache, ancestors: Array | None = None
    ) -> tuple[Array, DecodeCache]:
        """The logits of the next token.

        Args:
            tokens: int32 `[batch]`, or `[batch, hypotheses]` with `ancestors`.
            cache: from `start_decoding` or the step before.
            ancestors: int32 `[batch, hypotheses, max_length]`: whose token at each position each
                hypothesis goes on from, itself at `cache.position`; None where there is one.

        Returns:
            float32 logits `[*tokens.shape, vocab_size]`, and the cache of the next step.
        """
        side_by_side = tokens[:, None] if ancestors is None else tokens
        hidden, cache = self.decoder.step(self.token_embedder(side_by_side), cache, ancestors)
        hidden = hidden[:, 0] if ancestors is None else hidden
        if cache.turned_kernel is None:
            return self._logits(hidden), cache
        rows = hidden.astype(jnp.float32).reshape(-1, hidden.shape[-1])
        turned = jnp.einsum("vd,nd->vn", cache.turned_kernel, rows)
        return turned.T.reshape(*hidden.shape[:-1], -1), cache

    def _logits(self, hidden: Array) -> Array:
        return jnp.dot(hidden.astype(jnp.float32), self.logits_kernel())


def _segments(tokens: Array, segment_ids: Array | None) -> Array:
    real = (tokens > 0).astype(jnp.int32)
    return real if segment_ids is None else real * segment_ids
