"""The hash of what an object is made of: another when any part is, the same in each process."""

import enum
import functools
import importlib
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mt5x import module_texts
from mt5x.fingerprint import fingerprint
from mt5x.module_texts import Indescribable

MODULE = """
import {other}
from pathlib import Path

LIMIT = 3
CACHE = {{}}

class Cut:
    def __init__(self, length):
        self.length, self.read = length, []

    def __getstate__(self):
        return {{"length": self.length}}

    def cut(self, text):
        return text[: self.length]

def made(length, names=("a",)):
    def cut(text, by=1):
        return text[: min(length * by, LIMIT)], names
    return cut

def two(length):
    return (lambda text: text[:length]), (lambda text: text[length:])
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Returns a function that loads a module of the given text, as a process started later does."""
    monkeypatch.syspath_prepend(tmp_path)
    count = iter(range(100))

    def loaded(other: str = "json", replace: tuple[str, str] = ("", "")) -> Any:
        # A name of its own each time would be part of the hash.
        (tmp_path / "made_up.py").write_text(MODULE.format(other=other).replace(*replace))
        os.utime(tmp_path / "made_up.py", (next(count), 0))
        monkeypatch.delitem(sys.modules, "made_up", raising=False)
        forget_texts()
        importlib.invalidate_caches()
        return importlib.import_module("made_up")

    return loaded


def forget_texts() -> None:
    for kept in (module_texts.digest, module_texts._own, module_texts._origin):
        kept.cache_clear()


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


DISTINCT = [
    None, False, 0, 0.0, -0.0, 1, True, 1.0, "1", b"1", (1,), [1], {1}, frozenset({1}), {1: 1},
    {1: 2}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, ("a", "b"), ("ab",), (("a",), "b"), "\udc80",
    Path("a"), Path("b"), re.compile("a"), re.compile("a", re.I), Colour.RED, Colour.BLUE,
    np.zeros(2, np.int32), np.zeros(2, np.int64), np.zeros((2, 1), np.int32), np.float32(0), len,
    str.lower, str.upper, "a".lower, "b".lower, int, float, json, json.dumps,
    functools.partial(int, base=2), functools.partial(int, base=3), functools.partial(int, "2"),
]  # fmt: skip


def test_different_things_differ_and_the_same_do_not() -> None:
    found = [fingerprint(thing) for thing in DISTINCT]
    assert len(set(found)) == len(found)
    assert found == [fingerprint(thing) for thing in DISTINCT]


def test_a_function_is_its_closure_defaults_and_text(load) -> None:
    first = load()
    of = fingerprint(first.made(2))
    assert fingerprint(first.made(2)) == of
    assert fingerprint(first.made(3)) != of
    assert fingerprint(first.made(2, names=("b",))) != of
    assert fingerprint(first.two(1)[0]) != fingerprint(first.two(1)[1])
    first.LIMIT = 4
    assert fingerprint(first.made(2)) != of
    first.LIMIT = 3
    first.CACHE["something"] = 1
    assert fingerprint(first.made(2)) == of
    assert fingerprint(load(replace=("by=1", "by=2")).made(2)) != of
    assert fingerprint(load(replace=("CACHE", "# CACHE")).made(2)) != of
    assert fingerprint(load().made(2)) == of


def test_an_object_is_what_pickle_would_write(load) -> None:
    module = load()
    cut = module.Cut(2)
    of = fingerprint(cut.cut)
    cut.read.append("remembered")
    assert fingerprint(cut.cut) == of
    assert fingerprint(module.Cut(3).cut) != of


def test_an_imported_module_counts_wherever_it_is_imported(load, tmp_path) -> None:
    package = tmp_path / "below"
    (package / "deep").mkdir(parents=True)
    texts = {
        "__init__.py": "",
        "deep/__init__.py": "",
        "deep/one.py": "def f():\n    from ..two import number\n    return number\n",
        "two.py": "number = 1\n",
        "table.csv": "a,b\n",
    }

    def of(**changed: str) -> str:
        for name, text in (
            texts | {k.replace("_py", ".py"): v for k, v in changed.items()}
        ).items():
            (package / name).write_text(text)
            os.utime(package / name, (1, 1))
        return fingerprint(load(other="below.deep.one").made(2))

    plain = of()
    assert of() == plain
    assert of(two_py="number = 2\n") != plain
    os.utime(package / "table.csv", (2, 2))
    forget_texts()
    assert fingerprint(sys.modules["made_up"].made(2)) != plain


def test_a_module_changed_after_it_may_have_been_loaded_is_refused(load, tmp_path) -> None:
    module = load()
    os.utime(tmp_path / "made_up.py")
    forget_texts()
    with pytest.raises(Indescribable, match="changed since"):
        fingerprint(module.made(2))


def test_what_gin_may_set_is_refused(load) -> None:
    with pytest.raises(Indescribable, match="gin"):
        fingerprint(load(other="gin").made(2))


def local_class() -> type:
    class Local:
        pass

    return Local


@pytest.mark.parametrize(
    "thing",
    [threading.Lock(), local_class()(), (n for n in [1]), sys.stderr],
    ids=lambda thing: type(thing).__name__,
)
def test_what_cannot_be_described_is_refused(thing) -> None:
    with pytest.raises(Indescribable):
        fingerprint([thing])


def test_what_holds_itself_is_described() -> None:
    held: list = [1]
    held.append(held)
    assert fingerprint(held) == fingerprint(held)


def test_another_process_finds_the_same(load, tmp_path) -> None:
    expected = [fingerprint(load().made(2)), fingerprint({"a", "b", "c"})]
    program = (
        "import made_up; from mt5x.fingerprint import fingerprint as of; "
        "print(of(made_up.made(2)), of({'c', 'b', 'a'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == expected
