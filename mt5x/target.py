"""The kind of device that a computation is traced for: the one at hand, or one that is planned for.

The network, the loss and the optimizers do some things otherwise on a GPU than on a CPU or a TPU.
They ask here and not JAX, so that `mt5x plan` can follow them on a machine without the device.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from contextvars import ContextVar

import jax


@dataclasses.dataclass(frozen=True)
class Target:
    """A kind of device.

    Attributes:
      platform: JAX's name: 'cpu', 'gpu' or 'tpu'; '' where it is not known.
      compute_capability: of an NVIDIA GPU, such as 9.0; 0 of anything else.
      memory: bytes that JAX may use of a GPU; 0 where they are not known.
    """

    platform: str = ""
    compute_capability: float = 0.0
    memory: int = 0


UNKNOWN = Target()
"""Any device: what is done on most."""

_planned: ContextVar[Target | None] = ContextVar("planned", default=None)


def current() -> Target:
    """What is traced for here."""
    return _planned.get() or _at_hand()


def is_platform(name: str) -> bool:
    """Whether what is traced here will run on that platform."""
    planned = _planned.get()
    return name == (jax.default_backend() if planned is None else planned.platform)


@contextlib.contextmanager
def planned(target: Target) -> Iterator[None]:
    """Within it, what is traced is traced for `target`; it cannot be run here."""
    token = _planned.set(target)
    try:
        yield
    finally:
        _planned.reset(token)


def _at_hand() -> Target:
    platform = jax.default_backend()
    if platform != "gpu":
        return Target(platform)
    device = jax.local_devices()[0]
    try:
        capability = float(getattr(device, "compute_capability", 0.0))
    except ValueError:  # AMD's are names.
        capability = 0.0
    return Target(platform, capability, (device.memory_stats() or {}).get("bytes_limit", 0))
