"""A network that computes the cross-attention's keys and values again at every decode step.

So does T5X. All else is mt5x's: the cache of the past, the logits, the loop.
"""

import jax
from jax import lax

from mt5x.model import DecodeCache, Transformer
from mt5x.model.attention import KeyValue


class Recomputing(Transformer):
    """As `Transformer`; in place of keys and values the cache holds the encodings, once."""

    def start_decoding(
        self,
        encoded: jax.Array,
        encoder_input_tokens: jax.Array,
        max_decode_length: int,
        hypotheses: int = 1,
        turn_kernel: bool = False,
    ) -> DecodeCache:
        """As `Transformer.start_decoding`; XLA drops the keys and values that nothing reads."""
        cache = super().start_decoding(
            encoded, encoder_input_tokens, max_decode_length, hypotheses, turn_kernel
        )
        return cache._replace(cross=(KeyValue(encoded, encoded),))

    def decode_step(
        self, tokens: jax.Array, cache: DecodeCache, ancestors: jax.Array | None = None
    ) -> tuple[jax.Array, DecodeCache]:
        """As `Transformer.decode_step`, projecting the encodings first."""
        # Tied to the step, or XLA would move it out of the loop.
        encoded, _ = lax.optimization_barrier((cache.cross[0].key, cache.position))
        projected = tuple(
            layer.encoder_decoder_attention.keys_values(encoded) for layer in self.decoder.layers
        )
        logits, new = super().decode_step(tokens, cache._replace(cross=projected), ancestors)
        return logits, new._replace(cross=cache.cross)


def of(model: Transformer) -> Recomputing:
    """The same network; its parameters stay what they are."""
    return Recomputing(model.config)
