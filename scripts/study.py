"""`mt5x study`: runs a declared study, finished stages aside, and writes its report."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts import gin_job, study_cost
from scripts.gin_arguments import add_gin_arguments

SUMMARY = "run a whole study: its stages, result table and report"
EXAMPLES = """\
  mt5x study run t5x_configs/studies/quickstart.gin
  mt5x study run t5x_configs/studies/quickstart.gin --gin.Study.data_dir=runs/other_world \\
    --gin.Study.output_dir=runs/other
  mt5x study plan t5x_configs/studies/quickstart.gin
  mt5x study plan t5x_configs/studies/quickstart.gin --accelerator=v5e-8
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("run", "plan"), help="run the study, or list its stages")
    parser.add_argument("file", metavar="FILE", help="the study's gin file")
    study_cost.add_arguments(parser)
    add_gin_arguments(parser)


def run(args: argparse.Namespace) -> None:
    study = load(args)
    from mt5x.studies import plan

    if args.action == "plan":
        for stage in plan.expand(study):
            print(f"{stage.name:<36}  after {', '.join(stage.parents) or 'nothing'}")
        if args.accelerator:
            print(f"\n{study_cost.page(plan.expand(study), args, study.data_dir)}")
        return
    results, report = run_study(study)
    print(f"results  {results}\nreport   {report}")


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Reads what follows `mt5x study` on a command line."""
    from scripts.main import Parser

    parser = Parser(prog="mt5x study", allow_abbrev=False)
    add_arguments(parser)
    return parser.parse_args(arguments)


def load(args: argparse.Namespace) -> Any:
    """Returns the declaration, a `plan.Study`."""
    gin_job.quiet_logs()
    from mt5x import config
    from mt5x.studies import plan

    config.load([args.file, *args.gin_file], args.gin_bindings, args.gin_search_paths)
    return config.call(plan.Study)


def run_study(study: Any, elsewhere: Any = None) -> tuple[Path, Path]:
    """Runs a study to its result table and its report; returns both paths.

    Args:
      study: a `plan.Study`.
      elsewhere: where its stages run, a `handed_over.Elsewhere`; None runs them in this process.
    """
    from analysis import lm_job
    from analysis.report import build_report
    from mt5x import evaluation
    from mt5x.studies import handed_over, jobs, runner
    from tasks import data_dir

    data_dir.use(study.data_dir)
    evaluation.forget_examples()
    kinds = {
        "train": jobs.train,
        "evaluate": jobs.evaluate,
        "majority_baseline": jobs.majority_baseline,
        "lm_statistics": lm_job.as_stage,
    }
    if elsewhere is None:
        results = runner.run(study, kinds)
    else:
        results = handed_over.run(study, kinds, elsewhere)
    report = Path(study.output_dir) / "report"
    build_report(results, report, data_dir=study.data_dir, title=study.question)
    return results, report / "index.html"
