"""The fingerprint of what a stage reads of the data; what else lies beside it is no matter.

So a benchmark may be imported beside those that finished stages were trained on.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mt5x import config, input_pipeline
from mt5x.studies import stage as kinds

# TFDS's record of a data set; what all of a sample world was made from, and its vocabulary.
_RECORD = "dataset_info.json"
_WORLD, _VOCABULARY = "world.json", "sentencepiece.model"
# A data set's folder, such as 'wikiann/en/1.0.0', and one of its splits; None: all of them.
_Part = tuple[str, str | None]


class DataRead:
    """The data sets of a TFDS_DATA_DIR as they were when this was made."""

    def __init__(self, folder: str | Path):
        self._common: dict[str, str] = {}
        self._records: dict[str, bytes] = {}
        self._asked: dict[tuple[str, frozenset[str] | None], frozenset[_Part] | None] = {}
        for file in sorted(Path(folder).rglob("*")):
            if file.name == _RECORD:
                self._records[file.parent.relative_to(folder).as_posix()] = file.read_bytes()
            elif file.name in (_WORLD, _VOCABULARY):
                self._common[file.relative_to(folder).as_posix()] = _digest(file)

    def of_loaded_stage(self, kind: str) -> str:
        """Returns the fingerprint of the data that the stage whose config is loaded reads.

        That is what the records of its data sets say of the splits that its tasks have, the
        vocabularies, and what a sample world was made from. Where it cannot be told what is read (a
        name is unknown, or a task reads something else than TFDS's data sets) all records count.

        Args:
          kind: the stage's.
        """
        try:
            parts = self._parts(kind)
        except Exception:  # A name made on demand raises what it likes; the stage will say it.
            parts = None
        if parts is None:
            found = {name: _hash(record) for name, record in self._records.items()}
        else:
            found = {name: self._record_of(name, parts) for name in self._stored(parts)}
        return _hash(json.dumps([self._common, found], sort_keys=True).encode())

    def _parts(self, kind: str) -> frozenset[_Part] | None:
        for asked in _read(kind):
            if asked not in self._asked:
                self._asked[asked] = _of_tasks(*asked)
        return _together(self._asked[asked] for asked in _read(kind))

    def _stored(self, parts: frozenset[_Part]) -> list[str]:
        """The folders that there are; a part may leave out the version, or the config too."""
        wanted = tuple({f"{name}/" for name, _ in parts})
        return [name for name in self._records if f"{name}/".startswith(wanted)]

    def _record_of(self, name: str, parts: frozenset[_Part]) -> str:
        """The hash of what a record says, of other splits than those that are read aside."""
        splits = {split for one, split in parts if f"{name}/".startswith(f"{one}/")}
        record = json.loads(self._records[name])
        told = record.get("splits", [])
        if None in splits or not splits <= {one["name"] for one in told}:
            return _hash(self._records[name])
        read = {**record, "splits": [one for one in told if one["name"] in splits]}
        return _hash(json.dumps(read, sort_keys=True).encode())


def _read(kind: str) -> Iterator[tuple[str, frozenset[str] | None]]:
    """Names of tasks and mixtures, each with the tasks of it that are read (None: all)."""
    if kind == kinds.LM_STATISTICS:
        for language in config.macro("LANGUAGES"):
            yield config.macro("TASK").format(language=language), None
    elif kind == kinds.MAJORITY_BASELINE:
        for name in [*config.macro("TRAIN_TASKS"), *config.macro("EVAL_TASKS")]:
            yield name, None
    else:
        only = config.macro("EVALUATOR_ONLY") if kind == kinds.EVALUATE else None
        yield config.macro("MIXTURE_OR_TASK_NAME"), None if only is None else frozenset(only)


def _of_tasks(name: str, only: frozenset[str] | None) -> frozenset[_Part] | None:
    import seqio

    tasks = seqio.get_subtasks(input_pipeline.registered(name))
    return _together(_of_source(x.source) for x in tasks if only is None or x.name in only)


def _of_source(source: Any) -> frozenset[_Part] | None:
    """What a source reads, or the sources that it holds; None where that cannot be told."""
    import seqio

    if isinstance(source, seqio.TfdsDataSource):
        stored = source.tfds_dataset
        folder = stored.name.replace(":", "/")
        theirs = stored._split_map or {}
        return frozenset((folder, theirs.get(split, split)) for split in source.splits)
    inner = [one for one in vars(source).values() if isinstance(one, seqio.DataSource)]
    return _together(map(_of_source, inner)) if inner else None


def _together(several: Iterable[frozenset[_Part] | None]) -> frozenset[_Part] | None:
    found: frozenset[_Part] = frozenset()
    for one in several:
        if one is None:
            return None
        found |= one
    return found


def _digest(file: Path) -> str:
    """The hash of a file; of a sample world without its form, which tells what else is there."""
    data = file.read_bytes()
    if file.name == _WORLD:
        try:
            truth = json.loads(data)
            data = json.dumps({key: truth[key] for key in truth if key != "form"}).encode()
        except (TypeError, ValueError):
            pass
    return _hash(data)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
