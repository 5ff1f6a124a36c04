"""`mt5x sample-data`: writes a sample world, ready to train on without any network."""

import argparse
from pathlib import Path

from scripts.gin_job import SAMPLE_WORLD

SUMMARY = "write the sample world: ten small languages with real typology"
EXAMPLES = """\
the world of the quickstart:
  mt5x sample-data --out runs/sample_world
  TFDS_DATA_DIR=runs/sample_world mt5x train ...

a world where only syntax varies, and one where only shared words vary:
  mt5x sample-data --out runs/syntax_world --lexicon equal
  mt5x sample-data --out runs/lexicon_world --syntax shared --lexicon drawn
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        default=SAMPLE_WORLD,
        help="folder to write, a TFDS_DATA_DIR afterwards (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of all random choices (default: 0)")
    parser.add_argument(
        "--syntax",
        default="typology",
        help="typology: each language's own, from WALS; shared: one grammar for all",
    )
    parser.add_argument(
        "--lexicon",
        default="relation",
        help="who writes words alike. relation: related and neighbouring languages; "
        "equal: all pairs equally; drawn: at random, strongly varying",
    )
    parser.add_argument(
        "--overlap",
        type=float,
        nargs=2,
        metavar=("LEAST", "GREATEST"),
        help="probability that the least and the most related languages share a word",
    )
    parser.add_argument("--size", default="default", help="default, or small for a quick look")


def run(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from tasks.sample_world import world, writing

    chosen = {"overlap": tuple(args.overlap)} if args.overlap else {}
    settings = world.Settings(
        seed=args.seed, syntax=args.syntax, lexicon=args.lexicon, size=args.size, **chosen
    )
    with tqdm(desc="sample world", unit="data set", leave=False, disable=None) as bar:

        def show(name: str, done: int, total: int) -> None:
            bar.total = total
            bar.set_postfix_str(name, refresh=False)
            bar.n = done
            bar.refresh()

        written = writing.write(settings, args.out, show)
    print(f"{'wrote' if written else 'found'} the sample world in {args.out}")
    print(f"train on it with TFDS_DATA_DIR={args.out}")
