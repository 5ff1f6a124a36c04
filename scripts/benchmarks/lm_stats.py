"""`mt5x benchmark lm-stats`: LM statistics in batches, beside one example at a time."""

import argparse
from typing import Any

from scripts.benchmarks import arguments

SUMMARY = "LM statistics of made-up text, beside decoding one example at a time"

EXAMPLES = """\
  mt5x benchmark lm-stats
  mt5x benchmark lm-stats --text_tokens 568 --batch_size 16 --num_examples 16
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model(parser)
    parser.add_argument(
        "--text_tokens",
        type=int,
        default=70,
        help="of a sequence before masking: 70 make 64 inputs, 568 make 512 (default: %(default)s)",
    )
    arguments.add_batch_size(parser, 64)
    parser.add_argument(
        "--num_examples", type=int, default=128, help="sequences of a run (default: %(default)s)"
    )
    parser.add_argument(
        "--plain_examples",
        type=int,
        default=8,
        help="sequences of a run of the plain way (default: %(default)s)",
    )
    arguments.add_dtype(parser)


def run(args: argparse.Namespace) -> list[Any]:
    """Measures both ways."""
    from analysis import lm_benchmark
    from scripts import named_model

    model = named_model.load(args.model, [f"DTYPE={args.dtype!r}"])
    return lm_benchmark.compare(
        model,
        args.model,
        args.text_tokens,
        args.num_examples,
        args.plain_examples,
        args.batch_size,
        args.repeats,
    )
