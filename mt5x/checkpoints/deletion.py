"""Deleting checkpoints, so that one whose deletion is cut off is never taken for whole."""

import shutil
from pathlib import Path

from mt5x.checkpoints.native import PREFIX

_DELETED = f".{PREFIX}_*.deleted"


def delete(checkpoint: Path) -> None:
    """Deletes the folder of a checkpoint, MODEL_DIR/checkpoint_{step}."""
    # Renamed first: what is left of it, if this is killed, has another name.
    checkpoint.rename(checkpoint.with_name(f".{checkpoint.name}.deleted"))
    sweep(checkpoint.parent)


def sweep(model_dir: Path) -> None:
    """Deletes what deletions that were cut off have left in a run's folder."""
    for leftover in model_dir.glob(_DELETED):
        shutil.rmtree(leftover, ignore_errors=True)
