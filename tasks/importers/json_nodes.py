"""JSON that must be right: members are asked for by name and type, and errors know their line.

One reading for both forms: a whole document (`document`) and one object a line (`json_lines`).
In a document the line is found when it is needed, by walking once more to the place of the error.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tasks.importers import checked
from tasks.importers.checked import Progress

_TYPES: dict[type, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}
_SPACE = " \t\n\r"


class Node:
    """A value in a JSON file, and where it stands.

    Attributes:
      value: the value as `json` reads it.
      path: the file.
      what: what error messages call the node, 'question 7a'; '' says nothing.
    """

    def __init__(
        self,
        value: Any,
        path: Path,
        line: int,
        content: str = "",
        steps: tuple[str | int, ...] = (),
        what: str = "",
    ):
        """`content` is a whole document that begins at `line`; '' where a line is all there is."""
        self.value, self.path, self.what = value, path, what
        self._first_line, self._content, self._steps = line, content, steps

    @property
    def line(self) -> int:
        """The line of the file where the value begins, counted from 1."""
        if not self._content:
            return self._first_line
        offset = _offset(self._content, self._steps)
        return self._first_line + self._content.count("\n", 0, offset)

    def fail(self, reason: str) -> NoReturn:
        """Raises DataError with file, line and reason."""
        checked.fail(self.path, self.line, f"{self.what}: {reason}" if self.what else reason)

    def has(self, name: str) -> bool:
        """Whether this is an object with such a member."""
        return isinstance(self.value, dict) and name in self.value

    def member(self, name: str) -> "Node":
        """Returns the member of this object, whatever its type."""
        if not self.has(name):
            self.fail(f"'{name}' is missing")
        return self.at(name)

    def get(self, name: str, kind: type) -> Any:
        """Returns the value of a member, which is of the type that is given."""
        return self.member(name).of_type(kind, name)

    def of_type(self, kind: type, name: str) -> Any:
        """Returns the value, which is of the type; `name` is what an error calls it."""
        kinds = (int, float) if kind is float else (kind,)
        if not isinstance(self.value, kinds) or (isinstance(self.value, bool) and kind is not bool):
            found = short(json.dumps(self.value, ensure_ascii=False))
            self.fail(f"'{name}' must be {_TYPES[kind]}, found {found}")
        return self.value

    def filled(self, name: str) -> str:
        """Returns the value of a string member that is not blank."""
        value = self.get(name, str)
        if not value.strip():
            self.member(name).fail(f"'{name}' is empty")
        return value

    def one_of(self, name: str, allowed: Sequence[str]) -> str:
        """Returns the value of a string member that is one of those allowed."""
        value = self.get(name, str)
        if value not in allowed:
            expected = " ".join(allowed)
            self.member(name).fail(f"unknown {name} '{short(value)}', expected one of {expected}")
        return value

    def elements(self, name: str) -> Iterator["Node"]:
        """Yields the elements of a list member."""
        below = self.member(name)
        for number in range(len(below.of_type(list, name))):
            yield below.at(number)

    def texts(self, name: str) -> list[str]:
        """Returns the elements of a list member, all of which are strings that are not blank."""
        found = []
        for number, node in enumerate(self.elements(name)):
            called = f"{name}[{number}]"
            if not node.of_type(str, called).strip():
                node.fail(f"'{called}' is empty")
            found.append(node.value)
        return found

    def called(self, what: str) -> "Node":
        """Returns the same node, called so in errors."""
        return Node(self.value, self.path, self._first_line, self._content, self._steps, what)

    def at(self, step: str | int) -> "Node":
        """Returns the member of this object, or the element of this list, which must be there."""
        steps = (*self._steps, step)
        return Node(self.value[step], self.path, self._first_line, self._content, steps, self.what)


def document(path: Path, progress: Progress = lambda count: None) -> Node:
    """Reads a file that is one JSON document.

    Raises:
      DataError: what `checked.lines` refuses, and what is not JSON.
    """
    content = checked.text(path, progress)
    return Node(_parse(content, path, 1), path, 1, content)


def json_lines(
    path: Path, progress: Progress = lambda count: None, *, crlf: bool = False
) -> Iterator[Node]:
    """Yields the objects of a file that holds one JSON object a line; `crlf` as in `lines`.

    Raises:
      DataError: what `checked.lines` refuses, a blank line, what is not a JSON object.
    """
    for number, line in checked.lines(path, progress, crlf=crlf):
        if not line.strip():
            checked.fail(path, number, "the line is blank; expected a JSON object")
        value = _parse(line, path, number)
        if not isinstance(value, dict):
            checked.fail(path, number, f"expected a JSON object, found {short(line)}")
        yield Node(value, path, number)


def short(text: str) -> str:
    """Returns a text as an error message quotes it: at most 40 characters."""
    return text if len(text) <= 40 else text[:37] + "..."


def _parse(content: str, path: Path, first_line: int) -> Any:
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        checked.fail(
            path,
            first_line + error.lineno - 1,
            f"not valid JSON at column {error.colno}: {error.msg}",
        )
    except RecursionError:
        checked.fail(path, first_line, "not a JSON file of this data set: nested too deeply")


def _offset(content: str, steps: Sequence[str | int]) -> int:
    """Returns where in a valid JSON text the value begins that the steps lead to."""
    decode = json.JSONDecoder().raw_decode
    position = _skip(content, 0)
    for step in steps:
        count = 0
        last = position
        position = _skip(content, position + 1)
        while True:
            key: Any = count
            if isinstance(step, str):
                key, position = decode(content, position)
                position = _skip(content, _skip(content, position) + 1)
            if key == step:
                last = position
                # The last of equal keys is the one that counts; a list's element is unique.
                if isinstance(step, int):
                    break
            _, position = decode(content, position)
            position = _skip(content, position)
            if content[position] != ",":
                break
            position = _skip(content, position + 1)
            count += 1
        position = last
    return position


def _skip(content: str, position: int) -> int:
    while content[position] in _SPACE:
        position += 1
    return position
