"""The part of `mt5x study plan` that says what a study costs on an accelerator."""

import argparse
import dataclasses
from collections.abc import Sequence
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the accelerator and what a prediction rests on."""
    cost = parser.add_argument_group("predicted cost (plan)")
    cost.add_argument(
        "--accelerator",
        metavar="NAME",
        help="where it would run: v5e-8, v5p-64, h200, cpu-2",
    )
    cost.add_argument(
        "--mfu", type=float, metavar="SHARE", help="of the peak, in training and scoring (0.3)"
    )
    cost.add_argument(
        "--decoding_mfu", type=float, metavar="SHARE", help="of the peak, in decoding (0.02)"
    )
    cost.add_argument(
        "--start_minutes", type=float, metavar="N", help="until a job's first step (3)"
    )
    cost.add_argument(
        "--price", type=float, metavar="DOLLARS", help="per chip-hour; the list price by default"
    )
    cost.add_argument(
        "--device_teraflops", type=float, metavar="N", help="peak of a device; the data sheet's"
    )
    cost.add_argument(
        "--assumed_examples",
        type=int,
        default=5000,
        metavar="N",
        help="examples of a test set that is not on this disk (5000)",
    )
    cost.add_argument("--each", action="store_true", help="a line for each stage")


def page(stages: Sequence[Any], args: argparse.Namespace, data_dir: str | None) -> str:
    """Returns what the stages (`plan.Stage`) cost, as text.

    Raises:
      UserError: an accelerator or a figure that cannot be, or a stage that does not fit.
    """
    from mt5x.studies import accelerators, forecast
    from mt5x.studies.cost import Assumptions
    from mt5x.studies.workload import Reader
    from tasks import data_dir as data

    if data_dir:
        data.use(data_dir)
    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(Assumptions)}
    assumptions = Assumptions(**{name: value for name, value in given.items() if value is not None})
    accelerator = accelerators.named(args.accelerator)
    reader = Reader(_examples_on_disk, args.assumed_examples)
    found = forecast.of_stages(stages, accelerator, assumptions, reader)
    return forecast.page(found, accelerator, assumptions, args.each)


def _examples_on_disk(task: str, split: str) -> int | None:
    """The number of a task's examples, where its data is on this disk."""
    import seqio

    from tasks.inspection import lookup

    return lookup.sizes(seqio.TaskRegistry.get(task)).get(split)
