"""`mt5x lm-stats`: LM(L) and LM_EM(L) of a checkpoint, language by language."""

import argparse

from scripts import gin_job
from scripts.gin_arguments import add_gin_arguments

SUMMARY = "measure how well a pretrained checkpoint fills the gaps of each language's text"
EXAMPLES = """\
  mt5x lm-stats --gin_file=t5x_configs/models/mt5_tiny.gin \\
    --gin_file=t5x_configs/runs/lm_statistics.gin --gin.CHECKPOINT_PATH=runs/pretrained \\
    --gin.LANGUAGES="['en', 'fi']" --gin.TASK_FEATURE_LENGTHS="{'inputs': 64, 'targets': 32}" \\
    --out runs/lm_statistics.jsonl
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `mt5x lm-stats`."""
    add_gin_arguments(parser)
    parser.add_argument(
        "--out", metavar="FILE", help="also write the statistics as result rows, for `mt5x report`"
    )


def run(args: argparse.Namespace) -> None:
    """Prints a line per language, and writes the rows if asked to."""
    from analysis import lm_job
    from analysis.transfer import LM_TASK
    from mt5x import config
    from mt5x.run_record import environment
    from mt5x.studies.results import ResultRow, write_rows

    gin_job.use_data_dir(args.tfds_data_dir)
    config.load(args.gin_file, args.gin_bindings, args.gin_search_paths)
    figures = lm_job.as_stage("lm-stats")
    print(
        f"{'language':<8}  {'sequences':>9}  {'lm_nll':>7}  {'lm_em %':>7}  {'lm_token_em %':>13}"
    )
    for language, one in figures.items():
        print(
            f"{language:<8}  {int(one['num_examples']):>9}  {one['lm_nll']:>7.4f}  "
            f"{one['lm_em']:>7.2f}  {one['lm_token_em']:>13.2f}"
        )
    if args.out is None:
        return
    split = config.macro("SPLIT", "validation")
    record = {**environment(), "checkpoint": config.macro("CHECKPOINT_PATH")}
    rows = [
        ResultRow(
            study="lm-stats",
            stage="lm_statistics",
            seed=0,
            task=LM_TASK,
            source=None,
            target=language,
            split=split,
            metric=metric,
            value=one[metric],
            num_examples=int(one["num_examples"]),
            step=int(one["step"]),
            provenance=record,
        )
        for language, one in figures.items()
        for metric in ("lm_nll", "lm_em", "lm_token_em")
    ]
    write_rows(args.out, rows)
    print(f"the rows are in {args.out}")
