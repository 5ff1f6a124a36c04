"""A split's preprocessed examples as files, in the form of SeqIO's offline cache.

SeqIO's own writer is a Beam job; this one writes the same files in one process, in an order that
SeqIO's reader gives back as it was. That reader takes half a millisecond an example, as long as
many a task takes to make one; `read`, which holds all examples in memory, takes a tenth of that.

`COMPLETED`, which SeqIO only looks for, comes last and holds the size of every file and the hash
of the small ones; TFRecord checks what is in the large ones.
"""

import collections
import contextlib
import copy
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mt5x.plain_graphs import built_plainly

COMPLETED = "COMPLETED"

# SeqIO reads 16 examples of each of 16 files in turn. Shards are for hosts and for shuffling.
_BLOCK = _SHARDS = 16
_RECORDS_AT_ONCE = 1024
# Of what is drawn at random, a cache would keep one draw.
_RANDOM = re.compile(
    r"Random|Shuffle|Multinomial|TruncatedNormal|RngRead|Stateful(Uniform|Standard)"
)
_PYTHON = re.compile(r"PyFunc|PyFuncStateless|EagerPyFunc")


class NotStorable(Exception):
    """Examples that would not come back as they were."""


def write(folder: Path, task: Any, split: str, build: Callable[[], Any], limit_bytes: int) -> None:
    """Writes the examples of a data set, in its order, for `read`.

    Args:
      folder: where, to be made.
      task: the SeqIO task whose examples they are.
      split: the split.
      build: returns the `tf.data.Dataset`, the same each time.
      limit_bytes: what the records may take.

    Raises:
      NotStorable: they take more, do not come back as they were, or are others each time.
      OSError, tf.errors.OpError: the disk is full, the data cannot be read.
    """
    dataset = built_plainly(build)
    written = _write(folder, task, split, dataset, 1, limit_bytes)
    again = [built_plainly(build).as_numpy_iterator()] if _may_vary(dataset) else []
    _check(written, iter(read(folder, split)), *again)


def write_for_seqio(folder: Path, task: Any, split: str, limit_bytes: int) -> None:
    """Writes what a task makes before its CacheDatasetPlaceholder, for a copy by `reading`.

    Raises:
      NotStorable: as `write`, or they are drawn at random, which a cache would do only once.
      OSError, tf.errors.OpError: the disk is full, the data cannot be read.
    """

    def build() -> Any:
        return task.preprocess_precache(task.source.get_dataset(split=split, shuffle=False))

    def stored() -> Any:
        source = reading(task, folder)._get_cached_source(split)
        return source.get_dataset(split=split, shuffle=False)

    dataset = built_plainly(build)
    if _is_drawn(dataset):
        raise NotStorable("drawn at random")
    written = _write(folder, task, split, dataset, _SHARDS, limit_bytes)
    again = [build] if _may_vary(dataset) else []
    _check(written, *(built_plainly(one).as_numpy_iterator() for one in (stored, *again)))


def read(folder: Path, split: str, limit: int | None = None) -> list[dict[str, Any]]:
    """Returns what `write` has written, as a data set's `as_numpy_iterator` gave it.

    Args:
      folder: where.
      split: the split.
      limit: at most so many, the first; None takes all.

    Raises:
      OSError, ValueError, KeyError, tf.errors.OpError, google.protobuf.message.DecodeError: the
        files were damaged.
    """
    import tensorflow as tf

    info = json.loads((folder / f"info.{split}.json").read_text(encoding="utf-8"))
    features = info["features"].items()
    records = tf.data.TFRecordDataset(str(folder / f"{split}.tfrecord-00000-of-00001"))
    records = (records if limit is None else records.take(limit)).batch(_RECORDS_AT_ONCE)
    examples = []
    for record in itertools.chain.from_iterable(records.as_numpy_iterator()):
        kept = tf.train.Example.FromString(record).features.feature
        examples.append({name: _value(kept[name], **feature) for name, feature in features})
    return examples


