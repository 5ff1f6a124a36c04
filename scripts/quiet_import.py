"""Imports of native libraries without their start-up notes.

TensorFlow 2.21 logs through absl before any setting of its own is in force, so TF_CPP_MIN_LOG_LEVEL
no longer silences what it says about oneDNN and missing GPUs while it is imported.
"""

import importlib.machinery
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType

# absl's lines of severity INFO, and the remark with which it introduces them.
_NOTE = re.compile(rb"I0000 00:00:|WARNING: All log messages before absl::")


def import_quietly(name: str) -> None:
    """Arranges that the first import of the module `name`, whoever does it, shows no notes.

    Warnings and errors are still shown, after the import.
    """
    if name not in sys.modules:
        sys.meta_path.insert(0, _QuietFinder(name))


class _QuietFinder(MetaPathFinder):
    """Finds one module once, as the other finders do, and wraps its execution."""

    def __init__(self, name: str):
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns the module's spec; None for every other module."""
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_quietly(module: ModuleType) -> None:
                with without_notes():
                    execute(module)

            spec.loader.exec_module = execute_quietly  # type: ignore[method-assign]
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
