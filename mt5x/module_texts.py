"""The text that a module's behaviour rests on: its own and that of all modules that it imports.

An installed library is its version and its list of files, which holds the hash of each. A package
may keep data beside its modules: these count by name, size and time of change.
"""

import ast
import functools
import hashlib
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# A module that was changed since may be loaded as it was before.
_BEGAN = time.time()
_INSTALLED = {"site-packages", "dist-packages"}


class Indescribable(Exception):
    """Something of which it cannot be said for certain when it is the same again."""


@functools.cache
def is_installed(module: str) -> bool:
    """Whether a module is Python's own or of an installed library."""
    top = module.partition(".")[0]
    if _is_pythons(top):
        return True
    file, spec = _origin(top), _spec(top)
    places = [str(file)] if file else list(getattr(spec, "submodule_search_locations", None) or ())
    return bool(places) and all(set(Path(place).parts) & _INSTALLED for place in places)


@functools.cache
def digest(module: str) -> bytes:
    """Returns the hash of all that a module rests on, 32 bytes.

    Raises:
      Indescribable: its text is not to be found, or was changed since this process began, or takes
        settings from gin when it is called.
    """
    if is_installed(module):
        return _library(module.partition(".")[0])
    parts: dict[str, bytes] = {}
    wanted = [module]
    while wanted:
        name = wanted.pop()
        if name in parts:
            continue
        if name.partition(".")[0] == "gin":
            raise Indescribable(f"{module} may take settings from gin")
        if is_installed(name):
            # Of a library one name is enough.
            name = name.partition(".")[0]
            parts[name] = _library(name)
            continue
        parts[name], imported = _own(name)
        wanted += imported
    if not parts[module]:
        raise Indescribable(f"the module {module} has no text")
    listed = [part for name in sorted(parts) for part in (_sha(name.encode()), parts[name])]
    return _sha(b"".join(listed))


def file_state(file: str | os.PathLike) -> tuple[str, int, int]:
    """Returns a file's absolute path, its bytes, and when it was changed, in nanoseconds.

    Raises:
      OSError: it is not there.
    """
    path = Path(file).absolute()
    found = path.stat()
    return str(path), found.st_size, found.st_mtime_ns


def _sha(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _is_pythons(top: str) -> bool:
    return top in sys.stdlib_module_names and top != "__main__"


@functools.cache
def _library(top: str) -> bytes:
    if _is_pythons(top):
        return _sha(platform.python_version().encode())
    texts = []
    for name in _distributions().get(top, ()):
        found = importlib.metadata.distribution(name)
        texts += [name, found.version, found.read_text("RECORD") or ""]
    if not texts:
        raise Indescribable(f"{top} is of no installed distribution")
    return _sha("\n".join(texts).encode())


@functools.cache
def _distributions() -> dict[str, list[str]]:
    found = importlib.metadata.packages_distributions()
    return {top: sorted(set(names)) for top, names in found.items()}


@functools.cache
def _own(module: str) -> tuple[bytes, tuple[str, ...]]:
    """The hash of one module's text, and what it imports; b"" and nothing where there is none."""
    file = _origin(module)
    parent = (module.rpartition(".")[0],) if "." in module else ()
    if file is None:
        if module in sys.modules and not hasattr(sys.modules[module], "__path__"):
            raise Indescribable(f"the module {module} has no text")
        # A name of a module that is no module, an optional library, a folder without __init__.
        return b"", parent
    beside: list[tuple[str, int, int]] = []
    if parent or file.name == "__init__.py":
        others = (one for one in file.parent.iterdir() if one.suffix not in (".py", ".pyc"))
        beside = [file_state(one) for one in sorted(others) if one.is_file()]
    if max(one[2] for one in (file_state(file), *beside)) > _BEGAN * 1e9:
        raise Indescribable(f"{module} was changed since this process began")
    text = file.read_bytes()
    imported = tuple(_imports(text, module, file)) if file.suffix == ".py" else ()
    return _sha(_sha(text) + repr(beside).encode()), (*parent, *imported)


def _imports(text: bytes, module: str, file: Path) -> Iterator[str]:
    """The dotted names that may be modules in the imports of a text, in functions too."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(base, package) if node.level else base
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


@functools.cache
def _origin(module: str) -> Path | None:
    """The file of a module, loaded or not; looking for it imports nothing."""
    loaded = sys.modules.get(module)
    name = getattr(loaded, "__file__", None) if loaded else getattr(_spec(module), "origin", None)
    return Path(name) if name and Path(name).is_file() else None


def _spec(module: str) -> importlib.machinery.ModuleSpec | None:
    loaded = sys.modules.get(module)
    if loaded is not None:
        return getattr(loaded, "__spec__", None)
    parent = module.rpartition(".")[0]
    if not parent:
        return importlib.util.find_spec(module)
    above = _spec(parent)
    if above is None or above.submodule_search_locations is None:
        return None
    return importlib.machinery.PathFinder.find_spec(module, above.submodule_search_locations)
