"""`mt5x benchmark loss`: the loss over the vocabulary, beside the textbook's."""

import argparse
from typing import Any

from scripts.benchmarks import arguments

SUMMARY = "the loss and its gradients alone, beside all logits and one-hot targets: time, memory"

EXAMPLES = """\
  mt5x benchmark loss
  mt5x benchmark loss --real_targets 4 --against
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    for name, default, what in (
        ("batch_size", 32, "rows of the batch"),
        ("targets", 128, "positions of a row"),
        ("width", 768, "of the hidden states"),
        ("vocabulary", 250112, "columns of the logits"),
    ):
        parser.add_argument(
            f"--{name}", type=int, default=default, help=f"{what} (default: %(default)s)"
        )
    parser.add_argument(
        "--real_targets", type=int, metavar="N", help="positions of a row that are no padding"
    )
    arguments.add_dtype(parser)
    parser.add_argument(
        "--against", nargs="*", choices=("textbook",), default=["textbook"], help="baselines"
    )


def run(args: argparse.Namespace) -> list[Any]:
    """Measures the loss in every variant."""
    from mt5x.benchmarks import loss, step
    from mt5x.errors import UserError

    real = args.targets if args.real_targets is None else args.real_targets
    if not 1 <= real <= args.targets:
        raise UserError(f"expected --real_targets from 1 to {args.targets}, got {real}")
    return loss.measure(
        args.batch_size,
        args.targets,
        args.width,
        args.vocabulary,
        args.dtype,
        real,
        [step.OURS, *args.against],
        args.repeats,
    )
