"""mt5x: cross-lingual transfer with mT5, in JAX."""

__version__ = "0.1.0"
