"""Plain text as mC4: mC4's own shards, or a user's text with one document or sentence a line.

`c4-sw.tfrecord-00000-of-00512.json.gz` (Xue et al. 2021, in AllenAI's distribution; unpacked, too)
becomes the split sw of c4/multilingual, `c4-sw-validation.tfrecord-*` the split sw-validation.
`text/train-sw.txt` and `text/validation-sw.txt` become the same splits: text for statistics of a
pretrained model, or to go on pretraining with. Languages of text files are the project's codes,
from which mC4's differ in two.
"""

import functools
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tasks import languages
from tasks.errors import DataError
from tasks.importers import checked
from tasks.importers.base import Importer, Match, Plan, Reader, Reading
from tasks.importers.json_nodes import Node
from tasks.tfds_schemas import SCHEMAS

BLANK = "a blank line"


def text_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields a row per line of a text; blank lines are left out and counted.

    Raises:
      DataError: what `checked.lines` refuses, or a file of blank lines alone.
    """
    count = 0
    for number, line in checked.lines(path, reading):
        if line.strip():
            yield _row(line, f"{path.name}#{number}")
            count += 1
        else:
            reading.leave_out(path, BLANK)
    if not count:
        checked.fail(path, 1, "the file has blank lines alone")


def shard_rows(path: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """Yields the documents of a shard of mC4: a JSON object with text, url and timestamp a line.

    Raises:
      DataError: an archive that is cut off or damaged, a line that is not a JSON object, a member
        that is absent, empty or no text.
    """
    for number, line in _lines(path, reading):
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            checked.fail(path, number, f"not valid JSON at column {error.colno}: {error.msg}")
        page = Node(value, path, number)
        yield _row(page.filled("text"), page.get("url", str), page.get("timestamp", str))


def _row(text: str, url: str, timestamp: str = "") -> dict[str, Any]:
    # mC4's files have no content type and length, but TFDS's data set does.
    return {
        "text": text,
        "url": url,
        "timestamp": timestamp,
        "content-type": "",
        "content-length": "",
    }


def _lines(path: Path, reading: Reading) -> Iterator[tuple[int, str]]:
    """Yields the lines of a shard, compressed or not, without holding it in memory."""
    if path.suffix != ".gz":
        yield from checked.lines(path, reading)
        return
    number = 0
    try:
        with gzip.open(path) as file:
            for number, raw in enumerate(file, 1):
                yield number, raw.decode("utf-8")
    except UnicodeDecodeError as error:
        checked.fail(path, number, checked.not_utf8(error))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        checked.fail(path, number + 1, f"the archive is damaged or not gzip: {error}")
    if not number:
        checked.fail(path, 1, "the file is empty")
    reading(path.stat().st_size)


def _plan(matches: Sequence[Match], plan: Plan) -> None:
    (schema,) = SCHEMAS["c4"]
    name = f"c4/multilingual:{schema.version}"
    shards: dict[tuple[str, int], dict[int, Path]] = {}
    for match in matches:
        language = match["language"]
        if match.pattern == 0:
            split = f"{language}-validation" if match["validation"] else language
            group = shards.setdefault((split, int(match["count"])), {})
            earlier = group.setdefault(int(match["number"]), match.path)
            if earlier != match.path:
                raise DataError(f"{earlier} and {match.path} are the same shard; leave one away")
        else:
            code = languages.MC4_CODES.get(language, language)
            split = code if match["split"] == "train" else f"{code}-validation"
            plan.add(
                name,
                split,
                [match.path],
                functools.partial(text_rows, match.path),
            )
    for (split, count), group in sorted(shards.items()):
        paths = [path for _, path in sorted(group.items())]
        plan.add(name, split, paths, _joined(paths))
        if len(group) < count:
            plan.missing.append(f"{name} {split}: {len(group)} of {count} shards")


def _joined(paths: Sequence[Path]) -> Reader:
    return lambda reading: (row for path in paths for row in shard_rows(path, reading))


_LANGUAGE = r"(?P<language>[a-z]{2,3}(?:-Latn)?)"
IMPORTER = Importer(
    name="Text as mC4",
    patterns=(
        rf"c4-{_LANGUAGE}(?P<validation>-validation)?\.tfrecord-"
        r"(?P<number>\d{5})-of-(?P<count>\d{5})\.json(?:\.gz)?",
        rf"text/(?P<split>train|validation)-{_LANGUAGE}\.txt",
    ),
    layout=(
        "c4-LANGUAGE*.tfrecord-*.json.gz  shards of mC4",
        "text/{train,validation}-LANGUAGE.txt  your text, a document or sentence a line",
    ),
    plan=_plan,
)
