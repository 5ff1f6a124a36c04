"""How fast a run trains: steps, real tokens and model FLOPs a second, over all devices."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from mt5x import flops, hardware
from mt5x.model import T5Config


class Throughput:
    """Counts steps and tokens, and the time in which training went on.

    Compilation, evaluation and saving are not training: the clock starts when a step has been
    handed to the device and stops when its figures are waited for.

    Args:
      config: the network.
      devices: what it runs on.
      frozen: patterns of parameters that are not trained. What they save depends on where they
        are, so with any there is no MFU.
      clock: seconds that pass.
    """

    def __init__(
        self,
        config: T5Config,
        devices: Sequence[jax.Device],
        frozen: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ):
        self._config, self._clock = config, clock
        self._peak = None if frozen else hardware.peak_of_devices(devices)
        self._started: float | None = None
        self._seconds, self._steps = 0.0, 0
        self._tokens, self._flops = 0.0, 0.0

    def start(self) -> None:
        """Notes that a step is under way."""
        if self._started is None:
            self._started = self._clock()

    def stop(self) -> None:
        """Notes that no step is under way."""
        if self._started is not None:
            self._seconds += self._clock() - self._started
            self._started = None

    def count(self, metrics: Mapping[str, tuple[Any, Any]], batch: Mapping[str, Any]) -> None:
        """Adds a finished step: its metrics, and its batch for the lengths of the rows."""
        inputs = float(metrics["non_padding_fraction/encoder"][0])
        targets = float(metrics["non_padding_fraction/decoder"][0])
        lengths = batch["encoder_input_tokens"].shape[1], batch["decoder_target_tokens"].shape[1]
        self._steps += 1
        self._tokens += inputs + targets
        self._flops += flops.training_flops(self._config, inputs, targets, *lengths)

    @property
    def tokens_per_second(self) -> float:
        """Real tokens a second, of inputs and targets together, since the last `read`."""
        return self._tokens / self._elapsed

    def read(self) -> dict[str, float]:
        """The figures since the last reading; MFU only where the devices' peak is known."""
        elapsed = self._elapsed
        figures = {
            "timing/steps_per_second": self._steps / elapsed,
            "timing/tokens_per_second": self._tokens / elapsed,
        }
        if self._peak is not None:
            figures["timing/mfu"] = self._flops / elapsed / self._peak
        self._seconds, self._steps, self._tokens, self._flops = 0.0, 0, 0.0, 0.0
        if self._started is not None:
            self._started = self._clock()
        return figures

    @property
    def _elapsed(self) -> float:
        running = 0.0 if self._started is None else self._clock() - self._started
        return max(self._seconds + running, 1e-9)
