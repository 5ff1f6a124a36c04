"""XNLI and MNLI: tab-separated files with the columns premise, hypothesis and label.

`xnli/dev-sw.tsv` and `xnli/test-sw.tsv` become xnli's splits: the files of all languages hold the
same examples in the same order. `xnli/train-en.tsv` becomes the train split of multi_nli, and its
translations `train-{language}.tsv` xtreme_xnli. `mnli/validation_matched*.tsv` (with a column
`index`) becomes multi_nli's split of that name.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks import languages
from tasks.importers import checked
from tasks.importers.checked import Progress
from tasks.tfds_schemas import NLI_LABELS

_COLUMNS = ("premise", "hypothesis", "label")


def parallel_rows(files: Mapping[str, Path], progress: Progress) -> Iterator[dict[str, Any]]:
    """Yields rows in all languages from one file a language.

    A language without a file has an empty premise and no hypothesis; its tasks skip the rows.

    Raises:
      DataError: a malformed file, or files that are not translations of one another, line by line.
    """
    readers = {code: plain_rows(path, progress) for code, path in sorted(files.items())}
    first, *others = readers
    for number, row in readers[first]:
        rows = {first: row}
        for code in others:
            _, other = next(readers[code], (0, None))
            if other is None:
                checked.fail(
                    files[code], number, f"the file ends, but {files[first].name} has more rows"
                )
            if other["label"] != row["label"]:
                checked.fail(
                    files[code],
                    number,
                    f"the label is '{other['label']}', but '{row['label']}' in "
                    f"{files[first].name}; all languages must hold the same examples in one order",
                )
            rows[code] = other
        yield {
            "premise": {
                code: rows[code]["premise"] if code in rows else "" for code in languages.XNLI
            },
            "hypothesis": {code: rows[code]["hypothesis"] for code in rows},
            "label": row["label"],
        }
    for code in others:
        for number, _ in readers[code]:
            checked.fail(files[code], number, f"more rows than in {files[first].name}")


def plain_rows(path: Path, progress: Progress) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields (line number, row) of one file."""
    for number, row in checked.table(path, _COLUMNS, progress):
        checked.one_of(path, number, "label", row["label"], NLI_LABELS)
        yield number, row


def indexed_rows(path: Path, progress: Progress) -> Iterator[dict[str, str]]:
    """Yields the rows of an MNLI file, whose column `index` holds no value twice."""
    unique = checked.Unique()
    for number, row in checked.table(path, ("index", *_COLUMNS), progress):
        checked.one_of(path, number, "label", row["label"], NLI_LABELS)
        unique.add(path, number, row.pop("index"))
        yield row
