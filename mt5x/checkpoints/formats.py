"""Which format a checkpoint is in, found by looking at its files, and a reader for it."""

import importlib
import re
from pathlib import Path

from mt5x.checkpoints import storage
from mt5x.checkpoints.stacked import unstacked
from mt5x.checkpoints.tensors import Source
from mt5x.errors import UserError

# Name to (module with `open_source(location) -> Source`, files of which one tells the format).
# The first that fits is taken.
_FORMATS: dict[str, tuple[str, tuple[str, ...]]] = {
    "t5x": ("mt5x.checkpoints.t5x_orbax", ("state/_METADATA", "state/manifest.ocdbt")),
    "t5x_legacy": ("mt5x.checkpoints.t5x_legacy", ("checkpoint",)),
    "huggingface": ("mt5x.checkpoints.huggingface", ("config.json",)),
}


def detect(location: str | Path) -> str:
    """Returns 't5x' (T5X's Orbax format, which is ours), 't5x_legacy' or 'huggingface'.

    Args:
      location: a checkpoint's folder, local or gs://; for a folder of `checkpoint_STEP` give
        `newest(location)`.

    Raises:
      UserError: nothing there is a checkpoint.
    """
    for name, (_, files) in _FORMATS.items():
        if any(storage.exists(location, file) for file in files):
            return name
    raise UserError(
        f"no checkpoint at {location}: expected T5X's files (state/_METADATA, or 'checkpoint' "
        "beside folders named target.…) or Hugging Face's (config.json)"
    )


def open_source(location: str | Path) -> Source:
    """Returns a reader of the checkpoint at `location`, or of the newest one inside.

    Layers that are stacked in one tensor, as in umT5's T5X checkpoints, are read one by one.

    Raises:
      UserError: nothing there is a checkpoint, or its index cannot be read.
    """
    found = newest(location)
    module, _ = _FORMATS[detect(found)]
    source: Source = importlib.import_module(module).open_source(found)
    return unstacked(source)


def newest(location: str | Path) -> str:
    """Returns `location` itself, or the `checkpoint_STEP` of the highest step inside it."""
    text = str(location).rstrip("/")
    if text.endswith("/checkpoint") and storage.is_file(text):
        text = text.removesuffix("/checkpoint")
    steps = {
        int(match.group(1)): name
        for name in storage.folders(text)
        if (match := re.fullmatch(r"checkpoint_(\d+)", name))
    }
    return f"{text}/{steps[max(steps)]}" if steps else text
