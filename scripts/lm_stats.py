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
    from analysis import lm_job, lm_page
    from mt5x import config
    from mt5x.studies.results import write_rows

    gin_job.use_data_dir(args.tfds_data_dir)
    config.load(args.gin_file, args.gin_bindings, args.gin_search_paths)
    figures = lm_job.as_stage("lm-stats")
    print(lm_page.page(figures))
    if args.out is None:
        return
    write_rows(args.out, lm_job.rows(figures))
    print(f"the rows are in {args.out}")
