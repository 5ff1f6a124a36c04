"""`mt5x predict`: texts in, texts out, as JSON lines."""

import argparse

from scripts import gin_job
from scripts.gin_arguments import add_gin_arguments

SUMMARY = "decode the texts of a file with a checkpoint"
EXAMPLES = """\
each line of the input is a text, or a JSON object with an "inputs" field:
  mt5x predict --gin_file=t5x_configs/models/mt5_tiny.gin \\
    --gin_file=t5x_configs/runs/predict.gin --gin.CHECKPOINT_PATH=runs/panx \\
    --input=questions.jsonl --output=answers.jsonl
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_gin_arguments(parser)
    parser.add_argument("--input", required=True, metavar="FILE", help="texts, one a line")
    parser.add_argument(
        "--output", metavar="FILE", help="where to write JSON lines; standard output by default"
    )


def run(args: argparse.Namespace) -> None:
    gin_job.load(args)
    from mt5x import config, inference

    config.call(inference.predict, input_file=args.input, output_file=args.output)