def reading(task: Any, folder: Path) -> Any:
    """Returns a copy of the task whose `get_dataset(use_cached=True)` reads from the folder."""
    copied = copy.copy(task)
    # Where SeqIO remembers what it found in its own folders of caches.
    copied._cache_dir, copied._stats = str(folder), {}
    return copied


def is_whole(folder: Path) -> bool:
    """Whether a folder holds all that was written to it, so far as sizes and small files tell."""
    try:
        expected = json.loads((folder / COMPLETED).read_text(encoding="utf-8"))
        return bool(expected) and expected == _contents(folder)
    except (OSError, ValueError):
        return False


def _contents(folder: Path) -> dict[str, list]:
    """The size of each file, and the hash of those that are small."""
    found: dict[str, list] = {}
    for file in folder.iterdir():
        if file.name != COMPLETED:
            is_small = file.suffix == ".json"
            digest = hashlib.sha256(file.read_bytes()).hexdigest() if is_small else None
            found[file.name] = [file.stat().st_size, digest]
    return found


def _features(spec: Any) -> dict[str, dict[str, Any]]:
    """SeqIO's description of the features.

    Raises:
      NotStorable: SeqIO would not read one of them as it was.
    """
    import tensorflow as tf

    as_they_are = (tf.int32, tf.int64, tf.bool, tf.float32, tf.string)
    features = {}
    for name, one in spec.items() if isinstance(spec, Mapping) else [("", spec)]:
        # SeqIO takes several open dimensions for a ragged tensor, and renames *_plaintext.
        if (
            not isinstance(one, tf.TensorSpec)
            or one.dtype not in as_they_are
            or one.shape.rank is None
            or None in one.shape[1:]
            or name.endswith("_plaintext")
        ):
            raise NotStorable(f"the feature {name} is {one}")
        shape = [None, *one.shape[1:]] if one.shape.rank else []
        features[name] = {"shape": shape, "dtype": one.dtype.name}
    return features


def _write(
    folder: Path, task: Any, split: str, dataset: Any, shards: int, limit_bytes: int
) -> bytes:
    """Writes the files of a data set; returns the hash of its examples."""
    import seqio

    features = _features(dataset.element_spec)
    folder.mkdir(parents=True)
    digest = hashlib.sha256()
    stats: dict[str, int] = collections.Counter(examples=0)
    examples = _counted(_hashed(dataset.as_numpy_iterator(), digest), task.output_features, stats)
    records = (_record(example, features) for example in examples)
    shards = _write_records(folder / f"{split}.tfrecord", records, shards, limit_bytes)
    info = {"num_shards": shards, "features": features, "seqio_version": seqio.__version__}
    (folder / f"info.{split}.json").write_text(json.dumps(info, indent=2), encoding="utf-8")
    (folder / f"stats.{split}.json").write_text(json.dumps(stats, indent=2), encoding="utf-8")
    (folder / COMPLETED).write_text(json.dumps(_contents(folder)), encoding="utf-8")
    return digest.digest()


def _check(written: bytes, *readings: Iterator[dict]) -> None:
    """Raises NotStorable where the examples of a reading are not those that were written."""
    for examples in readings:
        digest = hashlib.sha256()
        collections.deque(_hashed(examples, digest), maxlen=0)
        if digest.digest() != written:
            raise NotStorable("not read as they were")


def _may_vary(dataset: Any) -> bool:
    """Whether another reading may give other examples: Python may do what no graph tells."""
    return _is_drawn(dataset) or any(map(_PYTHON.fullmatch, _operations(dataset)))


def _is_drawn(dataset: Any) -> bool:
    return any(map(_RANDOM.search, _operations(dataset)))


