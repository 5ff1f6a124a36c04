"""`mt5x import-data`: the benchmarks' own files, checked, as TFDS data sets."""

import argparse
from pathlib import Path

SUMMARY = "check the files of XNLI, PANX, TyDiQA and PAWS-X and write them as TFDS data sets"

EXAMPLES = """\
  mt5x import-data downloads --out runs/real_data
  TFDS_DATA_DIR=runs/real_data mt5x train --gin_file=...

what is read below SRC (any of the folders may be missing):
  xnli/{dev,test,train}-LANGUAGE.tsv         premise, hypothesis, label; first line names them
  mnli/validation_matched*.tsv               index, premise, hypothesis, label
  panx/{train,dev,test}-LANGUAGE.tsv         token TAB tag, blank line between sentences
  tydiqa_goldp/{train,dev}-LANGUAGE.json     SQuAD's JSON
  paws_x/{train,dev,test}-LANGUAGE.tsv       id, sentence1, sentence2, label
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the source folder and the output folder."""
    parser.add_argument("source", metavar="SRC", type=Path, help="folder that holds the files")
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        required=True,
        help="TFDS data directory to write; set TFDS_DATA_DIR to it afterwards",
    )


def run(args: argparse.Namespace) -> int:
    """Imports everything, or nothing and says which file and line is wrong."""
    from tqdm import tqdm

    from tasks.errors import DataError
    from tasks.importers import run as importer

    if not args.source.is_dir():
        raise DataError(f"there is no folder {args.source}; give the folder that holds the files")
    planned = importer.plan(args.source)
    with tqdm(
        total=planned.num_bytes, unit="B", unit_scale=True, desc="import", disable=None
    ) as bar:
        counts = importer.write(planned, args.out, bar.update)
    rows = [
        (name, ", ".join(f"{split} {count:,}" for split, count in splits.items()))
        for name, splits in counts.items()
    ]
    width = max(len(name) for name, _ in rows)
    print("imported (examples by split)")
    for name, splits_text in rows:
        print(f"  {name:<{width}}  {splits_text}")
    if planned.missing:
        print("not there")
        for sentence in planned.missing:
            print(f"  {sentence}")
    if planned.left_out:
        print("left out (names that say nothing to the importer)")
        for path in planned.left_out:
            print(f"  {path}")
    print(f"\nTo read them: export TFDS_DATA_DIR={args.out.resolve()}")
    return 0
