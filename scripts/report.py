"""`mt5x report`: a table of results becomes one page that answers the question."""

import argparse

SUMMARY = "write the report of a study: one page, its tables as CSV, its figures as SVG and PNG"

EXAMPLES = """\
  mt5x report runs/quickstart/results.jsonl --out runs/quickstart/report \\
      --data-dir runs/sample_world
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `mt5x report`."""
    parser.add_argument(
        "results", nargs="+", metavar="RESULTS", help="result tables, one JSON row a line"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the report")
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder of the data sets: its pretraining text gives the words that languages share, "
        "and a sample world's world.json the planted truth",
    )
    parser.add_argument(
        "--wals",
        metavar="DIR",
        help="a CLDF release of WALS: its chapters become features, by area",
    )
    parser.add_argument("--title", metavar="TEXT", help="the question that heads the page")
    parser.add_argument(
        "--stage", metavar="NAME", help="analyse only this stage's scores, where several exist"
    )


def run(args: argparse.Namespace) -> None:
    """Writes the report and says where it is."""
    from analysis.report import build_report

    page = build_report(
        args.results,
        args.out,
        data_dir=args.data_dir,
        title=args.title,
        stage=args.stage,
        wals_dir=args.wals,
    )
    print(f"the report is at {page}")