def _operations(dataset: Any) -> set[str]:
    """The kinds of TensorFlow's operations that make a data set."""
    import tensorflow as tf

    serialized = tf.raw_ops.DatasetToGraphV2(
        input_dataset=tf.data.experimental.to_variant(dataset), external_state_policy=1
    )
    graph = tf.compat.v1.GraphDef.FromString(serialized.numpy())
    functions = itertools.chain.from_iterable(one.node_def for one in graph.library.function)
    return {node.op for node in itertools.chain(graph.node, functions)}


def _record(example: Mapping[str, Any], features: Mapping[str, Mapping]) -> bytes:
    """An example as a serialized tf.train.Example."""
    import tensorflow as tf

    kept = {}
    for name, value in example.items():
        match features[name]["dtype"]:
            case "string":
                # NumPy's own strings lose zero bytes at their ends.
                texts = [value] if isinstance(value, bytes) else np.ravel(value).tolist()
                kept[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=texts))
            case "float32":
                kept[name] = tf.train.Feature(float_list=tf.train.FloatList(value=np.ravel(value)))
            case _:
                whole = np.ravel(value).astype(np.int64)
                kept[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=whole))
    features_of = tf.train.Features(feature=kept)
    return tf.train.Example(features=features_of).SerializeToString(deterministic=True)


def _value(stored: Any, shape: Sequence, dtype: str) -> Any:
    """A feature of a tf.train.Example as a tensor's `numpy` gives it."""
    if dtype == "string":
        texts = stored.bytes_list.value
        return np.array(texts, object).reshape(_open(shape)) if shape else texts[0]
    values = stored.float_list.value if dtype == "float32" else stored.int64_list.value
    array = np.array(values, dtype).reshape(_open(shape))
    return array if shape else array[()]


def _open(shape: Sequence) -> list[int]:
    return [-1 if length is None else length for length in shape]


def _write_records(prefix: Path, records: Iterator[bytes], shards: int, limit_bytes: int) -> int:
    """Writes the records as SeqIO's reader takes them in turn; returns the number of files."""
    import tensorflow as tf

    # No file may be empty: a host that reads it alone would wait forever.
    first = list(itertools.islice(records, _BLOCK * shards))
    shards = shards if len(first) == _BLOCK * shards else 1
    written = 0
    with contextlib.ExitStack() as stack:
        files = [
            stack.enter_context(tf.io.TFRecordWriter(f"{prefix}-{number:05}-of-{shards:05}"))
            for number in range(shards)
        ]
        for number, record in enumerate(itertools.chain(first, records)):
            written += len(record)
            if written > limit_bytes:
                raise NotStorable(f"more than {limit_bytes} bytes")
            files[number // _BLOCK % shards].write(record)
    return shards


def _counted(
    examples: Iterable[dict], features: Mapping[str, Any], stats: dict[str, int]
) -> Iterator[dict]:
    """Yields the examples and counts them, and the tokens of each feature, as SeqIO does."""
    special = {
        name: [one.vocabulary.eos_id, one.vocabulary.pad_id] for name, one in features.items()
    }
    for example in examples:
        stats["examples"] += 1
        for name, ids in special.items():
            tokens = np.asarray(example.get(name, ()))
            if np.issubdtype(tokens.dtype, np.integer):
                count = int(np.isin(tokens, ids, invert=True).sum())
                stats[f"{name}_tokens"] += count
                stats[f"{name}_max_tokens"] = max(stats[f"{name}_max_tokens"], count)
        yield example


def _hashed(examples: Iterable[dict], digest: Any) -> Iterator[dict]:
    """Yields the examples, and adds every name, type, shape and value to the digest."""
    add: Callable[[bytes], None] = digest.update
    for example in examples:
        for name, value in sorted(example.items()):
            array = np.asarray(value)
            if array.dtype.kind in "OS":
                texts = [value] if isinstance(value, bytes) else array.ravel().tolist()
                content = repr(texts).encode()
            else:
                content = array.tobytes()
            kind = "text" if array.dtype.kind in "OS" else array.dtype.str
            add(f"{name} {kind} {array.shape} {len(content)}:".encode())
            add(content)
        add(b";")
        yield example
