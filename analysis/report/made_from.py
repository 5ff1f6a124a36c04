"""What a report was made from, so that one that would be the same is not made again."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

# Whose numbers and pictures a report shows.
_PACKAGES = ("analysis", "mt5x", "tasks")
_HERE = Path(__file__).parents[2]
_LIBRARIES = ("lang2vec", "matplotlib", "numpy", "pandas", "scipy", "statsmodels")


def digest(
    results: Sequence[str | os.PathLike[str]], folders: Iterable[Path], *said: object
) -> str:
    """A hash of all that a report depends on.

    Args:
      results: result tables, read whole.
      folders: of data, whose files count by name, size and time.
      *said: what else the report was asked for.
    """
    found = hashlib.sha256(repr(said).encode())
    for package in _PACKAGES:
        for file in sorted((_HERE / package).rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                found.update(file.read_bytes())
    found.update(json.dumps({name: metadata.version(name) for name in _LIBRARIES}).encode())
    for table in results:
        found.update(Path(table).read_bytes())
    for line in _listed(folders):
        found.update(line.encode())
    return found.hexdigest()


def _listed(folders: Iterable[Path]) -> Iterator[str]:
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                state = file.stat()
                yield f"{file.relative_to(folder)} {state.st_size} {state.st_mtime_ns}\n"
