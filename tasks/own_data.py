"""Files of two columns, a text and what to answer, as tasks: TSV, CSV or JSONL, one a language.

    from tasks import own_data

    own_data.add(
        "reviews",
        "reviews/{split}.{language}.tsv",
        columns=("text", "label"),
        prefix="review: ",
        labels=("bad", "good"),
    )

registers `reviews_train.{language}` for every train file, `reviews_eval.{language}` for every
validation or test file, and the mixtures `reviews_eval`, `reviews_zeroshot.{source}` and, as
English or the only source, `reviews_zeroshot`. Subsets, few-shot and the other names made on
demand work as for any other data set (`tasks.by_name`).

Files are looked for when `add` is called and read when a task is; then all rows of a split are
checked before the first is given, and one that is wrong is named with its file and line.
"""

import collections
import glob
import json
import os
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import seqio
import tensorflow as tf

from tasks import metrics, postprocessors, vocabulary
from tasks.errors import DataError
from tasks.importers import checked
from tasks.importers.base import SPLITS

_SUFFIXES = (".tsv", ".csv", ".jsonl")
_FIELDS = {"{split}": r"(?P<split>[A-Za-z]+)", "{language}": r"(?P<language>[A-Za-z]\w*)"}
_ROW = {name: tf.TensorSpec((), tf.string) for name in ("inputs", "targets")}

Labels = Sequence[str] | Mapping[str, str]
Files = dict[str, dict[str, list[Path]]]

# The closed sets of targets, by data set.
_labels: dict[str, tuple[str, ...]] = {}


def add(
    name: str,
    files: str | os.PathLike,
    columns: tuple[str, str] = ("text", "label"),
    *,
    prefix: str = "",
    labels: Labels | None = None,
    language: str | None = None,
    header: bool = True,
    metric_fns: Sequence[Callable] = (metrics.accuracy,),
    postprocess_fn: Callable = postprocessors.stripped,
) -> list[str]:
    """Registers the tasks and mixtures of a data set of the user's own.

    Args:
      name: of the data set: letters, digits and '_'.
      files: a path with {split} (train, validation or dev, test) and {language}, where '*' stands
        for anything else (such as the numbers of several files of one split, which hosts share
        out); or a folder with files {split}.{language}.tsv, .csv or .jsonl.
      columns: the column of the text and that of the answer. The first line of a TSV or CSV file
        names its columns, and others may be there; the lines of JSONL are objects with such keys.
      prefix: put before the text, to tell the model the task.
      labels: the answers that there are, which are then scored and not generated, and balanced in
        subsets; or a mapping from what the file says to what the model says. None: free text.
      language: of all files, where their names do not say it.
      header: False for TSV files whose first line is a row: columns are then all of them.
      metric_fns: SeqIO's metrics; by default the share of answers that are exactly right.
      postprocess_fn: SeqIO's, for gold and predictions.

    Returns:
      the names of the tasks, then of the mixtures.

    Raises:
      DataError: no files, a file of another kind, or a name that is taken.
    """
    if not re.fullmatch(r"[A-Za-z]\w*", name):
        raise DataError(f"expected a data set's name of letters, digits and '_', got '{name}'")
    if len(columns) != 2 or columns[0] == columns[1]:
        raise DataError(f"expected two columns, the text's and the answer's, got {columns}")
    if f"{name}_eval" in seqio.MixtureRegistry.names():
        raise DataError(f"there is a data set '{name}' already; give yours another name")
    found = _find(os.fspath(files), language)
    table = _Table((columns[0], columns[1]), prefix, _mapping(labels), header)
    if labels is not None:
        _labels[name] = tuple(dict.fromkeys(table.labels.values()))
    tasks = []
    for kind, wanted in (("train", ("train",)), ("eval", ("validation", "test"))):
        for code, by_split in sorted(found.items()):
            splits = {split: by_split[split] for split in wanted if split in by_split}
            if not splits:
                continue
            tasks.append(f"{name}_{kind}.{code}")
            seqio.TaskRegistry.add(
                tasks[-1],
                source=_FileSource(table, splits),
                preprocessors=[
                    vocabulary.ready,
                    seqio.preprocessors.tokenize,
                    seqio.CacheDatasetPlaceholder(),
                    seqio.preprocessors.append_eos_after_trim,
                ],
                postprocess_fn=postprocess_fn,
                metric_fns=list(metric_fns),
                output_features=vocabulary.features(),
            )
    return [*tasks, *_add_mixtures(name, tasks)]


