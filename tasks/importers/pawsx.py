"""PAWS-X: tab-separated files with the columns id, sentence1, sentence2 and label (0 or 1).

`paws_x/dev-ko.tsv`, `test-ko.tsv` and `train-ko.tsv` become the splits of paws_x_wiki/ko.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.importers import checked
from tasks.importers.checked import Progress

_COLUMNS = ("id", "sentence1", "sentence2", "label")


def rows(path: Path, progress: Progress) -> Iterator[dict[str, Any]]:
    """Yields the rows of one file.

    Raises:
      DataError: a wrong number of columns, an empty field, another label, an id that comes twice.
    """
    unique = checked.Unique()
    for number, row in checked.table(path, _COLUMNS, progress):
        label = int(checked.one_of(path, number, "label", row["label"], ("0", "1")))
        unique.add(path, number, row["id"])
        yield {"sentence1": row["sentence1"], "sentence2": row["sentence2"], "label": label}
