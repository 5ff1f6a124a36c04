"""`mt5x benchmark checkpoint`: how fast a training state is saved and restored."""

import argparse
import statistics
from pathlib import Path
from typing import Any

from scripts.benchmarks import arguments

SUMMARY = "how fast a training state is saved and restored, and how long saving holds a run up"

EXAMPLES = """\
  mt5x benchmark checkpoint --model mt5_small
  mt5x benchmark checkpoint --model mt5_base --folder runs
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model(parser)
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where to save (default: for temporary files)"
    )


def run(args: argparse.Namespace) -> list[Any]:
    """Measures the three, each as a variant of one case."""
    from mt5x.benchmarks import checkpoint_speed
    from mt5x.benchmarks.measurement import Measurement
    from scripts import gin_job, named_model

    gin_job.quiet_logs()
    model = named_model.load(args.model)
    found = checkpoint_speed.measure(model, args.repeats, args.folder)
    case = f"{args.model}, {found.nbytes / 2**30:.2f} GiB of state"
    kinds = {
        "save, whole": found.save,
        "save, the run waits": found.held_up,
        "restore": found.restore,
    }
    return [
        Measurement(case, kind, seconds, {"GB/s": found.nbytes / 1e9 / statistics.median(seconds)})
        for kind, seconds in kinds.items()
    ]
