"""Writes a sample world: data sets, a vocabulary and the planted truth, whole or not at all.

    runs/sample_world/            a TFDS_DATA_DIR
      wikiann/en/1.0.0/ ...       the data sets (see `datasets`)
      sample_vocabulary/sentencepiece.model
      world.json                  settings, grammars, lexicons, similarity and overlap of all pairs

The same settings give the same bytes.
"""

import dataclasses
import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from tasks import tfds_writer
from tasks.errors import DataError
from tasks.sample_world import datasets, pieces
from tasks.sample_world.world import LANGUAGES, Settings, World

# Of what is written: raise it when there is more, or other, of it.
_FORM = 3


def write(settings: Settings, out: Path, progress: Callable[[str, int, int], None]) -> bool:
    """Writes the world, unless `out` already holds it.

    Args:
      settings: what determines it.
      out: the folder, a TFDS_DATA_DIR afterwards.
      progress: called before each part with its name, how many are done, and how many there are.

    Returns:
      Whether it was written (False: it was there).

    Raises:
      DataError: `out` holds something else, a world of other settings included.
    """
    out = Path(out)
    if _is_there(settings, out):
        return False
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.incomplete.", dir=out.parent))
    try:
        parts = _parts(World(settings), scratch)
        for done, (name, write_part) in enumerate(parts):
            progress(name, done, len(parts))
            write_part()
        progress("done", len(parts), len(parts))
        scratch.chmod(0o755)
        if out.is_dir():
            out.rmdir()  # Only an empty folder has come this far.
        scratch.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return True


def _is_there(settings: Settings, out: Path) -> bool:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    try:
        truth = json.loads((out / "world.json").read_text())
        found = truth["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"{out} holds something else than a sample world: choose another --out"
        ) from None
    if truth.get("form") != _FORM:
        raise DataError(
            f"{out} holds a sample world of another version of mt5x: choose another --out, or "
            "remove that folder first"
        )
    wanted = json.loads(json.dumps(dataclasses.asdict(settings)))
    different = [
        f"{name} {found.get(name)} and not {wanted[name]}"
        for name in wanted
        if found.get(name) != wanted[name]
    ]
    if different:
        raise DataError(
            f"{out} holds a sample world with {', '.join(different)}: choose another --out, "
            "or remove that folder first"
        )
    return True


def _parts(world: World, data_dir: Path) -> list[tuple[str, Callable[[], object]]]:
    """Returns the data sets and files to write, each with its name."""
    parts: list[tuple[str, Callable[[], object]]] = []
    for name, splits in datasets.datasets(world):
        # The splits are generators: no row is made before its data set's turn.
        write_one = functools.partial(tfds_writer.write_dataset, name, splits, data_dir)
        parts.append((name, write_one))
    parts.append(("vocabulary", lambda: _write_vocabulary(world, data_dir)))
    parts.append(("world.json", lambda: _write_truth(world, data_dir)))
    return parts


def _write_vocabulary(world: World, data_dir: Path) -> None:
    lines = [
        line
        for code in LANGUAGES
        for line in world.documents(
            code, "train", max(20, datasets.num_documents(world, code) // 8)
        )
    ]
    folder = data_dir / "sample_vocabulary"
    folder.mkdir()
    (folder / "sentencepiece.model").write_bytes(pieces.train(lines, world.size.pieces))


def _write_truth(world: World, data_dir: Path) -> None:
    truth = json.dumps({"form": _FORM, **world.truth()}, ensure_ascii=False, indent=1)
    (data_dir / "world.json").write_text(truth + "\n", encoding="utf-8")