def labels(task_name: str) -> tuple[str, ...] | None:
    """Returns the closed set of a task's targets, or None where `add` was given none."""
    data = re.fullmatch(r"(\w+)_(?:train|eval)\.\w+", task_name)
    return _labels.get(data[1]) if data else None


def _add_mixtures(name: str, tasks: Sequence[str]) -> list[str]:
    evaluated = [task for task in tasks if task.startswith(f"{name}_eval.")]
    training = [task for task in tasks if task.startswith(f"{name}_train.")]
    mixtures = {f"{name}_eval": evaluated} if evaluated else {}
    for task in training:
        code = task.rpartition(".")[2]
        mixtures[f"{name}_zeroshot.{code}"] = [task, *evaluated]
        if code == "en" or len(training) == 1:
            mixtures[f"{name}_zeroshot"] = [task, *evaluated]
    for mixture, parts in mixtures.items():
        seqio.MixtureRegistry.add(mixture, parts, default_rate=1.0)
    return list(mixtures)


def _mapping(labels: Labels | None) -> dict[str, str]:
    if labels is None or isinstance(labels, Mapping):
        return dict(labels or {})
    if isinstance(labels, str):
        raise DataError(f"expected labels as a tuple or a dict, got the text '{labels}'")
    return {label: label for label in labels}


def _find(files: str, language: str | None) -> Files:
    """Returns the files by language and split.

    Raises:
      DataError: there are none, or what they are is not clear.
    """
    if Path(files).is_dir():
        files += "/{split}.*" if language else "/{split}.{language}.*"
    if "{split}" not in files or (language is None) != ("{language}" in files):
        raise DataError(
            f"expected a folder, or a path with {{split}} and {{language}} as in "
            f"'reviews/{{split}}.{{language}}.tsv' (without {{language}}, language='sw'), got "
            f"'{files}'"
        )
    parts = re.split(r"(\{split\}|\{language\}|\*)", files)
    anything = "".join("*" if part in _FIELDS else part for part in map(_escaped, parts))
    form = re.compile(
        "".join(_FIELDS.get(p) or ("[^/]*" if p == "*" else re.escape(p)) for p in parts)
    )
    found: Files = collections.defaultdict(lambda: collections.defaultdict(list))
    named: dict[tuple[str, str], str] = {}
    for path in sorted(glob.glob(anything)):  # noqa: PTH207 (Path cannot: the root may have '*')
        match = form.fullmatch(path)
        if match is None or match["split"] not in SPLITS or not path.endswith(_SUFFIXES):
            continue
        code, split = language or match["language"], SPLITS[match["split"]]
        if named.setdefault((code, split), match["split"]) != match["split"]:
            raise DataError(
                f"{path} and the files of '{named[code, split]}' both are the split '{split}' of "
                f"'{code}'; leave one of them away"
            )
        found[code][split].append(Path(path))
    if not any("train" in splits or "validation" in splits for splits in found.values()):
        raise DataError(
            f"there is no file '{files}': expected splits train, validation (or dev) and test, and "
            f"names that end in {', '.join(_SUFFIXES)}"
        )
    return found


def _escaped(part: str) -> str:
    """Returns a part of a path as glob takes it literally; wildcards and fields as they are."""
    return part if part == "*" or part in _FIELDS else glob.escape(part)


