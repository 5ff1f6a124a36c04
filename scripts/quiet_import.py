"""Imports of native libraries without their start-up notes, and without what nobody here uses.

TensorFlow 2.21 logs through absl before any setting of its own is in force, so TF_CPP_MIN_LOG_LEVEL
no longer silences what it says about oneDNN and missing GPUs while it is imported.
"""

import importlib.machinery
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType

# absl's lines of severity INFO, and the remark with which it introduces them.
_NOTE = re.compile(rb"I0000 00:00:|WARNING: All log messages before absl::")


def import_quietly(name: str, without: Sequence[str] = ()) -> None:
    """Arranges that the first import of the module `name`, whoever does it, shows no notes.

    Warnings and errors are still shown, after the import.

    Args:
      name: the module.
      without: modules that its import does not find, though they are there: those that it can do
        without. Whoever imports them later gets them.
    """

    def quietly(loader: Loader) -> Loader:
        execute = loader.exec_module

        def execute_quietly(module: ModuleType) -> None:
            with without_notes(), hidden(without):
                execute(module)

        loader.exec_module = execute_quietly  # type: ignore[method-assign]
        return loader

    _change_loading(name, quietly)


def import_on_use(name: str) -> None:
    """Arranges that the import of the module `name` does nothing until the module is used."""
    _change_loading(name, importlib.util.LazyLoader)


def _change_loading(name: str, change: Callable[[Loader], Loader]) -> None:
    if name not in sys.modules:
        sys.meta_path.insert(0, _FinderOfOne(name, change))


class _FinderOfOne(MetaPathFinder):
    """Finds one module once, as the other finders do, and changes the way it is executed."""

    def __init__(self, name: str, change: Callable[[Loader], Loader]):
        self._name = name
        self._change = change

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns the module's spec; None for every other module."""
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = self._change(spec.loader)
        return spec


@contextmanager
def without_notes() -> Iterator[None]:
    """Holds back what native code writes to standard error, then shows all of it but the notes."""
    sys.stderr.flush()
    screen = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(screen, 2)
            os.close(screen)
            held.seek(0)
            os.write(2, b"".join(line for line in held if not _NOTE.match(line)))


@contextmanager
def hidden(names: Sequence[str]) -> Iterator[None]:
    """Has the import of modules that are not imported yet fail as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    # Python's own way to say so.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
