"""`mt5x benchmark decode`: greedy decoding, beside recomputing keys and values at each step."""

import argparse
from typing import Any

SUMMARY = "greedy decoding, beside recomputing the cross-attention's keys and values at each step"

EXAMPLES = """\
  mt5x benchmark decode
  mt5x benchmark decode --inputs 512 --repeats 5
  mt5x benchmark decode --model mt5_base --dtype bfloat16 --inputs 1024
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", default="mt5_small", help="a file of t5x_configs/models (default: %(default)s)"
    )
    parser.add_argument(
        "--batch_size", type=int, default=32, help="rows of a batch (default: %(default)s)"
    )
    parser.add_argument("--inputs", type=int, default=128, help="tokens (default: %(default)s)")
    parser.add_argument(
        "--tokens", type=int, default=128, help="decoded of each row (default: %(default)s)"
    )
    parser.add_argument(
        "--dtype", default="float32", help="float32 or bfloat16 (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> list[Any]:
    """Measures both variants."""
    from mt5x.benchmarks import decode
    from scripts import named_model

    model = named_model.load(args.model, [f"DTYPE={args.dtype!r}"])
    return decode.measure(
        model, args.model, args.batch_size, args.inputs, args.tokens, args.repeats
    )
