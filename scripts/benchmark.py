"""`mt5x benchmark`: how fast the parts of mt5x are on this machine.

A section is a module of `scripts.benchmarks` in the form of a subcommand: SUMMARY, EXAMPLES,
`add_arguments` and `run`. The measuring itself is in `mt5x.benchmarks`.
"""

import argparse
import importlib
import os

SECTIONS = {"input": "scripts.benchmarks.input"}

SUMMARY = "measure how fast this machine is: input"

EXAMPLES = "".join(importlib.import_module(module).EXAMPLES for module in SECTIONS.values())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    sections = parser.add_subparsers(dest="section", metavar="SECTION", required=True)
    for name, module in SECTIONS.items():
        section = importlib.import_module(module)
        section.add_arguments(
            sections.add_parser(
                name,
                help=section.SUMMARY,
                description=section.SUMMARY,
                epilog="examples:\n" + section.EXAMPLES,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                allow_abbrev=False,
            )
        )


def run(args: argparse.Namespace) -> None:
    importlib.import_module(SECTIONS[args.section]).run(args)
    # Figures say little without what else the machine was doing.
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"{os.cpu_count()} processors; load of the last 1, 5 and 15 minutes {busy}")
