"""`mt5x study prune`: the checkpoints that a study needs no longer, listed and deleted."""

import argparse
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what is spared, and the flag without which nothing is deleted."""
    group = parser.add_argument_group("checkpoints that are deleted (prune)")
    group.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="PATTERN",
        help="keep those of stages of such names, as 'pretrain*'; may be given several times",
    )
    group.add_argument("--yes", action="store_true", help="delete them; without, only list them")


def run(study: Any, args: argparse.Namespace) -> None:
    """Lists the checkpoints that a `plan.Study` needs no longer, and deletes them where told to."""
    from mt5x.studies import expansion, pruning, store
    from tasks import data_dir

    data_dir.use(study.data_dir)
    stages = expansion.expand(study)
    found = pruning.prunable(stages, store.folders_of(study, stages), args.keep)
    if not found:
        print("no checkpoint is there that the study needs no longer")
        return
    if args.yes:
        pruning.prune(store.root_of(study), found)
    width = max(len(one.name) for one in found)
    for one in found:
        print(f"{one.name:<{width}}  {one.size / 1e9:9.3f} GB")
    total = f"{sum(one.size for one in found) / 1e9:.3f} GB"
    if args.yes:
        print(f"{total} deleted; the results stay, and a stage that needs one trains it again")
    else:
        print(f"{total} in {len(found)} stages; add --yes to delete them, --keep to spare some")
