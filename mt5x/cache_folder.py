"""Where what can be made again is kept between runs: compiled programs, prepared examples.

One folder a person, `mt5x` in XDG_CACHE_HOME (or ~/.cache); MT5X_CACHE_DIR names another, and
MT5X_CACHE_DIR=off keeps nothing. What lies there changes no result, and may be deleted at any time.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

VARIABLE = "MT5X_CACHE_DIR"
_OFF = ("off", "")


def cache_folder(kind: str) -> Path | None:
    """Returns the folder of one kind of cached things, made if need be.

    Args:
      kind: its name, such as 'compiled'.

    Returns:
      The folder; None where caching is off, or where nothing can be written.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen in _OFF:
        return None
    if chosen is None:
        home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        chosen = f"{home}/mt5x"
    try:
        folder = Path(chosen).expanduser().absolute() / kind
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        # RuntimeError: nobody knows where the home of this user is.
        return None
    return folder if os.access(folder, os.W_OK | os.X_OK) else None


def keep_below(folder: Path, limit: int, pattern: str = "*") -> None:
    """Deletes what was not read for longest until few enough bytes are left.

    Args:
      folder: where.
      limit: bytes that may stay.
      pattern: which files count, and may go.
    """
    found = []
    for file in folder.rglob(pattern):
        try:
            status = file.stat()
        except OSError:
            # Another process was quicker.
            continue
        if file.is_file():
            # A file system may note reading late or never, but writing always.
            found.append((max(status.st_atime, status.st_mtime), status.st_size, file))
    drop_oldest(found, limit, lambda file: file.unlink(missing_ok=True))


def drop_oldest(
    found: Iterable[tuple[float, int, Path]], limit: int, delete: Callable[[Path], None]
) -> None:
    """Deletes what was used longest ago until few enough bytes are left.

    Args:
      found: when each was used, in seconds, its bytes, and where it is.
      limit: bytes that may stay.
      delete: deletes one; an OSError leaves it.
    """
    oldest_first = sorted(found)
    total = sum(size for _, size, _ in oldest_first)
    for _, size, path in oldest_first:
        if total <= limit:
            return
        try:
            delete(path)
        except OSError:
            continue
        total -= size
