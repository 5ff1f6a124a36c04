"""Files of checkpoints, on this machine or in Google Cloud Storage, through TensorStore."""

import functools
import re
from pathlib import Path
from typing import Any

import tensorstore as ts

from mt5x.errors import UserError

# TensorStore would try for minutes to reach a store that cannot be reached.
_CONTEXT = {"gcs_request_retries": {"max_retries": 3, "initial_delay": "200ms"}}


def is_remote(location: str | Path) -> bool:
    """Whether a location is in Google Cloud Storage."""
    return str(location).startswith("gs://")


def kvstore_spec(location: str | Path, folder: str = "") -> dict[str, Any]:
    """TensorStore's description of a folder inside `location`; its path ends in a slash."""
    if not is_remote(location):
        return {"driver": "file", "path": f"{Path(location).absolute() / folder}/"}
    bucket, _, path = str(location).removeprefix("gs://").partition("/")
    inside = "/".join(part for part in (path.rstrip("/"), folder.rstrip("/")) if part)
    return {"driver": "gcs", "bucket": bucket, "path": f"{inside}/" if inside else ""}


@functools.cache
def context() -> ts.Context:
    """The context of every remote access: few retries, so that no network is told soon."""
    return ts.Context(_CONTEXT)


def read_bytes(location: str | Path, name: str) -> bytes | None:
    """Returns a file's bytes, or None if there is none.

    Raises:
      UserError: the store cannot be reached, or the file cannot be read.
    """
    if not is_remote(location):
        path = Path(location) / name
        try:
            return path.read_bytes() if path.is_file() else None
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from error
    found = _ask(location, lambda store: store.read(name).result())
    return found.value if found.state == "value" else None


def exists(location: str | Path, name: str) -> bool:
    """Whether `location` has a file of this name."""
    if not is_remote(location):
        return (Path(location) / name).is_file()
    exactly = ts.KvStore.KeyRange(name, name + "\0")
    return bool(_ask(location, lambda store: store.list(exactly).result()))


def is_file(location: str | Path) -> bool:
    """Whether a location is a file itself."""
    folder, _, name = str(location).rstrip("/").rpartition("/")
    return exists(folder or "/", name)


def folders(location: str | Path) -> list[str]:
    """Names of the folders `checkpoint_STEP` directly inside `location`."""
    if not is_remote(location):
        folder = Path(location)
        return sorted(p.name for p in folder.glob("checkpoint_*") if p.is_dir())
    # One listing; '`' follows '_', so the range holds all names that begin with 'checkpoint_'.
    inside = ts.KvStore.KeyRange("checkpoint_", "checkpoint`")
    keys = _ask(location, lambda store: store.list(inside).result())
    return sorted({key.decode().partition("/")[0] for key in keys if b"/" in key})


def _ask(location: str | Path, question: Any) -> Any:
    try:
        store = ts.KvStore.open(kvstore_spec(location), context=context()).result()
        return question(store)
    except Exception as error:  # TensorStore raises ValueError, RuntimeError and others
        raise unreachable(location, error) from error


def unreachable(location: str | Path, error: Exception) -> UserError:
    """One sentence for a store that does not answer, or refuses."""
    reason = re.sub(r"\s+", " ", str(error)).partition(" [")[0]
    return UserError(
        f"cannot read {location}: {reason}; check the network and the name, or copy the "
        "checkpoint to this machine and give its folder"
    )
