"""When a run goes wrong: figures that are no numbers, and a loss that has left its level.

A spike is a loss that stays above FACTOR times the median of the steps before it, and above that
by FLOOR nats at least, for STEPS steps in a row. The median does not follow the spike, and one
hard batch, or nine, is none; so small batches do not stop a run, nor does a loss near zero that
doubles.
"""

import collections
import dataclasses
import math
import statistics
from collections.abc import Mapping

from mt5x.errors import UserError

# What must be finite after each step. The last is of the parameters that would be saved.
_WATCHED = (
    ("loss", "loss"),
    ("weight_gradient_norm", "gradient norm"),
    ("weight_norm", "parameter norm"),
)


@dataclasses.dataclass(frozen=True)
class SpikeRule:
    """What counts as a loss spike.

    Attributes:
      factor: times the median loss that a spike exceeds; None looks for none.
      floor: nats a token that it exceeds that by.
      steps: consecutive steps that must all be so high.
      window: steps before it whose median is the level; with fewer, nothing is a spike.

    Raises:
      UserError: a value with which the rule has no meaning.
    """

    factor: float | None = 2.0
    floor: float = 1.0
    steps: int = 10
    window: int = 100

    def __post_init__(self) -> None:
        """Refuses what cannot be meant."""
        if self.factor is not None and not self.factor >= 1.0:
            raise UserError(
                f"LOSS_SPIKE_FACTOR must be 1 or more, or None to look for no spike, "
                f"not {self.factor}"
            )
        if not self.floor >= 0.0:
            raise UserError(f"LOSS_SPIKE_FLOOR must be 0 nats or more, not {self.floor}")
        for name, value in (("STEPS", self.steps), ("WINDOW", self.window)):
            if value < 1:
                raise UserError(f"LOSS_SPIKE_{name} must be 1 or more, not {value}")


@dataclasses.dataclass(frozen=True)
class High:
    """A loss that is too high, perhaps for a moment.

    Attributes:
      steps: for how many steps.
      level: the median loss before them.
      limit: the loss that they all exceeded.
    """

    steps: int
    level: float
    limit: float

    def __str__(self) -> str:
        return f"the loss was above {self.limit:.4g} (median before: {self.level:.4g})"


class LossLevel:
    """Follows the loss and finds where it leaves its level for good.

    Args:
      rule: what counts as a spike.
    """

    def __init__(self, rule: SpikeRule):
        self._rule = rule
        self._normal: collections.deque[float] = collections.deque(maxlen=rule.window)
        self._too_high: list[float] = []
        self.high: High | None = None

    @property
    def is_spike(self) -> bool:
        """Whether the loss has been high for so long that it is one."""
        return self.high is not None and self.high.steps >= self._rule.steps

    def add(self, loss: float) -> None:
        """Takes the loss of the next step."""
        rule = self._rule
        if rule.factor is None or len(self._normal) < rule.window:
            self._normal.append(loss)
            return
        level = statistics.median(self._normal)
        limit = rule.factor * level + rule.floor
        if loss > limit:
            self._too_high.append(loss)
            self.high = High(len(self._too_high), level, limit)
            return
        # What was high for a while was noise, and belongs to the level.
        self._normal.extend([*self._too_high, loss])
        self._too_high, self.high = [], None


def not_finite(metrics: Mapping[str, float], skips_nan_updates: bool = False) -> str | None:
    """Says which watched figure is NaN or infinite, as 'the loss is nan'; None if none is.

    Args:
      metrics: a step's figures by name.
      skips_nan_updates: the optimizer leaves NaN out, so that only the parameters must be finite.
    """
    for name, words in _WATCHED[-1:] if skips_nan_updates else _WATCHED:
        if not math.isfinite(metrics[name]):
            return f"the {words} is {metrics[name]}"
    return None
