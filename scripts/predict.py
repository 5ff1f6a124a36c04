"""`mt5x predict`: texts in, texts out, as JSON lines."""

import argparse
from typing import Any

from mt5x.errors import UserError
from scripts import gin_job
from scripts.gin_arguments import add_gin_arguments, add_process_arguments

SUMMARY = "decode the texts of a file with a checkpoint"
EXAMPLES = """\
each line of the input is a text, or a JSON object with an "inputs" field; other fields are kept:
  mt5x predict --checkpoint=runs/panx --input=questions.jsonl --output=answers.jsonl
  mt5x predict --checkpoint=runs/panx --input=- --kind=beam --num_decodes=4 --all_decodes
with a gin config instead, which also says how the network lies over many devices:
  mt5x predict --gin_file=t5x_configs/models/mt5_tiny.gin \\
    --gin_file=t5x_configs/runs/predict.gin --gin.CHECKPOINT_PATH=runs/panx \\
    --input=questions.jsonl --output=answers.jsonl
"""

_WITHOUT_GIN = ("vocabulary", "dtype", "batch_size")
_DECODE = ("kind", "num_decodes", "alpha", "temperature", "top_k", "top_p", "max_length", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_gin_arguments(parser)
    add_process_arguments(parser)
    parser.add_argument(
        "--input", required=True, metavar="FILE", help="texts, one a line; - for standard input"
    )
    parser.add_argument(
        "--output", default="-", metavar="FILE", help="where to write JSON lines; - for the screen"
    )
    parser.add_argument(
        "--all_decodes",
        action="store_true",
        help="write all decodes of a text, best first, as 'predictions' and 'scores'",
    )
    group = parser.add_argument_group("without gin")
    group.add_argument(
        "--checkpoint", metavar="DIR", help="a checkpoint of any format, or a run's folder"
    )
    group.add_argument(
        "--vocabulary",
        metavar="NAME",
        help="byt5 or a SentencePiece .model file; by default what lies beside the checkpoint",
    )
    group.add_argument("--dtype", help="float32 or bfloat16; by default the run's")
    group.add_argument("--batch_size", type=int, metavar="N", help="texts decoded together (32)")
    group.add_argument("--kind", help="greedy (the default), beam or sample")
    group.add_argument("--num_decodes", type=int, metavar="N", help="beams (4), or samples (1)")
    group.add_argument("--alpha", type=float, help="beam search's length penalty (0.6, T5X's)")
    group.add_argument("--temperature", type=float, help="of sampling (1)")
    group.add_argument("--top_k", type=int, metavar="K", help="sample from the k likeliest tokens")
    group.add_argument("--top_p", type=float, metavar="P", help="sample from the nucleus of mass p")
    group.add_argument("--max_length", type=int, metavar="N", help="most tokens of a decode (64)")
    group.add_argument("--seed", type=int, metavar="N", help="of sampling (0)")


def run(args: argparse.Namespace) -> None:
    given = _given(args, (*_WITHOUT_GIN, *_DECODE))
    if args.checkpoint is not None:
        if args.multiprocess_gpu or args.coordinator_address:
            raise UserError("several processes need gin files in place of --checkpoint")
        if args.gin_file or args.gin_bindings:
            raise UserError("expected --checkpoint or gin files, got both; leave one out")
        _predict_without_gin(args, given)
        return
    if given:
        raise UserError(
            f"--{next(iter(given))} goes with --checkpoint; with gin files bind the macros of "
            "t5x_configs/runs/predict.gin, as in --gin.DECODE_KIND=beam"
        )
    if not args.gin_file:
        raise UserError(
            "expected --checkpoint=DIR, or --gin_file with a model and a run, got neither"
        )
    gin_job.load(args)
    from mt5x import config, inference

    config.call(
        inference.predict,
        input_file=args.input,
        output_file=args.output,
        all_decodes=args.all_decodes,
    )


def _predict_without_gin(args: argparse.Namespace, given: dict[str, Any]) -> None:
    gin_job.quiet_logs()
    from mt5x import inference, text_files
    from mt5x.decoding import DecodeConfig
    from mt5x.predictor import Predictor

    decode = DecodeConfig(**{name: given[name] for name in _DECODE if name in given})
    records = text_files.read_records(args.input)
    about = {name: given[name] for name in _WITHOUT_GIN if name in given}
    predictor = Predictor(args.checkpoint, decode=decode, **about)
    inference.predict_records(predictor, records, args.output, args.all_decodes)


def _given(args: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    """The arguments that were written on the command line."""
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}
