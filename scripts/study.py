"""`mt5x study`: plans, runs and reports a declared study; what is finished is never run again."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts import gin_job, study_cost, study_plan, study_prune
from scripts.gin_arguments import add_gin_arguments

SUMMARY = "run a whole study: its stages, result table and report"
EXAMPLES = """\
  mt5x study run t5x_configs/studies/quickstart.gin      begins it, or goes on where it was
  mt5x study run t5x_configs/studies/quickstart.gin --workers=4
  mt5x study status t5x_configs/studies/quickstart.gin   done, running, failed, what is next
  mt5x study report t5x_configs/studies/quickstart.gin   of what is done so far
  mt5x study retry t5x_configs/studies/quickstart.gin    what failed, once more
  mt5x study prune t5x_configs/studies/quickstart.gin    checkpoints that it needs no longer
  mt5x study run t5x_configs/studies/quickstart.gin --gin.Study.data_dir=runs/other_world \\
    --gin.Study.output_dir=runs/other
  mt5x study plan t5x_configs/studies/quickstart.gin
  mt5x study plan t5x_configs/studies/quickstart.gin --accelerator=v5e-8
"""


ACTIONS = {
    "run": "run what is not done yet",
    "resume": "the same, after an interruption",
    "retry": "run what failed once more, and all else that is not done",
    "status": "how far it is",
    "report": "write the result table and the report of what is done",
    "plan": "list its stages and what they cost, and draw them",
    "prune": "list the checkpoints that it needs no longer; with --yes, delete them",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", choices=ACTIONS, help="; ".join(f"{one}: {what}" for one, what in ACTIONS.items())
    )
    parser.add_argument("file", metavar="FILE", help="the study's gin file")
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="runners side by side on this machine, each on its own GPU, TPU chip or cores (1)",
    )
    study_cost.add_arguments(parser)
    study_prune.add_arguments(parser)
    add_gin_arguments(parser)


def run(args: argparse.Namespace) -> None:
    study = load(args)
    if args.action == "plan":
        study_plan.show(study, args)
    elif args.action == "prune":
        study_prune.run(study, args)
    elif args.action == "status":
        _status(study)
    elif args.action == "report":
        _say(*_written(study, _table(study)))
    elif args.workers != 1:
        _run_workers(study, args)
        _say(*_written(study, _table(study)))
    else:
        _say(*run_study(study, again=args.action == "retry"))


def _say(results: Path, report: Path) -> None:
    print(f"results  {results}\nreport   {report}")


def _status(study: Any) -> None:
    from mt5x.studies import expansion, status, store
    from tasks import data_dir

    data_dir.use(study.data_dir)
    stages = expansion.expand(study)
    print(status.page(stages, store.folders_of(study, stages)))


def _table(study: Any) -> Path:
    """Writes the result table of what is done."""
    from mt5x.errors import UserError
    from mt5x.studies import expansion, store, study_rows
    from tasks import data_dir

    data_dir.use(study.data_dir)
    stages = expansion.expand(study)
    folders = store.folders_of(study, stages)
    if not any(map(store.is_done, folders.values())):
        raise UserError(
            f"no stage of the study {study.name} is done, so there is nothing to report"
        )
    results: Path = study_rows.write_table(study, stages, folders)
    return results


def _run_workers(study: Any, args: argparse.Namespace) -> None:
    from mt5x.studies import workers

    command = [sys.executable, "-m", "scripts.main", "study", args.action, args.file]
    for flag, given in (
        ("gin_file", args.gin_file),
        ("gin_search_paths", args.gin_search_paths),
        ("gin_bindings", args.gin_bindings),
    ):
        command += [f"--{flag}={one}" for one in given or ()]
    logs = Path(study.output_dir) / "workers"
    print(f"{args.workers} workers; what each says is in {logs}", file=sys.stderr)
    workers.run(command, args.workers, logs)


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


def run_study(study: Any, elsewhere: Any = None, again: bool = False) -> tuple[Path, Path]:
    """Runs a study to its result table and its report; returns both paths.

    Args:
      study: a `plan.Study`.
      elsewhere: where its stages run, a `handed_over.Elsewhere`; None runs them in this process.
      again: tries what has failed before once more.

    Raises:
      UserError: some stages failed; the report is of the others.
    """
    from analysis import lm_job
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
    if elsewhere is not None:
        return _written(study, handed_over.run(study, kinds, elsewhere))
    try:
        return _written(study, runner.run(study, kinds, again))
    except runner.StudyFailed:
        _report_what_there_is(study)
        raise


def _written(study: Any, results: Path) -> tuple[Path, Path]:
    """Writes the report of a result table; returns the paths of both."""
    from analysis.report import build_report

    report = Path(study.output_dir) / "report"
    build_report(results, report, data_dir=study.data_dir, title=study.question)
    return results, report / "index.html"


def _report_what_there_is(study: Any) -> None:
    from mt5x.errors import UserError

    try:
        _say(*_written(study, Path(study.output_dir) / "results.jsonl"))
    except UserError as error:
        print(f"no report yet: {error}", file=sys.stderr)
