"""The wheel that workers install: of this checkout, with whatever was changed in it."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mt5x import config
from mt5x.errors import UserError

CONSTRAINTS = "constraints.txt"
_ROOMS = ("mt5x", "tasks", "analysis", "scripts", "t5x_configs")
_FILES = ("setup.py", "pyproject.toml", "README.md", "LICENSE")


def build(folder: Path) -> Path:
    """Builds the wheel of the checkout that this code runs from, in `folder`.

    Raises:
      UserError: this is no checkout, or pip fails.
    """
    root = config.INSTALLATION_ROOT
    if not (root / "setup.py").is_file():
        raise UserError(
            f"mt5x runs from {root}, which is no checkout to make a wheel of; give --wheel and "
            "--constraints"
        )
    folder.mkdir(parents=True, exist_ok=True)
    # Of a copy: building leaves folders behind that a later build would find.
    with tempfile.TemporaryDirectory() as copy:
        for room in _ROOMS:
            skipped = shutil.ignore_patterns("__pycache__")
            shutil.copytree(root / room, Path(copy) / room, ignore=skipped)
        for file in _FILES:
            shutil.copy(root / file, copy)
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
        done = subprocess.run([*pip, folder, copy], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(f"no wheel could be made of {root}: {done.stderr.strip().splitlines()[-1]}")
    return max(folder.glob("mt5x-*.whl"), key=lambda file: file.stat().st_mtime)


def constraints() -> Path:
    """The exact versions that the checkout was tested with.

    Raises:
      UserError: this is no checkout.
    """
    found = config.INSTALLATION_ROOT / CONSTRAINTS
    if not found.is_file():
        raise UserError(
            f"there is no {CONSTRAINTS} in {config.INSTALLATION_ROOT}: give --constraints"
        )
    return found
