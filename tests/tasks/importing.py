"""How the tests of the importers make files, import them, and see that wrong ones are refused."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks import tfds_schemas
from tasks.errors import DataError
from tasks.importers import run as importer
from tasks.importers.base import Reading

Files = Mapping[str, str | bytes]


def make(folder: Path, contents: Files) -> Path:
    """Writes files below a folder and returns it; '\\udce9' in a text is the single byte E9."""
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.encode("utf-8", "surrogateescape")
        path.write_bytes(content)
    return folder


def import_all(
    folder: Path, contents: Files, reading: Reading | None = None
) -> dict[str, dict[str, int]]:
    """Imports files made in `folder/source` into `folder/out` and returns the counts."""
    planned = importer.plan(make(folder / "source", contents))
    return importer.write(planned, folder / "out", reading)


def read(data_dir: Path, name: str, split: str) -> list[dict[str, Any]]:
    """Returns the rows of a stored data set as TFDS reads them, in plain Python."""
    import tensorflow_datasets as tfds

    dataset, config, version = tfds_schemas.parse(name)
    builder = tfds.builder_from_directory(data_dir / dataset / (config or "") / version)
    rows = tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False))
    return [_plain(row) for row in rows]


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(part) for key, part in value.items()}
        case bytes():
            return value.decode()
        case np.ndarray():
            return [_plain(part) for part in value.tolist()]
        case np.generic():
            return value.item()
    return value


def refused(folder: Path, good: Files, bad: Files, line: int | None, reason: str) -> None:
    """Sees to it that a file makes the import of all of them fail, and nothing change.

    Args:
      folder: where to do it.
      good: files that are right, imported first.
      bad: one file that takes the place of one of these, or comes to them.
      line: the line that the error must name; None for any.
      reason: what the error must say.
    """
    out = folder / "out"
    import_all(folder, good)
    before = snapshot(out)
    (name,) = bad
    path = folder / "source" / name
    for target in (out, folder / "new"):
        with pytest.raises(DataError) as error:
            importer.write(importer.plan(make(folder / "source", bad)), target)
        message = str(error.value)
        assert message.startswith(f"{path}, line " + (f"{line}: " if line else ""))
        assert reason in message
        assert "\n" not in message
    assert snapshot(out) == before
    assert not (folder / "new").exists()


def snapshot(folder: Path) -> dict[str, str]:
    """Returns every path below a folder, with a digest of what is in the files."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


def rows_of(source: Path, name: str, split: str) -> list[dict[str, Any]]:
    """Returns the rows that the importers read for one split, before they are written."""
    return [dict(row) for row in importer.plan(source).datasets[name][split](Reading())]
