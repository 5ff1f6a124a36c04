"""`mt5x train`: pretrains or fine-tunes, or resumes the run that MODEL_DIR holds."""

import argparse

from scripts import gin_job
from scripts.gin_arguments import add_gin_arguments, add_process_arguments

SUMMARY = "pretrain or fine-tune a model, or resume a run"
EXAMPLES = """\
fine-tune a tiny mT5 on English PANX and evaluate it in every language:
  mt5x train --gin_file=t5x_configs/models/mt5_tiny.gin \\
    --gin_file=t5x_configs/runs/finetune.gin \\
    --gin_file=t5x_configs/experiments/panx_zeroshot.gin --gin.MODEL_DIR=runs/panx

the same for a quarter of an hour on a laptop:
  ... --gin.TRAIN_STEPS_RELATIVE=500 --gin.BATCH_SIZE=32 --gin.EVAL_PERIOD=500
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_gin_arguments(parser)
    add_process_arguments(parser)


def run(args: argparse.Namespace) -> None:
    gin_job.load(args)
    from mt5x import config, train_loop

    result = config.call(train_loop.train)
    if result.stopped_early is not None:
        print(f"stopped early: {result.stopped_early}")
    print(f"trained to step {result.step}: {result.checkpoint}")
    if result.best is not None:
        print(f"best checkpoint: {result.best}, also as {result.best.with_name('best')}")
