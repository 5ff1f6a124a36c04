"""`mt5x benchmark input`: packed batches a second, beside a training step on them."""

import argparse
from pathlib import Path
from typing import Any

from scripts.benchmarks import arguments

SUMMARY = "how fast packed batches come, as examples, tokens and a share of a training step"

EXAMPLES = """\
  mt5x benchmark input --mixture panx_train.en --inputs 256 --targets 192
  mt5x benchmark input --mixture panx_train.en panx_train.hi --vocabulary downloads/spiece.model
  mt5x benchmark input --mixture xnli_eval.en --split validation --inputs 384 --targets 16
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mixture", nargs="+", required=True, help="tasks or mixtures to read")
    parser.add_argument("--split", default="train", help="(default: %(default)s)")
    parser.add_argument("--inputs", type=int, default=256, help="tokens (default: %(default)s)")
    parser.add_argument("--targets", type=int, default=128, help="tokens (default: %(default)s)")
    arguments.add_batch_size(parser, 16)
    parser.add_argument(
        "--batches", type=int, default=20, help="batches of a run (default: %(default)s)"
    )
    parser.add_argument(
        "--steps", type=int, default=3, help="training steps; 0 trains none (default: %(default)s)"
    )
    parser.add_argument(
        "--vocabulary", default="sample", help="as VOCABULARY in a config (default: %(default)s)"
    )
    parser.add_argument(
        "--model",
        metavar="GIN_FILE",
        default="t5x_configs/models/mt5_tiny.gin",
        help="what to train (default: %(default)s)",
    )
    parser.add_argument("--data_dir", type=Path, help="TFDS data directory")


def run(args: argparse.Namespace) -> list[Any]:
    """Measures every mixture, and a training step on its batches."""
    from scripts import gin_job

    gin_job.quiet_logs()
    from mt5x import config, models
    from mt5x.benchmarks.input_throughput import measure_input, measure_step
    from mt5x.benchmarks.measurement import OURS, Measurement
    from mt5x.input_pipeline import DatasetConfig
    from tasks import data_dir, vocabulary

    if args.data_dir is not None:
        data_dir.use(args.data_dir)
    rows = vocabulary.of_process(args.vocabulary).vocab_size
    config.load(
        [args.model], [f"VOCABULARY={args.vocabulary}", f"VOCAB_SIZE={-(-rows // 128) * 128}"]
    )
    model = config.call(models.EncoderDecoderModel)
    found = []
    for name in args.mixture:
        dataset = DatasetConfig(
            mixture_or_task_name=name,
            task_feature_lengths={"inputs": args.inputs, "targets": args.targets},
            split=args.split,
            batch_size=args.batch_size,
            shuffle=True,
            pack=True,
        )
        case = f"{name} {args.split}, {args.batch_size} x {args.inputs}/{args.targets}"
        batch = measure_input(dataset, args.batches, args.repeats)
        figures = {
            "examples/s": batch.examples_per_second,
            "tokens/s": batch.tokens_per_second,
            "filled %": 100 * batch.filled,
            "examples/core s": batch.examples_per_processor_second,
            "first batch s": batch.first_seconds,
        }
        found.append(Measurement(case, OURS, batch.run_batch_seconds, figures))
        if args.steps:
            seconds = measure_step(model, dataset, args.steps)
            found.append(Measurement(case, f"step of {Path(args.model).stem}", seconds))
    return found
