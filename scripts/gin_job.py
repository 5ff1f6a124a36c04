"""The start that all gin-configured commands share: quiet libraries, data folder, config."""

import argparse
import dataclasses
import os
from pathlib import Path

# Where `mt5x sample-data` writes; read when nothing else is said and it is there.
SAMPLE_WORLD = Path("runs/sample_world")


def quiet_logs() -> None:
    """Leaves the terminal to the progress bar; SeqIO and Orbax log all they do, failures too."""
    from absl import logging

    logging.set_verbosity(logging.FATAL)


def use_data_dir(given: str | os.PathLike[str] | None) -> None:
    """Says where the data is: `given`, or else TFDS_DATA_DIR, or else the sample world.

    The last where neither is given and the sample world was written to its usual place.
    """
    from tasks import data_dir

    if given:
        data_dir.use(given)
    elif not os.environ.get("TFDS_DATA_DIR") and SAMPLE_WORLD.is_dir():
        data_dir.use(SAMPLE_WORLD)


def load(args: argparse.Namespace) -> None:
    """Joins the processes and loads the gin files and flags of `args`.

    `--tfds_data_dir`, as T5X has it, is the data's.
    """
    quiet_logs()
    from mt5x import config, distributed

    names = [field.name for field in dataclasses.fields(distributed.Processes)]
    distributed.join(distributed.Processes(**{name: getattr(args, name) for name in names}))
    use_data_dir(args.tfds_data_dir)
    config.load(args.gin_file, args.gin_bindings, args.gin_search_paths)
