"""Preprocessed examples kept between runs, found by the hash of what made them.

An entry is `examples/<hash>/<task>/` in the cache folder: a split of a task, read to its end for
evaluation, or up to its CacheDatasetPlaceholder for training. It is written beside and renamed, so
that it is there whole or not at all, whoever else writes it and whatever ends this process.
Wherever anything goes wrong, there is no entry, and the examples are made anew.
"""

import contextlib
import copy
import fcntl
import functools
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mt5x import stored_examples
from mt5x.cache_folder import cache_folder, drop_oldest
from mt5x.examples_key import examples_key
from mt5x.stored_examples import COMPLETED

# Of all entries together.
_LIMIT_BYTES = 8 * 2**30

# The entries that this process reads again and again, held open while it lives: inode to file.
_in_use: dict[int, int] = {}


def examples(
    task: Any, split: str, reading: Any, build: Callable[[], Any], limit: int | None
) -> list[dict[str, Any]] | None:
    """Returns all examples of a split in their order, from the cache if need be made now.

    Args:
      task: a SeqIO task.
      split: its split.
      reading: what `build` does with them, as data: lengths and seed.
      build: returns the task's `tf.data.Dataset`.
      limit: at most so many, and only from an earlier entry; None takes all.

    Returns:
      What the data set's `as_numpy_iterator` gives. None where it is to be read without: the cache
      is off or cannot be written to, or the examples cannot be named or stored for certain.
    """

    def write(entry: Path) -> None:
        stored_examples.write(entry, task, split, build, _LIMIT_BYTES // 2)

    entry = _entry(task, split, reading, write if limit is None else None)
    if entry is None:
        return None
    try:
        return stored_examples.read(entry, split, limit)
    except Exception:  # Whatever TensorFlow makes of a damaged file.
        _remove(entry)
        return None


def cached(provider: Any, split: str) -> tuple[Any, bool]:
    """Returns what SeqIO is to read for a training with USE_CACHED_TASKS, and its `use_cached`.

    What lies in SeqIO's own folders of caches (`seqio.add_global_cache_dirs`) is read from there,
    and what is in no cache is cached first, or else read without, with a line that says so. The
    rates of a mixture are those of its registered tasks.

    Args:
      provider: a SeqIO task or mixture.
      split: the split to be read.
    """
    import seqio

    readers: dict[str, tuple[Any, bool]] = {}
    for task in seqio.get_subtasks(provider):
        if split in task.splits and task.supports_caching and not task.cache_dir:
            entry = _entry(task, split, None, functools.partial(_write_for_seqio, task, split))
            if entry is not None and _use(entry):
                readers[task.name] = stored_examples.reading(task, entry), True
            else:
                _tell(f"{task.name} ({split}) could not be cached: it is read without")
                readers[task.name] = task, False
    if not readers:
        return provider, True
    if isinstance(provider, seqio.Mixture):
        return _mixture(provider, readers), False
    return readers[provider.name]


@functools.cache
def _tell(line: str) -> None:
    """Says something once."""
    print(f"mt5x: {line}", file=sys.stderr)


def _mixture(mixture: Any, readers: Mapping[str, tuple[Any, bool]]) -> Any:
    """A copy of the mixture that reads its tasks as is said for each, and the others cached."""
    copied = copy.copy(mixture)

    def get_task_dataset(
        task: Any, names: Any, lengths: Any, split: str, use_cached: bool, *others: Any
    ) -> Any:
        reader, is_cached = readers.get(task.name, (task, True))
        return mixture.get_task_dataset(reader, names, lengths, split, is_cached, *others)

    copied.get_task_dataset = get_task_dataset
    return copied


def _write_for_seqio(task: Any, split: str, entry: Path) -> None:
    stored_examples.write_for_seqio(entry, task, split, _LIMIT_BYTES // 2)


def _entry(
    task: Any, split: str, reading: Any, write: Callable[[Path], None] | None
) -> Path | None:
    """Returns the folder of an entry, which `write` makes where there is none; or None."""
    folder = cache_folder("examples")
    key = None if folder is None else examples_key(task, split, reading)
    if folder is None or key is None:
        return None
    entry = _inside(folder / key, task)
    if stored_examples.is_whole(entry):
        # Tells which entries may go first. What another person wrote is theirs to mark.
        with contextlib.suppress(OSError):
            os.utime(entry / COMPLETED)
        return entry
    if write is None:
        return None
    begun = folder / f".{key}-{secrets.token_hex(8)}"
    try:
        write(_inside(begun, task))
        # Else the data were changed meanwhile.
        if examples_key(task, split, reading) == key:
            _put(begun, folder / key, task)
            _keep_below(folder, _LIMIT_BYTES)
    except Exception:  # If it is the data that are wrong, reading them without a cache says so.
        pass
    finally:
        shutil.rmtree(begun, ignore_errors=True)
    return entry if stored_examples.is_whole(entry) else None


def _inside(folder: Path, task: Any) -> Path:
    """Where SeqIO looks for a task."""
    return folder.joinpath(*task.name.split(":"))


def _put(begun: Path, whole: Path, task: Any) -> None:
    """Puts a folder in its place, if no other process was quicker."""
    if not stored_examples.is_whole(_inside(whole, task)):
        _remove(whole)
        begun.rename(whole)


def _use(entry: Path) -> bool:
    """Holds an entry, so that no other process deletes it; returns whether it is still there."""
    completed = entry / COMPLETED
    try:
        held = os.open(completed, os.O_RDONLY)
    except OSError:
        return False
    if _in_use.setdefault(os.fstat(held).st_ino, held) != held:
        os.close(held)
        return True
    # There are file systems without locks.
    with contextlib.suppress(OSError):
        fcntl.flock(held, fcntl.LOCK_SH)
    return completed.exists()


def _delete_unless_used(entry: Path) -> None:
    with contextlib.ExitStack() as stack:
        for completed in entry.rglob(COMPLETED):
            # Raises where a process holds it.
            fcntl.flock(stack.enter_context(completed.open("rb")), fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(entry)


def _keep_below(folder: Path, limit: int) -> None:
    """Deletes the entries that were not used for longest, and what killed processes have left."""
    found = []
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):
            states = [file.stat() for file in (entry, *entry.rglob("*"))]
            used = max(state.st_mtime for state in states)
            found.append((used, sum(state.st_size for state in states), entry))
    drop_oldest(found, limit, _delete_unless_used)


def _remove(entry: Path) -> None:
    """Takes a folder away at once, then deletes it."""
    gone = entry.with_name(f".gone-{secrets.token_hex(8)}")
    try:
        entry.rename(gone)
    except OSError:
        return
    if gone.is_dir():
        shutil.rmtree(gone, ignore_errors=True)
    else:
        gone.unlink(missing_ok=True)
