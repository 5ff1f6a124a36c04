"""Deletes the checkpoints that a study needs no longer; what was measured with them stays.

A study of hundreds of trainings leaves as many checkpoints. Once all that begins with one, or
evaluates it, is done, it is needed only by what is added later, and then trained again.
"""

import dataclasses
import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path

from mt5x.checkpoints import best, deletion, native
from mt5x.errors import UserError
from mt5x.studies import store
from mt5x.studies.stage import TRAIN, Stage


@dataclasses.dataclass(frozen=True)
class Prunable:
    """A training whose checkpoints may go.

    Attributes:
      name: the stage.
      folder: its folder.
      size: bytes of its checkpoints.
    """

    name: str
    folder: Path
    size: int


def prunable(
    stages: Sequence[Stage], folders: Mapping[str, Path], keep: Sequence[str] = ()
) -> list[Prunable]:
    """The finished trainings of a study whose checkpoints are there and needed no longer.

    A model that the study trains and does nothing with is its result, and none of them.

    Args:
      stages: all of the study, parents first.
      folders: of each, by its name.
      keep: patterns of the shell ('pretrain*'); a stage whose name is like one is left out.
    """
    read = {name for one in stages for name in one.parents}
    awaited = {
        name for one in stages if not store.is_done(folders[one.name]) for name in one.parents
    }
    found = []
    for stage in stages:
        folder = folders[stage.name]
        kept = any(fnmatch.fnmatchcase(stage.name, pattern) for pattern in keep)
        if stage.kind != TRAIN or kept or stage.name not in read - awaited:
            continue
        if store.is_done(folder) and (size := sum(map(_size, _checkpoints(folder)))):
            found.append(Prunable(stage.name, folder, size))
    return found


def prune(root: Path, found: Sequence[Prunable]) -> None:
    """Deletes the checkpoints of these trainings.

    Args:
      root: where the stages of the study lie, and of others that share them.
      found: of `prunable`.

    Raises:
      UserError: some stage is being run, which may read a checkpoint; nothing was deleted.
    """
    if store.someone_at_work(root):
        raise UserError(
            f"a stage in {root} is being run and may read what would be deleted; prune when it "
            "has ended (`mt5x study status` says who runs it)"
        )
    for one in found:
        with store.claim(one.folder) as mine:
            if mine:
                store.give_up_output(one.folder)
                _delete_checkpoints(one.folder)


def begin_again(folder: Path) -> None:
    """Lets a stage be run once more, from its beginning, if it was pruned."""
    if store.is_done(folder) and not store.has_output(folder):
        _delete_checkpoints(folder)
        store.begin_again(folder)


def _delete_checkpoints(folder: Path) -> None:
    (folder / best.BEST).unlink(missing_ok=True)
    for checkpoint in _checkpoints(folder):
        deletion.delete(checkpoint)
    deletion.sweep(folder)


def _checkpoints(folder: Path) -> list[Path]:
    return [folder / f"{native.PREFIX}_{step}" for step in sorted(native.steps(folder))]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
