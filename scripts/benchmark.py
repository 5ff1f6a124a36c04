"""`mt5x benchmark`: how fast the parts of mt5x are on this machine, beside other ways.

A section is a module of `scripts.benchmarks` in the form of a subcommand: SUMMARY, EXAMPLES,
`add_arguments` and `run`, which returns the measurements. The measuring itself is in
`mt5x.benchmarks`; here are the table and the JSON that all sections have.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

SECTIONS = {
    "input": "scripts.benchmarks.input",
    "step": "scripts.benchmarks.step",
    "loss": "scripts.benchmarks.loss",
    "evaluation": "scripts.benchmarks.evaluation",
    "decode": "scripts.benchmarks.decode",
    "lm-stats": "scripts.benchmarks.lm_stats",
    "startup": "scripts.benchmarks.startup",
    "checkpoint": "scripts.benchmarks.checkpoint",
}

SUMMARY = f"measure how fast this machine is: {', '.join(SECTIONS)}"

EXAMPLES = "".join(importlib.import_module(module).EXAMPLES for module in SECTIONS.values())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sections = parser.add_subparsers(dest="section", metavar="SECTION", required=True)
    for name, module in SECTIONS.items():
        section = importlib.import_module(module)
        subparser = sections.add_parser(
            name,
            help=section.SUMMARY,
            description=section.SUMMARY,
            epilog="examples:\n" + section.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        section.add_arguments(subparser)
        subparser.add_argument(
            "--repeats",
            type=int,
            default=5,
            metavar="N",
            help="timed runs, whose median is shown (default: %(default)s)",
        )
        subparser.add_argument(
            "--json", metavar="FILE", help="write all figures there; - is standard output"
        )


def run(args: argparse.Namespace) -> None:
    rows = importlib.import_module(SECTIONS[args.section]).run(args)
    from mt5x.benchmarks import machine, measurement
    from mt5x.whole_file import write_whole

    here = machine.describe()
    if args.json:
        text = json.dumps(measurement.document(args.section, rows, here), indent=1) + "\n"
        if args.json == "-":
            sys.stdout.write(text)
            return
        write_whole(Path(args.json), text)
    print(measurement.table(rows))
    print(f"\nmedians of {args.repeats} runs, those of one case by turns; {machine.sentence(here)}")
