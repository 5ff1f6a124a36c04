"""A network that ends its decodes where a test wants, and counts its steps."""

import dataclasses
from typing import Any

import jax

from mt5x.model import DecodeCache, Transformer

# One entry for each decode step done; wait for `jax.effects_barrier()` before reading.
STEPS: list[int] = []


class Stopping(Transformer):
    """As `Transformer`, but sure of the end token 1 from the token number `end` on."""

    end: int = 1

    def decode_step(
        self, tokens: jax.Array, cache: DecodeCache, ancestors: jax.Array | None = None
    ) -> tuple[jax.Array, DecodeCache]:
        """One step, counted."""
        jax.debug.callback(lambda position: STEPS.append(int(position)), cache.position)
        ends = cache.position + 1 >= self.end
        logits, cache = super().decode_step(tokens, cache, ancestors)
        return logits.at[..., 1].add(jax.numpy.where(ends, 1e3, -1e3)), cache


def steps_of(decode: Any, *arguments: Any) -> tuple[Any, int]:
    """The result of a decode, and how many steps it took."""
    STEPS.clear()
    result = jax.block_until_ready(decode(*arguments))
    jax.effects_barrier()
    return result, len(STEPS)


def stopping(model: Transformer, end: int) -> Stopping:
    """The network `model` with an end; the parameters stay what they are."""
    return Stopping(dataclasses.replace(model.config), end=end)
