"""`mt5x checkpoint`: what a checkpoint holds, and whether it is whole."""

import argparse

SUMMARY = "show a checkpoint: steps, sizes, the tree, and whether it is whole"
EXAMPLES = """\
  mt5x checkpoint runs/panx
  mt5x checkpoint runs/panx/checkpoint_1000 --tensors
  mt5x checkpoint gs://t5-data/pretrained_models/t5x/mt5_xl --index-only
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", metavar="PATH", help="a checkpoint of any format, or a run's folder"
    )
    parser.add_argument(
        "--index-only", action="store_true", help="do not read the tensors themselves"
    )
    parser.add_argument(
        "--tensors", action="store_true", help="a line for each tensor, layers apart"
    )


def run(args: argparse.Namespace) -> None:
    from mt5x.checkpoints import inspection

    found = inspection.inspect(args.path, read=not args.index_only)
    print(inspection.page(found, every_tensor=args.tensors))
