"""How much of a GPU's memory JAX takes: what `mt5x plan` counts on, and not three quarters.

JAX takes its share when it starts (docs.jax.dev, "GPU memory allocation"). Whoever has set one of
its variables keeps what they set.
"""

from collections.abc import MutableMapping

SHARE = 0.92
"""Of a GPU's memory; the rest is CUDA's own and the display's."""

_VARIABLE = "XLA_CLIENT_MEM_FRACTION"
_OTHERS = ("XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_ALLOCATOR")


def take_share(environment: MutableMapping[str, str]) -> None:
    """Asks for `SHARE` in these environment variables, before JAX starts."""
    if not any(name in environment for name in (_VARIABLE, *_OTHERS)):
        environment[_VARIABLE] = str(SHARE)
