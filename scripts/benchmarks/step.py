"""`mt5x benchmark step`: a training step, beside the textbook's and Hugging Face's."""

import argparse
import sys
from typing import Any

from scripts.benchmarks import arguments

SUMMARY = "a training step, beside T5X's way and Hugging Face PyTorch's: tokens per second and MFU"

EXAMPLES = """\
  mt5x benchmark step
  mt5x benchmark step --batch_size 32 --real_inputs 60 --real_targets 2
  mt5x benchmark step --model mt5_base --dtype bfloat16 --inputs 1024 --packed 4 --in_a_row 10
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model(parser)
    arguments.add_batch_size(parser, 8)
    parser.add_argument("--inputs", type=int, default=128, help="tokens (default: %(default)s)")
    parser.add_argument("--targets", type=int, default=32, help="tokens (default: %(default)s)")
    parser.add_argument(
        "--real_inputs", type=int, metavar="N", help="fill N of a row's inputs, pad the rest"
    )
    parser.add_argument(
        "--real_targets", type=int, metavar="N", help="fill N of a row's targets, pad the rest"
    )
    parser.add_argument(
        "--packed", type=int, default=1, metavar="N", help="pack N examples into each row"
    )
    parser.add_argument(
        "--in_a_row",
        type=int,
        default=1,
        metavar="N",
        help="begin N steps before waiting for them, as training does (default: %(default)s)",
    )
    arguments.add_dtype(parser)
    parser.add_argument("--optimizer", choices=("Adafactor", "AdamW"), default="Adafactor")
    parser.add_argument(
        "--gin", action="append", default=[], metavar="BINDING", help="such as REMAT_POLICY='full'"
    )
    parser.add_argument(
        "--against",
        nargs="*",
        choices=("textbook", "huggingface"),
        help="baselines (default: those that can run)",
    )


def run(args: argparse.Namespace) -> list[Any]:
    """Measures the step in every variant."""
    from mt5x.benchmarks import huggingface, step
    from scripts import named_model

    bindings = [f"DTYPE={args.dtype!r}", f"OPTIMIZER=@optimizers.{args.optimizer}()", *args.gin]
    model = named_model.load(args.model, bindings)
    shape = step.Shape(
        args.batch_size, args.inputs, args.targets, args.real_inputs, args.real_targets, args.packed
    )
    against = args.against
    if against is None:
        against = [step.TEXTBOOK, step.HUGGING_FACE]
        if not huggingface.can_run():
            against.remove(step.HUGGING_FACE)
            print("huggingface is left out: it needs torch and transformers", file=sys.stderr)
    variants = [step.OURS, *against]
    return step.measure(model, args.model, shape, variants, args.repeats, args.in_a_row)
