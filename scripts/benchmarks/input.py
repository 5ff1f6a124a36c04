"""`mt5x benchmark input`: packed batches a second, beside a training step on them."""

import argparse
from pathlib import Path

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
    parser.add_argument(
        "--batch_size", type=int, default=16, help="rows of a batch (default: %(default)s)"
    )
    parser.add_argument(
        "--batches", type=int, default=20, help="batches of a run (default: %(default)s)"
    )
    parser.add_argument(
        "--repeats", type=int, default=5, help="runs, whose median is shown (default: %(default)s)"
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


def run(args: argparse.Namespace) -> None:
    from scripts import gin_job

    gin_job.quiet_logs()
    from mt5x import config, models
    from mt5x.benchmarks.input_throughput import measure_input, measure_step
    from mt5x.input_pipeline import DatasetConfig
    from tasks import data_dir, vocabulary

    if args.data_dir is not None:
        data_dir.use(args.data_dir)
    rows = vocabulary.of_process(args.vocabulary).vocab_size
    config.load(
        [args.model], [f"VOCABULARY={args.vocabulary}", f"VOCAB_SIZE={-(-rows // 128) * 128}"]
    )
    model = config.call(models.EncoderDecoderModel)
    width = max(map(len, args.mixture))
    print(
        f"{'':{width}}  {'examples/s':>10}  {'tokens/s':>10}  {'filled':>6}  {'batch ms':>8}  "
        f"{'step ms':>8}  {'share of step':>13}  {'examples/core s':>15}  {'first s':>7}"
    )
    for name in args.mixture:
        dataset = DatasetConfig(
            mixture_or_task_name=name,
            task_feature_lengths={"inputs": args.inputs, "targets": args.targets},
            split=args.split,
            batch_size=args.batch_size,
            shuffle=True,
            pack=True,
        )
        found = measure_input(dataset, args.batches, args.repeats)
        step, share = "", ""
        if args.steps:
            seconds = measure_step(model, dataset, args.steps)
            step, share = f"{1000 * seconds:.0f}", f"{100 * found.batch_seconds / seconds:.1f}%"
        print(
            f"{name:{width}}  {found.examples_per_second:>10,.0f}  "
            f"{found.tokens_per_second:>10,.0f}  {100 * found.filled:>5.1f}%  "
            f"{1000 * found.batch_seconds:>8.1f}  {step:>8}  {share:>13}  "
            f"{found.examples_per_processor_second:>15,.0f}  {found.first_seconds:>7.1f}"
        )
    print(
        f"\n{args.split}, {args.batch_size} rows of {args.inputs} inputs and {args.targets} "
        f"targets, {args.vocabulary}; medians of {args.repeats} runs of {args.batches} batches; "
        f"step: {args.model}"
    )
