"""`mt5x benchmark evaluation`: labels scored in all languages at once, and the textbook's way."""

import argparse
from pathlib import Path
from typing import Any

from scripts.benchmarks import arguments

SUMMARY = "evaluation of a task in many languages, beside padded greedy decoding, one at a time"

EXAMPLES = """\
  mt5x benchmark evaluation
  mt5x benchmark evaluation --mixture xnli_zeroshot --vocabulary downloads/spiece.model
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_model(parser)
    parser.add_argument(
        "--mixture", help="with closed sets of labels; without it, random tokens as long as XNLI's"
    )
    parser.add_argument("--split", default="validation", help="(default: %(default)s)")
    parser.add_argument("--vocabulary", help="as VOCABULARY in a config (default: the model's)")
    parser.add_argument("--data_dir", type=Path, help="TFDS data directory")
    parser.add_argument(
        "--num_examples",
        type=int,
        default=32,
        metavar="N",
        help="of each language (default: %(default)s)",
    )
    arguments.add_batch_size(parser, 32)
    parser.add_argument(
        "--padded",
        type=int,
        nargs="*",
        default=[1024, 231],
        metavar="TOKENS",
        help="what the textbook pads inputs to: 1024 in mT5's recipe, 231 the longest of XNLI's "
        "validation inputs, which T5X takes where no length is set (default: %(default)s)",
    )
    parser.add_argument(
        "--padded_batches",
        type=int,
        default=1,
        metavar="N",
        help="batches that the textbook is timed on (default: %(default)s)",
    )
    arguments.add_dtype(parser)


def run(args: argparse.Namespace) -> list[Any]:
    """Measures ours and the textbook's way at each padded length."""
    from mt5x.benchmarks import evaluation
    from scripts import named_model

    bindings = [f"DTYPE={args.dtype!r}"]
    if args.mixture is None:
        model = named_model.load(args.model, bindings)
        size = model.module.config.vocab_size
        languages = evaluation.like_xnli(15, args.num_examples, size)
        labels, vocabulary, what = evaluation.XNLI_LABELS, evaluation.Digits(), "as long as XNLI's"
    else:
        languages, labels, vocabulary = _read(args)
        model = named_model.load(args.model, bindings)
        what = f"{args.mixture} {args.split}"
    return evaluation.measure(
        model,
        f"{args.model}, {what}",
        languages,
        labels,
        vocabulary,
        args.batch_size,
        args.padded,
        args.padded_batches,
        args.repeats,
    )


def _read(args: argparse.Namespace) -> tuple[Any, Any, Any]:
    """The inputs of each task of the mixture, the labels of all, and their vocabulary."""
    from scripts import gin_job

    gin_job.quiet_logs()
    from mt5x import input_pipeline
    from mt5x.errors import UserError
    from tasks import catalogue, data_dir
    from tasks import vocabulary as vocabularies

    if args.data_dir is not None:
        data_dir.use(args.data_dir)
    if args.vocabulary is not None:
        vocabularies.choose(args.vocabulary)
    tasks = input_pipeline.tasks_with_split(args.mixture, args.split)
    sets = {catalogue.labels(task.name) for task in tasks}
    if len(sets) != 1 or None in sets:
        raise UserError(
            f"expected a mixture whose tasks share one closed set of labels, got {args.mixture}; "
            "take one such as xnli_zeroshot"
        )
    languages = [
        input_pipeline.evaluation_examples(task, args.split, None, False, args.num_examples).inputs
        for task in tasks
    ]
    return languages, sets.pop(), tasks[0].output_features["targets"].vocabulary
