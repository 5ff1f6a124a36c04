"""The mT5 network (T5 1.1) with T5X's parameter tree; no data, no optimizer, no TensorFlow."""

from mt5x.model.config import T5Config
from mt5x.model.transformer import DecodeCache, Transformer

__all__ = ["DecodeCache", "T5Config", "Transformer"]
