"""`mt5x evaluate`: scores a checkpoint on every task of a mixture, each example once."""

import argparse

from scripts import gin_job
from scripts.gin_arguments import add_gin_arguments, add_process_arguments

SUMMARY = "score a checkpoint in every language of a mixture"
EXAMPLES = """\
  mt5x evaluate --gin_file=t5x_configs/models/mt5_tiny.gin \\
    --gin_file=t5x_configs/runs/evaluate.gin \\
    --gin_file=t5x_configs/experiments/panx_zeroshot.gin \\
    --gin.CHECKPOINT_PATH=runs/panx --gin.EVAL_OUTPUT_DIR=runs/panx/evaluation
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_gin_arguments(parser)
    add_process_arguments(parser)


def run(args: argparse.Namespace) -> None:
    gin_job.load(args)
    import jax

    from mt5x import config, inference

    scores = config.call(inference.evaluate)
    if jax.process_index() != 0:
        return
    metrics = list(dict.fromkeys(name for one in scores for name in one.metrics))
    width = max(len(one.task) for one in scores)
    print("  ".join(["task".ljust(width), "examples", *(f"{name:>10}" for name in metrics)]))
    for one in scores:
        values = (f"{one.metrics.get(name, float('nan')):10.2f}" for name in metrics)
        print("  ".join([one.task.ljust(width), f"{one.num_examples:8}", *values]))
