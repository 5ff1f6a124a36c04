"""Decoding against caches of keys and values: greedy, beam search, sampling; no TensorFlow.

The encoder runs once, its keys and values are projected once, and a row's hypotheses (beams or
samples) share them. Each loop ends as soon as no row can gain from another token.
"""

from mt5x.decoding.beam import NO_DECODE, beam_search
from mt5x.decoding.choice import GREEDY, DecodeConfig, Decodes, decode, found
from mt5x.decoding.greedy import greedy_decode
from mt5x.decoding.penalty import T5X_ALPHA, brevity_penalty, length_penalty
from mt5x.decoding.sampling import sample

__all__ = [
    "GREEDY",
    "NO_DECODE",
    "T5X_ALPHA",
    "DecodeConfig",
    "Decodes",
    "beam_search",
    "brevity_penalty",
    "decode",
    "found",
    "greedy_decode",
    "length_penalty",
    "sample",
]
