"""Made-up rows, stored and read as the tasks store and read them, beside texts written by hand."""

from pathlib import Path
from typing import Any, NamedTuple

from tasks import data_dir
from tasks.source import TfdsSource
from tasks.tfds_writer import write_dataset


class Case(NamedTuple):
    """Rows of one split of a data set, and the texts that they become."""

    name: str
    split: str
    rows: list[dict[str, Any]]
    steps: tuple
    texts: list[tuple[str, str]]

    def __str__(self) -> str:
        return f"{self.name}-{self.split}"


def formatted(
    name: str, split: str, rows: list[dict[str, Any]], steps: tuple, folder: Path
) -> list[dict[str, Any]]:
    """Stores the rows, reads them as a task does, and returns what the steps make of them."""
    write_dataset(name, {split: rows}, folder)
    data_dir.use(folder)
    dataset = TfdsSource(name, {split: split}).get_dataset(split, shuffle=False)
    for step in steps:
        dataset = step(dataset)
    return list(dataset.as_numpy_iterator())


def texts_of(made: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The inputs and targets."""
    return [(row["inputs"].decode(), row["targets"].decode()) for row in made]
