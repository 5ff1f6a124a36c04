"""The predicted cost of a whole study, stage by stage, and as text."""

import dataclasses
from collections.abc import Mapping, Sequence

from mt5x import config
from mt5x.step_setting import Setting
from mt5x.studies import cost, fitting, workload
from mt5x.studies.accelerators import Accelerator
from mt5x.studies.cost import Assumptions, Cost
from mt5x.studies.stage import Stage, gin_bindings
from mt5x.studies.workload import Reader, Workload


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What one stage will take.

    Attributes:
      stage: the stage.
      work: what it computes.
      setting: how it fits the accelerator; None where it uses no device.
      cost: what it takes.
    """

    stage: Stage
    work: Workload
    setting: Setting | None
    cost: Cost


def of_stages(
    stages: Sequence[Stage],
    accelerator: Accelerator,
    assumptions: Assumptions = Assumptions(),
    reader: Reader = Reader(),
) -> list[Forecast]:
    """Predicts every stage of a study.

    Args:
      stages: parents first.
      accelerator: where all of them run.
      assumptions: what the prediction rests on.
      reader: counts what is evaluated.

    Raises:
      UserError: a stage does not fit the accelerator; or its config says too little.
    """
    return of_works(stages, read(stages, reader), accelerator, assumptions)


def read(stages: Sequence[Stage], reader: Reader = Reader()) -> dict[str, Workload]:
    """What every stage computes, by its name; loads the config of each, one after another."""
    works: dict[str, Workload] = {}
    for stage in stages:
        work = workload.NOTHING
        if stage.kind in workload.ON_DEVICES:
            folders = {name: name for name in (*stage.parents, "folder")}
            bindings = gin_bindings(stage.macros, folders)
            config.load(stage.gin_files, [*bindings, workload.WITHOUT_VOCABULARY])
            work = reader.of_loaded_config(stage.kind, [works[name] for name in stage.parents])
        works[stage.name] = work
    return works


def of_works(
    stages: Sequence[Stage],
    works: Mapping[str, Workload],
    accelerator: Accelerator,
    assumptions: Assumptions = Assumptions(),
) -> list[Forecast]:
    """Predicts stages whose work was read, on one accelerator of several that are compared."""
    forecasts = []
    for stage in stages:
        work = works[stage.name]
        setting = fitting.fitted(stage.name, work, accelerator)
        taken = cost.of_stage(work, accelerator, assumptions, setting)
        forecasts.append(Forecast(stage, work, setting, taken))
    return forecasts


def page(
    forecasts: Sequence[Forecast],
    accelerator: Accelerator,
    assumptions: Assumptions = Assumptions(),
    each: bool = False,
) -> str:
    """The forecast as text: a table, its total, and what it rests on.

    Args:
      forecasts: what is predicted.
      accelerator: where.
      assumptions: on what.
      each: a line for each stage; otherwise one for those of a kind and task together.
    """
    groups: dict[str, list[Cost]] = {}
    for one in forecasts:
        if one.work.model is not None:
            stage = one.stage
            name = stage.name if each else f"{stage.kind} {stage.task}"
            groups.setdefault(name, []).append(one.cost)
    sums = {name: cost.total(costs) for name, costs in groups.items()}
    rows = [_HEAD, *(_row(name, one) for name, one in sums.items())]
    rows.append(_row("total", cost.total(one.cost for one in forecasts)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", _basis(forecasts, accelerator, assumptions)])


_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")
_HEAD = ("stages", "jobs", "steps", "FLOP", "evaluation", "hours", "chip-hours", "$", "bytes")


def _row(name: str, one: Cost) -> tuple[str, ...]:
    share = one.evaluation_flops / one.flops if one.flops else 0.0
    return (
        name,
        f"{one.jobs:,}",
        f"{one.steps:,}",
        _scaled(one.flops),
        f"{share:.0%}",
        _or_dash(one.hours),
        _or_dash(one.chip_hours),
        _or_dash(one.dollars),
        _scaled(one.disk),
    )


def _or_dash(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:,.2f}"


def _scaled(figure: float) -> str:
    """Three digits and a prefix: '82.4 P' for 8.24e16."""
    power = min(max(0, (len(f"{figure:.0f}") - 1) // 3), len(_PREFIXES) - 1)
    return f"{figure / 1000**power:.3g} {_PREFIXES[power]}".rstrip()


def _basis(
    forecasts: Sequence[Forecast], accelerator: Accelerator, assumptions: Assumptions
) -> str:
    peak, price = assumptions.peak_of(accelerator), assumptions.price_of(accelerator)
    if peak is None:
        speed = f"no peak is known of {accelerator.kind}: give --device_teraflops for hours"
    else:
        speed = (
            f"{accelerator.chips} chips, {peak / 1e12:,.0f} TFLOP/s, of which "
            f"{assumptions.mfu:.0%} in training and scoring and "
            f"{assumptions.decoding_mfu:.0%} in decoding; "
            f"{assumptions.start_minutes:g} minutes to start a job"
        )
    paid = "no price is known: give --price" if price is None else f"${price:g} a chip-hour"
    lines = [f"{accelerator.name}: {speed}", f"{paid}; stages one after another"]
    for settings, names in _settings(forecasts).items():
        lines.append(f"fits with {settings}: {names}")
    return "\n".join(lines)


def _settings(forecasts: Sequence[Forecast]) -> Mapping[str, str]:
    """Gin bindings that stages need beyond their config to fit, and whose they are."""
    found: dict[str, dict[str, None]] = {}
    for one in forecasts:
        needed = [] if one.setting is None else fitting.bindings(one.work, one.setting)
        if needed:
            kind = f"{one.stage.kind} {one.stage.task}"
            found.setdefault(" ".join(needed), {})[kind] = None
    return {settings: ", ".join(kinds) for settings, kinds in found.items()}
