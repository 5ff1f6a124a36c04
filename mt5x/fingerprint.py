"""A hash of what a Python object is made of: the same in every process, another if anything is.

Data are their values. A function is its code, defaults, closure, the constants it names, and the
text of the modules it rests on (`mt5x.module_texts`); what lies in an installed library is its
name and that library. Any other object is what pickle would write of it, so that a class that
leaves out in `__getstate__` what it merely remembers is found again.

What cannot be told for certain is refused. Three things are not seen: attributes set on a module
or a class after it was imported, other than the numbers and strings that a function names; modules
imported by a computed name; and what a function reads from the disk or the environment.
"""

import builtins
import copyreg
import functools
import hashlib
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

from mt5x import module_texts
from mt5x.module_texts import Indescribable

# A type, and what stands for its objects.
StandIns = Mapping[type, Callable[[Any], Any]]

_VALUES = (bool, int, float, complex, str, bytes, type(None))


def fingerprint(thing: Any, stand_ins: StandIns | None = None) -> str:
    """Returns the hash of an object, 64 hexadecimal digits.

    Args:
      thing: data, functions, objects of classes, and any nesting of them.
      stand_ins: functions by type; what one returns is described in the place of an object.

    Raises:
      Indescribable: some part of it cannot be described.
    """
    try:
        return _Walk(stand_ins or {}).digest(thing).hex()
    except RecursionError as error:
        raise Indescribable("nested too deeply") from error


def _node(kind: str, *parts: bytes) -> bytes:
    """The digest of a part and its own parts, which are digests: nothing runs together."""
    return hashlib.sha256(b"".join((hashlib.sha256(kind.encode()).digest(), *parts))).digest()


@functools.lru_cache(maxsize=64)
def _bytes(value: bytes) -> bytes:
    """The digest of bytes; kept, for a vocabulary has megabytes."""
    return _node("bytes", hashlib.sha256(value).digest())


class _Walk:
    """One description, with the objects that are above the present one."""

    def __init__(self, stand_ins: StandIns):
        self._stand_ins = stand_ins
        self._above: list[int] = []

    def digest(self, thing: Any) -> bytes:
        if type(thing) is bytes:
            return _bytes(thing)
        if type(thing) in _VALUES:
            return _node(f"{type(thing).__name__} {thing!r}")
        if id(thing) in self._above:
            up = len(self._above) - self._above.index(id(thing))
            return _node(f"the one {up} above")
        self._above.append(id(thing))
        try:
            return self._composed(thing)
        finally:
            self._above.pop()

    def _all(self, *things: Any) -> list[bytes]:
        return [self.digest(thing) for thing in things]

    def _composed(self, thing: Any) -> bytes:
        for kind, stand_in in self._stand_ins.items():
            if isinstance(thing, kind):
                return _node("stand-in", self.digest(type(thing)), self.digest(stand_in(thing)))
        if type(thing) in (list, tuple):
            return _node(type(thing).__name__, *self._all(*thing))
        if type(thing) is dict:
            return _node("dict", *(self.digest(item) for item in thing.items()))
        if type(thing) in (set, frozenset):
            return _node(type(thing).__name__, *sorted(self._all(*thing)))
        if isinstance(thing, types.ModuleType):
            return _node(f"module {thing.__name__}", module_texts.digest(thing.__name__))
        if isinstance(thing, type):
            return self._named(thing, thing.__module__, thing.__qualname__)
        if isinstance(thing, types.FunctionType):
            return self._function(thing)
        if isinstance(thing, types.MethodType):
            return _node("method", *self._all(thing.__func__, thing.__self__))
        if isinstance(thing, types.CodeType):
            return self._code(thing)
        if isinstance(thing, types.CellType):
            return _node("cell", *(self._all(thing.cell_contents) if _is_filled(thing) else ()))
        return self._object(thing)

    def _named(self, thing: Any, module: str, name: str) -> bytes:
        """What a module holds under a name."""
        if _held(module, name) is not thing:
            raise Indescribable(f"{module}.{name} was made at run time")
        return _node(f"{module}:{name}", module_texts.digest(module))

    def _function(self, function: types.FunctionType) -> bytes:
        # functools.wraps gives a function the __module__ of another: where it is found, perhaps.
        named, name = function.__module__ or "", function.__qualname__
        module = function.__globals__.get("__name__", "")
        if module_texts.is_installed(named) and _held(named, name) is function:
            return self._named(function, named, name)
        is_ours = not module_texts.is_installed(module)
        return _node(
            f"function {module}:{name}",
            module_texts.digest(module),
            *self._all(
                function.__code__,
                function.__defaults__,
                function.__kwdefaults__,
                function.__closure__,
                function.__dict__,
                _constants(function) if is_ours else None,
            ),
        )

    def _code(self, code: types.CodeType) -> bytes:
        return _node(
            "code",
            *self._all(
                code.co_code,
                code.co_consts,
                code.co_names,
                code.co_varnames,
                code.co_freevars,
                code.co_exceptiontable,
                code.co_flags,
            ),
        )

    def _object(self, thing: Any) -> bytes:
        try:
            by_type = copyreg.dispatch_table.get(type(thing))
            reduced = by_type(thing) if by_type else thing.__reduce_ex__(4)
        except Exception as error:  # Whatever a class raises that cannot be pickled.
            raise Indescribable(f"{type(thing).__qualname__}: {error}") from error
        if isinstance(reduced, str):
            named = self._named(thing, getattr(thing, "__module__", None) or "builtins", reduced)
            # functools.lru_cache and its like keep what they wrap.
            return _node("wrapper", named, *self._all(getattr(thing, "__wrapped__", None)))
        made, arguments, *rest = reduced
        state, members, items = ([*rest, None, None, None])[:3]
        lists = [None if members is None else list(members), None if items is None else list(items)]
        return _node("object", *self._all(made, arguments, state, *lists))


def _held(module: str, name: str) -> Any:
    """What a module holds under a name such as 'Class.method', or None."""
    found: Any = sys.modules.get(module, builtins if module == "builtins" else None)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _constants(function: types.FunctionType) -> dict[str, Any]:
    """The plain values of the module that a function, or one inside of it, names."""
    names: set[str] = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        names.update(code.co_names)
        codes += [one for one in code.co_consts if isinstance(one, types.CodeType)]
    values = {name: function.__globals__.get(name) for name in sorted(names)}
    return {name: value for name, value in values.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    if type(value) in (tuple, frozenset):
        return all(map(_is_plain, value))
    return type(value) in _VALUES and value is not None
