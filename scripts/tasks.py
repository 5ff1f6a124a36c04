"""`mt5x tasks`: what there is to train and evaluate on, and what it looks like to a model."""

import argparse
from pathlib import Path

SUMMARY = "list the tasks and mixtures, or show one: examples, lengths, packing"

EXAMPLES = """\
  mt5x tasks
  mt5x tasks --data panx --language sw
  mt5x tasks --kind train --all
  mt5x tasks panx_train.en --data_dir runs/sample_world
  mt5x tasks panx_train.en:n100 --vocabulary byt5 --examples 1
  mt5x tasks xnli_zeroshot --vocabulary mt5 --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="a task or mixture to show")
    listing = parser.add_argument_group("the list")
    listing.add_argument("--data", help="only this data set, such as panx")
    listing.add_argument("--kind", help="only this kind: train, eval, text, mixture, ...")
    listing.add_argument("--language", help="only this language, such as sw")
    listing.add_argument("--all", action="store_true", help="a line for each task and mixture")
    showing = parser.add_argument_group("one task or mixture")
    showing.add_argument("--split", help="which split (default: train, or else validation)")
    showing.add_argument(
        "--vocabulary",
        help="mt5, umt5, byt5, sample or the path of a SentencePiece model "
        "(default: sample where the data directory has one, else mt5)",
    )
    showing.add_argument("--examples", type=int, default=3, help="how many to show (default: 3)")
    showing.add_argument(
        "--measure", type=int, default=5_000, help="how many to measure (default: %(default)s)"
    )
    showing.add_argument(
        "--cut",
        type=float,
        default=0.5,
        metavar="PERCENT",
        help="examples that the suggested lengths may cut (default: %(default)s)",
    )
    parser.add_argument(
        "--data_dir", type=Path, help="TFDS data directory (default: TFDS_DATA_DIR)"
    )
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a Python module that registers tasks of your own; may be given again",
    )
    showing.add_argument(
        "--lengths",
        type=int,
        nargs=2,
        metavar=("INPUTS", "TARGETS"),
        help="lengths to compare with the suggested ones",
    )
    parser.add_argument("--json", action="store_true", help="for machines")


def run(args: argparse.Namespace) -> None:
    import dataclasses
    import json
    import shutil

    from scripts import gin_job

    gin_job.quiet_logs()
    from tasks import inspection
    from tasks.errors import DataError

    _use_data_dir(args.data_dir)
    _import_tasks(args.modules)
    width = shutil.get_terminal_size((120, 24)).columns
    if args.name is None:
        among = inspection.entries()
        found = inspection.matching(among, args.data, args.kind, args.language)
        if args.json:
            print(json.dumps([dataclasses.asdict(one) for one in found], ensure_ascii=False))
        else:
            print(inspection.list_page(inspection.group(found), width, args.all))
        return
    filters = [name for name in ("data", "kind", "language", "all") if getattr(args, name)]
    if filters:
        raise DataError(
            f"--{filters[0]} is for the list; leave it out to show {args.name}, or leave out the "
            f"name to list"
        )
    _choose_vocabulary(args.vocabulary)
    one = inspection.inspect(
        args.name,
        split=args.split,
        num_examples=args.examples,
        measure=args.measure,
        most_cut=args.cut / 100,
        given=args.lengths and dict(zip(("inputs", "targets"), args.lengths, strict=True)),
    )
    if args.json:
        print(json.dumps(one.as_json(), ensure_ascii=False))
    else:
        print(inspection.task_page(one, width))


def _use_data_dir(given: Path | None) -> None:
    from scripts import gin_job
    from tasks.errors import DataError

    if given is not None and not given.is_dir():
        raise DataError(
            f"there is no data directory {given}; "
            f"`mt5x sample-data` and `mt5x import-data` make one"
        )
    gin_job.use_data_dir(given)


def _choose_vocabulary(spec: str | None) -> None:
    from tasks import data_dir, vocabulary

    if spec is None:
        sample = Path(data_dir.resolve(), vocabulary.SAMPLE_MODEL)
        spec = "sample" if sample.is_file() else "mt5"
    vocabulary.choose(spec)


def _import_tasks(modules: list[str]) -> None:
    """Imports modules that register tasks, those of the working directory included."""
    import importlib
    import sys

    from tasks.errors import DataError

    sys.path.insert(0, str(Path.cwd()))
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise DataError(
                f"--import {name}: {error}; give a module's name, not a file"
            ) from error