class _Table:
    """How the rows of a file become inputs and targets.

    Attributes:
      columns: of the text and of the answer.
      prefix: put before the text.
      labels: what the file says to the target; empty where targets are free text.
      header: whether the first line of a TSV file names its columns.
    """

    def __init__(self, columns: tuple[str, str], prefix: str, labels: dict[str, str], header: bool):
        self.columns, self.prefix, self.labels, self.header = columns, prefix, labels, header

    def rows(self, path: Path) -> Iterator[dict[str, str]]:
        """Yields the rows of a file.

        Raises:
          DataError: a row that is not as it should be, with its file and line.
        """
        text, answer = self.columns
        for line, row in self._lines(path):
            target = row[answer]
            for column in self.columns:
                if not row[column].strip():
                    checked.fail(path, line, f"the column '{column}' is empty")
            if self.labels:
                checked.one_of(path, line, answer, target, list(self.labels))
            yield {"inputs": self.prefix + row[text], "targets": self.labels.get(target, target)}

    def _lines(self, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
        if path.suffix == ".jsonl":
            return self._objects(path)
        if path.suffix == ".csv":
            return checked.csv_table(path, self.columns)
        if self.header:
            return checked.table(path, self.columns)
        return checked.fields(path, self.columns)

    def _objects(self, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
        for number, line in checked.lines(path):
            try:
                row = json.loads(line)
            except ValueError as error:
                checked.fail(path, number, f"not valid JSON: {error}")
            if not isinstance(row, dict):
                checked.fail(path, number, f"expected an object with {' and '.join(self.columns)}")
            for column in self.columns:
                if column not in row:
                    checked.fail(path, number, f"the key '{column}' is missing")
                if isinstance(row[column], bool) or not isinstance(row[column], str | int):
                    checked.fail(path, number, f"'{column}' must be a text or a whole number")
            yield number, {column: str(row[column]) for column in self.columns}


class _FileSource(seqio.FileDataSource):
    """The checked rows of files as texts; hosts share out the files, or else the rows."""

    def __init__(self, table: _Table, splits: Mapping[str, Sequence[Path]]):
        self._table = table
        # Number of rows, by file and its state.
        self._checked: dict[Hashable, int] = {}
        # A generator is Python's: nothing of it is to be traced.
        read = tf.autograph.experimental.do_not_convert(self._read)
        super().__init__(
            read, {split: [str(path) for path in paths] for split, paths in splits.items()}
        )

    def __getstate__(self) -> dict[str, Any]:
        # What it is, without what it has counted: the same before and after it was read.
        return {**self.__dict__, "_checked": {}}

    def list_shards(self, split: str) -> Sequence[str]:
        """Returns the files of a split."""
        return list(self._split_to_filepattern[split])

    def num_input_examples(self, split: str) -> int:
        """Returns the number of rows, all of which are checked."""
        return sum(self._check(Path(name)) for name in self.list_shards(split))

    def get_dataset(self, split: str = "train", *args: Any, **kwargs: Any) -> tf.data.Dataset:
        """Returns the rows of a split, or a host's share of them.

        Raises:
          DataError: a row of the split is not as it should be.
        """
        self.num_input_examples(split)
        return super().get_dataset(split, *args, **kwargs)

    def _check(self, path: Path) -> int:
        if not path.is_file():
            raise DataError(f"the file {path} is not there any more")
        found = path.stat()
        key = (path, found.st_size, found.st_mtime_ns)
        if key not in self._checked:
            self._checked[key] = sum(1 for _ in self._table.rows(path))
        return self._checked[key]

    def _read(self, name: tf.Tensor) -> tf.data.Dataset:
        def rows(path: bytes) -> Iterator[dict[str, str]]:
            yield from self._table.rows(Path(path.decode()))

        return tf.data.Dataset.from_generator(rows, args=(name,), output_signature=_ROW)
