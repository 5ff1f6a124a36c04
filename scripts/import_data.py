"""`mt5x import-data`: the benchmarks' own files, checked, as TFDS data sets."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

SUMMARY = "check the benchmarks' original files and write them as TFDS data sets"

EXAMPLES = """\
  mt5x import-data downloads --out runs/real_data
  TFDS_DATA_DIR=runs/real_data mt5x train --gin_file=...
"""

_LAYOUT_WIDTH = 46
_FILES_SHOWN = 10


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help that ends with what every importer reads; only then are the importers imported."""

    def format_help(self) -> str:
        """Returns the whole help."""
        return super().format_help() + "\n" + _layouts()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the source folder and the output folder."""
    parser.formatter_class = _Help
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
    from tasks.importers.base import Reading

    if not args.source.is_dir():
        raise DataError(f"there is no folder {args.source}; give the folder that holds the files")
    planned = importer.plan(args.source)
    with tqdm(
        total=planned.num_bytes, unit="B", unit_scale=True, desc="import", disable=None
    ) as bar:
        reading = Reading(bar.update)
        counts = importer.write(planned, args.out, reading)
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
    if reading.left_out:
        print("rows left out")
        for (path, reason), count in reading.left_out.items():
            print(f"  {count:,} of {path}: {reason}")
    _print_left_out(planned.left_out)
    print(f"\nTo read them: export TFDS_DATA_DIR={args.out.resolve()}")
    return 0


def _print_left_out(left_out: Mapping[Path, str]) -> None:
    """Prints the files that were not read by the reason why, the first of many."""
    by_reason: dict[str, list[Path]] = {}
    for path, reason in left_out.items():
        by_reason.setdefault(reason, []).append(path)
    for reason, paths in by_reason.items():
        print(f"files left out: {reason}")
        for path in paths[:_FILES_SHOWN]:
            print(f"  {path}")
        if len(paths) > _FILES_SHOWN:
            print(f"  and {len(paths) - _FILES_SHOWN} more")


def _layouts() -> str:
    """Returns what the importers read, as they say themselves."""
    from scripts.quiet_import import import_quietly

    import_quietly("tensorflow")
    from tasks.importers.run import IMPORTERS

    lines = ["what is read, in whatever folders below SRC (archives unpacked):"]
    for importer in IMPORTERS:
        lines += [f"  {importer.name}", *_aligned(importer.layout)]
    return "\n".join(lines) + "\n"


def _aligned(layout: Iterable[str]) -> Iterable[str]:
    """Yields the lines of one importer, what is in a file beside its path, or below a long one."""
    for line in layout:
        path, _, content = line.partition("  ")
        if len(path) > _LAYOUT_WIDTH:
            yield f"    {path}"
            path = ""
        yield f"    {path:<{_LAYOUT_WIDTH}}  {content.strip()}"
