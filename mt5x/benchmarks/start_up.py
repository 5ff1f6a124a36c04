"""How long commands take from nothing, each run a process of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mt5x.benchmarks import side_by_side
from mt5x.config import INSTALLATION_ROOT
from mt5x.errors import UserError


def measure(
    commands: Mapping[str, Sequence[str]],
    environments: Mapping[str, Mapping[str, str]],
    repeats: int,
    outputs: Mapping[str, Path] | None = None,
) -> dict[str, list[float]]:
    """Runs commands by turns.

    Args:
      commands: by variant, the arguments of `python -m`.
      environments: by variant, what its environment has beside this process's.
      repeats: timed rounds, after one that fills the caches on disk.
      outputs: by variant, a folder that is deleted before each of its runs.

    Returns:
      The seconds of each timed run, by variant.

    Raises:
      UserError: a command fails.
    """

    def start(variant: str) -> None:
        if outputs is not None:
            shutil.rmtree(outputs[variant], ignore_errors=True)
        paths = [str(INSTALLATION_ROOT), os.environ.get("PYTHONPATH", "")]
        done = subprocess.run(
            [sys.executable, "-m", *commands[variant]],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
            | dict(environments[variant]),
            cwd=Path.cwd(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise UserError(f"{' '.join(commands[variant])} ended in {done.returncode}: {last}")

    works = {variant: (lambda variant=variant: start(variant)) for variant in commands}
    return side_by_side.seconds(works, repeats)
