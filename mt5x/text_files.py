"""Texts to predict for, from a file or a pipe, and the predictions as JSON lines."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mt5x.errors import UserError
from mt5x.prediction import Decode
from mt5x.whole_file import write_whole

# Stands for standard input and standard output, as elsewhere.
PIPE = "-"

_INPUTS = "inputs"
_ONE, _ALL = ("prediction", "score"), ("predictions", "scores")
_BAD_LINES_SHOWN = 3


def read_records(input_file: str) -> list[dict[str, Any]]:
    """Returns one record a line, each with a text in its field 'inputs'.

    A line that begins with a brace is a JSON object, of which all fields are kept; any other is a
    text, an empty one too.

    Args:
      input_file: a file in UTF-8, or '-' for standard input.

    Raises:
      UserError: it cannot be read, is empty, or has bad lines, which are named.
    """
    name = "standard input" if input_file == PIPE else input_file
    try:
        data = sys.stdin.buffer.read() if input_file == PIPE else Path(input_file).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {name}: {error.strerror}") from error
    # Only these end a line: JSON may hold the others that Python's splitlines knows.
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()
    if not lines:
        raise UserError(f"{name} has no lines: expected one text, or one JSON object, a line")
    records, bad = [], []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(_record(line.removesuffix(b"\r")))
        except ValueError as error:
            bad.append(f"line {number}: {error}")
    if bad:
        more = len(bad) - _BAD_LINES_SHOWN
        raise UserError(
            f"{name}, "
            + "; ".join(bad[:_BAD_LINES_SHOWN])
            + (f"; and {more} more bad lines" if more > 0 else "")
        )
    return records


def write_predictions(
    output_file: str,
    records: Sequence[dict[str, Any]],
    decodes: Sequence[Sequence[Decode]],
    all_decodes: bool,
) -> None:
    """Writes each record with what was predicted for it, all of them or nothing.

    Args:
      output_file: a file, or '-' for standard output.
      records: as `read_records` returned them.
      decodes: of each record, best first.
      all_decodes: write the lists 'predictions' and 'scores' instead of the best one's
        'prediction' and 'score'.
    """
    lines = []
    for record, of_record in zip(records, decodes, strict=True):
        if all_decodes:
            values: tuple[Any, Any] = (
                [one.text for one in of_record],
                [one.score for one in of_record],
            )
        else:
            values = (of_record[0].text, of_record[0].score)
        names = _ALL if all_decodes else _ONE
        lines.append(
            json.dumps({**record, **dict(zip(names, values, strict=True))}, ensure_ascii=False)
        )
    content = ("\n".join(lines) + "\n").encode("utf-8")
    if output_file == PIPE:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_whole(Path(output_file), content)


def _record(line: bytes) -> dict[str, Any]:
    """Raises ValueError, with what was expected and came, for a line that is no record."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"expected UTF-8, got the byte {line[error.start]:#04x}") from error
    if not text.startswith("{"):
        return {_INPUTS: text}
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"expected a JSON object since it begins with a brace, got {error.msg.lower()} at "
            f"character {error.pos + 1}"
        ) from error
    if not isinstance(record.get(_INPUTS), str):
        kind = type(record[_INPUTS]).__name__ if _INPUTS in record else "none"
        raise ValueError(f"expected a text in the field '{_INPUTS}', got {kind}")
    try:
        json.dumps(record, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ValueError(f"expected characters, got half of one, {half!a}") from error
    for name in (*_ONE, *_ALL):
        if name in record:
            raise ValueError(f"rename the field '{name}', in which the prediction goes")
    return record
