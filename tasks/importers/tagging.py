"""Text of one token a line, columns with tabs between, a blank line after each sentence."""

from collections.abc import Iterator
from pathlib import Path

from tasks.importers import checked
from tasks.importers.base import Reading

Line = tuple[int, list[str]]


def sentences(path: Path, reading: Reading, comments: bool = False) -> Iterator[list[Line]]:
    """Yields the sentences of a file: for each token its line number and columns.

    Args:
      path: the file.
      reading: told of bytes read.
      comments: whether a line that begins with '#' is a comment, as in CoNLL-U. Elsewhere it is a
        token.

    Raises:
      DataError: what `checked.lines` refuses, a token that is empty, a file without sentences.
    """
    tokens: list[Line] = []
    count = 0
    for number, line in checked.lines(path, reading):
        if line:
            if not (comments and line.startswith("#")):
                tokens.append((number, line.split("\t")))
        elif tokens:
            yield tokens
            count += 1
            tokens = []
    if tokens:
        yield tokens
        count += 1
    if not count:
        checked.fail(path, 1, "the file has no sentences")


def columns(path: Path, line: Line, names: str, *counts: int) -> list[str]:
    """Returns the columns of a line, of which there must be as many as one of the counts.

    Raises:
      DataError: another number of columns, or an empty first column; `names` says what was
        expected, 'a token, a tab and a tag'.
    """
    number, fields = line
    if len(fields) not in counts:
        hint = ""
        if len(fields) == 1 and path.name.startswith("test"):
            hint = " (XTREME's script removes the tags of test files; give the original ones)"
        checked.fail(path, number, f"expected {names}, found {len(fields)} columns{hint}")
    if not fields[0].strip():
        checked.fail(path, number, "the token is empty")
    return fields
