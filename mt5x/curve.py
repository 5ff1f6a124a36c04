"""The curves of a training run, from the metrics of its steps."""

import dataclasses
import operator
from typing import NoReturn

import jax

from mt5x import anomaly, steps
from mt5x.anomaly import LossLevel, SpikeRule
from mt5x.batch_stream import NumberedBatch
from mt5x.metrics_log import MetricsLog
from mt5x.progress import Progress
from mt5x.stopped_run import Anomaly
from mt5x.throughput import Throughput


@dataclasses.dataclass(frozen=True)
class _Step:
    """A step whose metrics may still be on their way, and what it was made of."""

    number: int
    metrics: steps.Metrics
    rate: float
    batch: NumberedBatch


class Curve:
    """Sums the metrics of the steps, logs their means, and stops a run that goes wrong.

    It reads a step's metrics when the next step is under way, so that the device never waits.

    Args:
      log: where the means go.
      progress: where a person sees the loss.
      throughput: measures the speed.
      period: steps from one entry of the log to the next.
      spikes: what counts as a loss spike.
      skips_nan_updates: the optimizer leaves NaN out, which then stops nothing.
    """

    def __init__(
        self,
        log: MetricsLog,
        progress: Progress,
        throughput: Throughput,
        period: int,
        spikes: SpikeRule,
        skips_nan_updates: bool = False,
    ):
        self._log, self._progress, self._period = log, progress, period
        self._throughput, self._level = throughput, LossLevel(spikes)
        self._skips_nan_updates = skips_nan_updates
        self._pending: _Step | None = None
        self._last: _Step | None = None
        # The last step whose loss was not high, and the first whose loss is, for their batches.
        self._since: list[_Step] = []
        self._totals: steps.Metrics | None = None

    def add(self, step: int, metrics: steps.Metrics, rate: float, batch: NumberedBatch) -> None:
        """Takes a step's metrics, still being computed, and reads those of the step before.

        Raises:
          Anomaly: the step before must not be built upon.
        """
        self._read_pending()
        self._pending = _Step(step, metrics, rate, batch)
        self._throughput.start()

    def flush(self) -> None:
        """Reads and logs what is left; what follows is not training, so the clock stops.

        Raises:
          Anomaly: the last step must not be built upon.
        """
        self._read_pending()
        self._throughput.stop()

    def finish(self) -> None:
        """Logs the steps since the last entry: the run is at its end.

        Raises:
          Anomaly: the last step must not be built upon.
        """
        self.flush()
        if self._last is not None:
            self._write(self._last.number, self._last.rate)

    def _read_pending(self) -> None:
        if self._pending is None:
            return
        step = self._last = self._pending
        self._pending = None
        metrics = jax.device_get(step.metrics)
        means = steps.means(metrics)
        self._refuse_anomaly(step, means)
        if anomaly.not_finite(means) is None:
            totals = self._totals
            both = jax.tree.map(operator.add, totals or metrics, metrics)
            self._totals = both if totals else metrics
        self._throughput.count(metrics, step.batch.features)
        speed = self._throughput.tokens_per_second
        self._progress.advance(1, {"loss": means["loss"], "tokens/s": speed})
        if step.number % self._period == 0:
            self._write(step.number, step.rate)

    def _write(self, step: int, rate: float) -> None:
        if self._totals is None:
            return
        figures = {f"train/{name}": mean for name, mean in steps.means(self._totals).items()}
        figures["train/learning_rate"] = rate
        self._log.write(step, figures | self._throughput.read())
        self._totals = None

    def _refuse_anomaly(self, step: _Step, means: dict[str, float]) -> None:
        what = anomaly.not_finite(means, self._skips_nan_updates)
        if what is None:
            self._level.add(means["loss"])
        high = self._level.high
        if high is None:
            self._since = [step]
        elif what is None and high.steps == 1:
            # The step before is in it: its update may be what the loss is high of.
            self._since.append(step)
        if high is not None and (what is not None or self._level.is_spike):
            first, batches = self._since[-1].number, [one.batch for one in self._since]
            words = str(high) if what is None else f"{what} after {high}"
            self._stop(Anomaly(words, step.number, first, batches, step.batch.number), step)
        if what is not None:
            self._stop(Anomaly(what, step.number, step.number, [step.batch]), step)

    def _stop(self, found: Anomaly, step: _Step) -> NoReturn:
        # What led to it is worth most.
        self._write(step.number - 1, step.rate)
        raise found
