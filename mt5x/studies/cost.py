"""What a study costs before it runs: steps, FLOPs, chip-hours, money and disk of every stage.

  seconds    = training FLOPs / (mfu x peak) + scoring FLOPs / (mfu x peak)
               + decoding FLOPs / (decoding_mfu x peak) + start
  chip-hours = chips x seconds / 3600
  money      = chip-hours x price
  disk       = kept checkpoints x bytes of parameters and optimizer slots

FLOPs are the model's (`flops`); where whole layers are computed again to save memory
(REMAT_POLICY='full') training takes a third more time for the same FLOPs. docs/study_cost.md says
where each figure comes from.
"""

import dataclasses
from collections.abc import Iterable

from mt5x import flops
from mt5x.errors import UserError
from mt5x.step_setting import Setting
from mt5x.studies import workload
from mt5x.studies.accelerators import Accelerator
from mt5x.studies.workload import Workload

# Forward, backward twice: and forward once more.
_RECOMPUTED = 4 / 3


@dataclasses.dataclass(frozen=True)
class Assumptions:
    """What a prediction rests on besides the stages themselves; all of it is said with the figures.

    Attributes:
      mfu: share of the devices' peak that training and scoring reach, `timing/mfu` of a run.
      decoding_mfu: the same of decoding, which waits for memory and not for products.
      start_minutes: from a job's start to its first step: imports, reading, compiling.
      price: US dollars per chip-hour; None takes the list price.
      device_teraflops: peak of one device; None takes the data sheet's.
    """

    mfu: float = 0.30
    decoding_mfu: float = 0.02
    start_minutes: float = 3.0
    price: float | None = None
    device_teraflops: float | None = None

    def __post_init__(self) -> None:
        """Refuses what cannot be."""
        for flag, value in (("--mfu", self.mfu), ("--decoding_mfu", self.decoding_mfu)):
            if not 0 < value <= 1:
                raise UserError(f"{flag}={value} must be above 0 and at most 1, such as 0.3")
        for flag, amount in (
            ("--start_minutes", self.start_minutes),
            ("--price", self.price),
            ("--device_teraflops", self.device_teraflops),
        ):
            if amount is not None and amount < 0:
                raise UserError(f"{flag}={amount} must not be negative")

    def price_of(self, accelerator: Accelerator) -> float | None:
        """US dollars per chip-hour, or None."""
        return accelerator.price if self.price is None else self.price

    def peak_of(self, accelerator: Accelerator) -> float | None:
        """FLOP/s of all devices together, or None."""
        if self.device_teraflops:
            return accelerator.devices * self.device_teraflops * 1e12
        return accelerator.flops


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a stage, or several, take; they add up.

    Attributes:
      jobs: stages that use devices.
      steps: training steps.
      training_flops: model FLOPs of training.
      evaluation_flops: model FLOPs of scoring and decoding.
      hours: of all devices working together, start-ups included; None where their peak is unknown.
      chip_hours: what is paid for; None likewise.
      dollars: None where the price is unknown, too.
      disk: bytes of checkpoints.
    """

    jobs: int = 0
    steps: int = 0
    training_flops: float = 0.0
    evaluation_flops: float = 0.0
    hours: float | None = 0.0
    chip_hours: float | None = 0.0
    dollars: float | None = 0.0
    disk: int = 0

    @property
    def flops(self) -> float:
        """All model FLOPs."""
        return self.training_flops + self.evaluation_flops

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            jobs=self.jobs + other.jobs,
            steps=self.steps + other.steps,
            training_flops=self.training_flops + other.training_flops,
            evaluation_flops=self.evaluation_flops + other.evaluation_flops,
            hours=_sum(self.hours, other.hours),
            chip_hours=_sum(self.chip_hours, other.chip_hours),
            dollars=_sum(self.dollars, other.dollars),
            disk=self.disk + other.disk,
        )


def total(costs: Iterable[Cost]) -> Cost:
    """The sum; one stage after another."""
    return sum(costs, Cost())


def of_stage(
    work: Workload,
    accelerator: Accelerator,
    assumptions: Assumptions = Assumptions(),
    setting: Setting | None = None,
) -> Cost:
    """Predicts what a stage takes.

    Args:
      work: what it computes.
      accelerator: where it runs.
      assumptions: what the prediction rests on.
      setting: how it fits there (`fitting.fitted`); None computes nothing again.
    """
    if work.model is None:
        return Cost()
    lengths = work.inputs, work.targets
    config = work.model.module.config

    def tokens(rows: int) -> tuple[int, int, int, int]:
        return rows * work.inputs, rows * work.targets, *lengths

    training = flops.training_flops(config, *tokens(work.steps * work.batch_size))
    scoring = flops.forward_flops(config, *tokens(work.scored))
    decoding = flops.decoding_flops(config, *tokens(work.decoded), hypotheses=work.hypotheses)
    again = _RECOMPUTED if setting is not None and setting.remat_policy == "full" else 1.0
    hours = chip_hours = dollars = None
    peak = assumptions.peak_of(accelerator)
    if peak is not None:
        seconds = (again * training + scoring) / (assumptions.mfu * peak)
        seconds += decoding / (assumptions.decoding_mfu * peak)
        hours = seconds / 3600 + assumptions.start_minutes / 60
        chip_hours = accelerator.chips * hours
        price = assumptions.price_of(accelerator)
        dollars = None if price is None else chip_hours * price
    return Cost(
        jobs=1,
        steps=work.steps,
        training_flops=training,
        evaluation_flops=scoring + decoding,
        hours=hours,
        chip_hours=chip_hours,
        dollars=dollars,
        disk=work.checkpoints * workload.checkpoint_bytes(work.model),
    )


def _sum(first: float | None, second: float | None) -> float | None:
    """None where one of them is not known."""
    return None if first is None or second is None else first + second
