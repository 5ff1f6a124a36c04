"""Reading text files that must be right: what is not is named with file, line and reason."""

import csv
import types
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from tasks.errors import DataError
from tasks.importers.base import Reading

# Called with the number of bytes read since the last call.
Progress = Callable[[int], object]

_BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "begins with a byte-order mark; save it as UTF-8 without BOM",
    b"\xff\xfe": "is UTF-16, not UTF-8; convert it to UTF-8",
    b"\xfe\xff": "is UTF-16, not UTF-8; convert it to UTF-8",
}
_LINES_BETWEEN_PROGRESS = 1000
# Of damaged rows that are left out, there is at most one in so many.
_ROWS_TO_A_DAMAGED_ONE = 100


def fail(path: Path, line: int, reason: str) -> NoReturn:
    """Raises the error of one place in one file."""
    raise DataError(f"{path}, line {line}: {reason}")


def text(path: Path, progress: Progress = lambda count: None) -> str:
    """Returns a whole file, checked as `lines` checks it."""
    return "\n".join(line for _, line in lines(path, progress))


def lines(
    path: Path, progress: Progress = lambda count: None, *, crlf: bool = False
) -> Iterator[tuple[int, str]]:
    """Yields (line number from 1, line without its newline); the end of the file is no line.

    Args:
      path: the file, which is read as a stream.
      progress: told of bytes read.
      crlf: whether lines may end as Windows ends them, as some distributions have it.

    Raises:
      DataError: invalid UTF-8, a byte-order mark, Windows line ends or a NUL character.
    """
    for number, raw in raw_lines(path, progress, crlf=crlf):
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            fail(path, number, not_utf8(error))
        yield number, line


def raw_lines(
    path: Path, progress: Progress = lambda count: None, *, crlf: bool = False
) -> Iterator[tuple[int, bytes]]:
    """Yields (line number, line) as `lines` does, before the bytes are read as UTF-8."""
    pending = number = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1:
                for mark, reason in _BYTE_ORDER_MARKS.items():
                    if line.startswith(mark):
                        fail(path, 1, f"the file {reason}")
            pending += len(line)
            line = line.removesuffix(b"\n")
            if crlf:
                line = line.removesuffix(b"\r")
            if b"\r" in line:
                fail(path, number, "a Windows line end (CRLF); convert the file to Unix line ends")
            if b"\0" in line:
                fail(path, number, "a NUL character; the file is damaged or not UTF-8")
            yield number, line
            if number % _LINES_BETWEEN_PROGRESS == 0:
                progress(pending)
                pending = 0
    if not number:
        fail(path, 1, "the file is empty")
    progress(pending)


def not_utf8(error: UnicodeDecodeError) -> str:
    """Returns what is wrong with a line that cannot be read as UTF-8."""
    return f"not valid UTF-8 at byte {error.start + 1} of the line"


