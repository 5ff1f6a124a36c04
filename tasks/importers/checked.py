"""Reading text files that must be right: what is not is named with file, line and reason."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from tasks.errors import DataError

# Called with the number of bytes read since the last call.
Progress = Callable[[int], object]

_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "begins with a byte-order mark; save it as UTF-8 without BOM",
    b"\xff\xfe": "is UTF-16, not UTF-8; convert it to UTF-8",
    b"\xfe\xff": "is UTF-16, not UTF-8; convert it to UTF-8",
}
_LINES_BETWEEN_PROGRESS = 1000


def fail(path: Path, line: int, reason: str) -> NoReturn:
    """Raises the error of one place in one file."""
    raise DataError(f"{path}, line {line}: {reason}")


def text(path: Path) -> str:
    """Returns a whole file, checked as `lines` checks it."""
    return "\n".join(line for _, line in lines(path))


def lines(path: Path, progress: Progress = lambda count: None) -> Iterator[tuple[int, str]]:
    """Yields (line number from 1, line without its newline); the end of the file is no line.

    Raises:
      DataError: invalid UTF-8, a byte-order mark, Windows line ends or a NUL character.
    """
    content = path.read_bytes()
    for mark, reason in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            fail(path, 1, f"the file {reason}")
    if not content:
        fail(path, 1, "the file is empty")
    raw_lines = content.removesuffix(b"\n").split(b"\n")
    del content
    pending = 0
    for number, raw in enumerate(raw_lines, 1):
        if b"\r" in raw:
            fail(path, number, "a Windows line end (CRLF); convert the file to Unix line ends")
        if b"\0" in raw:
            fail(path, number, "a NUL character; the file is damaged or not UTF-8")
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            fail(path, number, f"not valid UTF-8 at byte {error.start + 1} of the line")
        yield number, line
        pending += len(raw) + 1
        if number % _LINES_BETWEEN_PROGRESS == 0:
            progress(pending)
            pending = 0
    progress(pending)


def table(
    path: Path, columns: Sequence[str], progress: Progress = lambda count: None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields (line number, row) of a tab-separated file whose first line names its columns.

    Columns may be in any order and others may be there, but every row has as many fields as the
    first line, and none of the `columns` is empty. Quotes are ordinary characters.
    """
    header: list[str] = []
    for number, line in lines(path, progress):
        fields = line.split("\t")
        if number == 1:
            header = fields
            if missing := [column for column in columns if column not in header]:
                fail(
                    path,
                    1,
                    f"the first line must name the columns {' '.join(columns)} with tabs between "
                    f"them, but {' '.join(missing)} is not there",
                )
            continue
        if len(fields) != len(header):
            fail(path, number, f"expected {len(header)} columns, found {len(fields)}")
        row = dict(zip(header, fields, strict=True))
        for column in columns:
            if not row[column].strip():
                fail(path, number, f"the column '{column}' is empty")
        yield number, {column: row[column] for column in columns}
    if number == 1:
        fail(path, 1, "the file has no rows after its first line")


def one_of(path: Path, line: int, what: str, value: str, allowed: Sequence[str]) -> str:
    """Returns the value, which must be one of those allowed."""
    if value not in allowed:
        fail(path, line, f"unknown {what} '{value}', expected one of {' '.join(allowed)}")
    return value


class Unique:
    """Sees to it that no id comes twice, in one file or in several that are read together."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Path, int]] = {}

    def add(self, path: Path, line: int, identifier: str) -> None:
        """Remembers an id; raises DataError where it was seen before."""
        if identifier in self._seen:
            first_path, first_line = self._seen[identifier]
            where = f"line {first_line}" if first_path == path else f"{first_path.name}"
            fail(path, line, f"the id '{identifier}' was used before, in {where}")
        self._seen[identifier] = (path, line)
