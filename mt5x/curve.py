"""The curves of a training run, from the metrics of its steps."""

import math
import time

import jax

from mt5x import steps
from mt5x.errors import UserError
from mt5x.metrics_log import MetricsLog
from mt5x.progress import Progress


class Curve:
    """Sums the metrics of the steps and logs their means.

    It reads a step's metrics when the next step is under way, so that the device never waits.
    """

    def __init__(self, log: MetricsLog, progress: Progress, period: int):
        self._log, self._progress, self._period = log, progress, period
        self._pending: tuple[int, steps.Metrics, float] | None = None
        self._totals: steps.Metrics | None = None
        self._count, self._since = 0, time.monotonic()

    def add(self, step: int, metrics: steps.Metrics, rate: float) -> None:
        """Takes a step's metrics, still being computed, and reads those of the step before."""
        self._read_pending()
        self._pending = (step, metrics, rate)

    def flush(self) -> None:
        """Reads and logs what is left."""
        self._read_pending()
        self._pending = None

    def _read_pending(self) -> None:
        if self._pending is None:
            return
        step, metrics, rate = self._pending
        metrics = jax.device_get(metrics)
        loss = float(metrics["loss"][0]) / max(float(metrics["loss"][1]), 1.0)
        if not math.isfinite(loss):
            raise UserError(
                f"the loss is {loss} at step {step}; lower the learning rate, or use bfloat16 or "
                "float32 instead of float16"
            )
        self._totals = (
            metrics
            if self._totals is None
            else jax.tree.map(lambda a, b: a + b, self._totals, metrics)
        )
        self._count += 1
        self._progress.advance(1, {"loss": loss})
        if step % self._period == 0:
            seconds = time.monotonic() - self._since
            means = {f"train/{name}": mean for name, mean in steps.means(self._totals).items()}
            speed = {"train/learning_rate": rate, "train/steps_per_second": self._count / seconds}
            self._log.write(step, means | speed)
            self._totals, self._count, self._since = None, 0, time.monotonic()
        self._pending = None