def table(
    path: Path,
    columns: Sequence[str],
    progress: Progress = lambda count: None,
    *,
    also: Mapping[str, str] = types.MappingProxyType({}),
    optional: Collection[str] = (),
    may_be_empty: Collection[str] = (),
    damaged: Reading | None = None,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields (line number, row) of a tab-separated file whose first line names its columns.

    Columns may be in any order and others may be there, but every row has as many fields as the
    first line, and none of the `columns` is empty. Quotes are ordinary characters.

    Args:
      path: the file.
      columns: the columns to read.
      progress: told of bytes read.
      also: other names of columns, {'sentence1': 'premise'}.
      optional: columns at the end that a row may lack.
      may_be_empty: those of the columns to read that may be empty.
      damaged: given for a distribution that is known for damaged rows, which it is told of and
        which are left out, if they are few (`Damage`); else every such row is an error.
    """
    must_be_filled = [column for column in columns if column not in may_be_empty]
    header: list[str] = []
    damage = Damage(path, damaged)
    for number, line in lines(path, progress):
        fields = line.split("\t")
        if number == 1:
            header = [also.get(name, name) for name in fields]
            _check_header(path, header, columns)
            fewest = len(header)
            while header[fewest - 1] in optional:
                fewest -= 1
            continue
        if not fewest <= len(fields) <= len(header):
            expected = f"{len(header)}" if fewest == len(header) else f"{fewest} to {len(header)}"
            damage.found(number, f"expected {expected} columns, found {len(fields)}")
            continue
        row = dict(zip(header, fields, strict=False))
        if empty := [name for name in must_be_filled if not row[name].strip()]:
            damage.found(number, f"the column '{empty[0]}' is empty")
            continue
        yield number, {column: row[column] for column in columns}
    if number == 1:
        fail(path, 1, "the file has no rows after its first line")
    damage.end(number - 1)


def fields(
    path: Path, columns: Sequence[str], progress: Progress = lambda count: None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields (line number, row) of a tab-separated file without a header, all columns named here.

    A field may be empty: the caller knows which must not.
    """
    for number, line in lines(path, progress):
        values = line.split("\t")
        if len(values) != len(columns):
            fail(path, number, f"expected {len(columns)} columns, found {len(values)}")
        yield number, dict(zip(columns, values, strict=True))


def csv_table(
    path: Path, columns: Sequence[str], progress: Progress = lambda count: None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields (line number, row) of a comma-separated file with quotes, as RFC 4180 has it.

    Lines may end in CRLF, as they do in that standard, and a quoted field may hold line ends. The
    line number is that of the row's last line. Other rules are those of `table`.
    """
    header: list[str] = []
    reader = csv.reader((line + "\n" for _, line in lines(path, progress, crlf=True)), strict=True)
    try:
        for fields in reader:
            if not header:
                header = fields
                _check_header(path, header, columns, "commas")
                continue
            if len(fields) != len(header):
                fail(path, reader.line_num, f"expected {len(header)} columns, found {len(fields)}")
            row = dict(zip(header, fields, strict=True))
            for column in columns:
                if not row[column].strip():
                    fail(path, reader.line_num, f"the column '{column}' is empty")
            yield reader.line_num, {column: row[column] for column in columns}
    except csv.Error as error:
        fail(path, reader.line_num, f"not valid CSV: {error}")
    if reader.line_num <= 1:
        fail(path, 1, "the file has no rows after its first line")


def first_line(path: Path) -> str:
    """Returns the first line of a file, for telling its form."""
    return next(lines(path))[1]


def _check_header(
    path: Path, header: Sequence[str], columns: Sequence[str], between: str = "tabs"
) -> None:
    if missing := [column for column in columns if column not in header]:
        fail(
            path,
            1,
            f"the first line must name the columns {' '.join(columns)} with {between} between "
            f"them, but {' '.join(missing)} is not there",
        )


class Damage:
    """Rows of a distribution that are known to be damaged in places: left out, while they are few.

    More than one row in a hundred is not the damage that is known; then the first is an error.
    """

    def __init__(self, path: Path, reading: Reading | None):
        """Where `reading` is None the file is not known for damage: the first is an error."""
        self._path, self._reading = path, reading
        self._count = 0
        self._first: tuple[int, str] = (0, "")

    def found(self, line: int, reason: str) -> None:
        """Counts a damaged row; where the file is not known for such, raises DataError."""
        if self._reading is None:
            fail(self._path, line, reason)
        self._reading.leave_out(self._path, reason)
        self._first = self._first if self._count else (line, reason)
        self._count += 1

    def end(self, rows: int) -> None:
        """Raises DataError where too many of the file's rows were damaged."""
        if self._count * _ROWS_TO_A_DAMAGED_ONE > rows:
            line, reason = self._first
            fail(
                self._path,
                line,
                f"{reason}; {self._count} of {rows} rows are damaged, and no more than one in "
                f"{_ROWS_TO_A_DAMAGED_ONE} is left out",
            )


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
