"""`mt5x benchmark decode`: greedy decoding, beside recomputing keys and values at each step."""

import argparse
from typing import Any

from scripts.benchmarks import arguments

SUMMARY = "greedy decoding, beside recomputing the cross-attention's keys and values at each step"

EXAMPLES = """\
  mt5x benchmark decode
  mt5x benchmark decode --inputs 512 --repeats 5
  mt5x benchmark decode --model mt5_base --dtype bfloat16 --inputs 1024
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model(parser)
    arguments.add_batch_size(parser, 32)
    parser.add_argument("--inputs", type=int, default=128, help="tokens (default: %(default)s)")
    parser.add_argument(
        "--tokens", type=int, default=128, help="decoded of each row (default: %(default)s)"
    )
    arguments.add_dtype(parser)


def run(args: argparse.Namespace) -> list[Any]:
    """Measures both variants."""
    from mt5x.benchmarks import decode
    from scripts import named_model

    model = named_model.load(args.model, [f"DTYPE={args.dtype!r}"])
    return decode.measure(
        model, args.model, args.batch_size, args.inputs, args.tokens, args.repeats
    )
