"""Writing a file so that nobody ever sees a part of it, also where several write the same one."""

import os
from pathlib import Path

from mt5x.errors import UserError


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes a file so that a reader sees the old content or the new one, never a part.

    Raises:
      UserError: it cannot be written; the old content is still there.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"cannot write {path}: {error.strerror}") from error
