"""SIGTERM and SIGINT as a request to stop at the next step boundary, nothing lost."""

import functools
import signal
import sys
import types
from collections.abc import Callable
from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

EXIT_CODE = 128 + signal.SIGTERM


class Interrupted(SystemExit):
    """The job saved its state and stopped because it was asked to; it says so as it leaves."""

    def __init__(self, message: str) -> None:
        super().__init__(EXIT_CODE)
        print(f"mt5x: {message}", file=sys.stderr)


class StopRequest:
    """While entered, notes SIGTERM and SIGINT instead of dying; a second signal kills as usual."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}
        self._last_answer: jax.Array | None = None

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            try:
                self._previous[number] = signal.signal(number, self._note)
            except ValueError:
                # Not the main thread: signals are the caller's business there.
                return self
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def agreed(self) -> bool:
        """Whether to stop now; the same answer on every process. To be asked once a step, by all.

        Of several processes it is enough that one was asked to stop. They learn of it one step
        later, from a sum that each step adds to the devices' work, so that nothing waits for it.
        """
        if jax.process_count() == 1:
            return self.requested
        before = self._last_answer
        self._last_answer = _any_requested()(_flag(self.requested))
        return before is not None and bool(before)

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._previous = {}


@functools.cache
def _flag(requested: bool) -> jax.Array:
    """What this process says, on its devices: a part of bool [devices]."""
    here = np.array([requested])
    devices = NamedSharding(_all_devices(), P("all"))
    return jax.make_array_from_callback((jax.device_count(),), devices, lambda index: here)


@functools.cache
def _any_requested() -> Callable[[jax.Array], jax.Array]:
    return jax.jit(jnp.any, out_shardings=NamedSharding(_all_devices(), P()))


@functools.cache
def _all_devices() -> Mesh:
    return Mesh(np.asarray(jax.devices(), dtype=object), ("all",))
