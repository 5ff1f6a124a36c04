"""The start that all gin-configured commands share: quiet libraries, data folder, config."""

import argparse
import os
from pathlib import Path

# Where `mt5x sample-data` writes; read when nothing else is said and it is there.
SAMPLE_WORLD = Path("runs/sample_world")


def quiet_logs() -> None:
    """Leaves the terminal to the progress bar; SeqIO and Orbax log all they do, failures too."""
    from absl import logging

    logging.set_verbosity(logging.FATAL)


def load(args: argparse.Namespace) -> None:
    """Loads the gin files and flags of `args`, and says where the data is.

    `--tfds_data_dir`, as T5X has it, comes before TFDS_DATA_DIR; where neither is given and the
    sample world was written to its usual place, that is read.
    """
    quiet_logs()
    from mt5x import config
    from tasks import data_dir

    if args.tfds_data_dir:
        data_dir.use(args.tfds_data_dir)
    elif not os.environ.get("TFDS_DATA_DIR") and SAMPLE_WORLD.is_dir():
        data_dir.use(SAMPLE_WORLD)
    config.load(args.gin_file, args.gin_bindings, args.gin_search_paths)
