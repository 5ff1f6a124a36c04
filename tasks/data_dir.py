"""Where the TFDS data sets lie, decided when data is read and not when a module is imported."""

import os
from pathlib import Path

import seqio

_DEFAULT = "~/tensorflow_datasets"  # TFDS's own.
_chosen: str | None = None


def use(path: str | os.PathLike | None) -> None:
    """Reads all data sets from `path` from now on; None goes back to the environment."""
    global _chosen
    _chosen = None if path is None else os.fspath(path)


def resolve() -> str:
    """Returns the TFDS data directory in force.

    In this order: `use(path)`, SeqIO's override (T5X's `--tfds_data_dir` sets it), the variable
    TFDS_DATA_DIR as it stands now (TFDS itself reads it only once), TFDS's default.
    """
    override = getattr(seqio.utils, "_TFDS_DATA_DIR_OVERRIDE", None)
    folder = _chosen or override or os.environ.get("TFDS_DATA_DIR") or _DEFAULT
    return folder if "://" in folder else os.fspath(Path(folder).expanduser())


def described() -> str:
    """Returns the folder and where it was set, for a message."""
    if _chosen or getattr(seqio.utils, "_TFDS_DATA_DIR_OVERRIDE", None):
        return resolve()
    if os.environ.get("TFDS_DATA_DIR"):
        return f"{resolve()} (TFDS_DATA_DIR)"
    return f"{resolve()} (TFDS_DATA_DIR is not set)"
