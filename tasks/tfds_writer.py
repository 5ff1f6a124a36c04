"""Writes rows as a TFDS data set, as its builder would store them.

TFDS's own writers shuffle through temporary files and start a pipeline for every data set, which
takes seconds; the sample world writes a hundred small data sets. Here a row becomes one
`tf.train.Example` directly, one TFRecord file per split, in the order given, with the metadata
files that let TFDS and SeqIO read it back. The same rows give the same bytes.
"""

import operator
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tasks import tfds_schemas
from tasks.errors import DataError
from tasks.tfds_schemas import (
    Boolean,
    Integer,
    Label,
    Sequence,
    Spec,
    Text,
    Translations,
    VariableTranslations,
)

# Length and checksum fields that a TFRecord file adds to every record.
_RECORD_OVERHEAD_BYTES = 16
_INT32 = range(-(2**31), 2**31)


def features(name: str) -> Any:
    """Returns the `tfds.features.FeaturesDict` of 'wikiann/en:1.0.0' and such.

    Raises:
      DataError: the name is not a data set that the tasks read.
    """
    import numpy as np
    import tensorflow_datasets as tfds

    def feature(spec: Spec) -> Any:
        match spec:
            case Text(tensor=tensor):
                return np.str_ if tensor else tfds.features.Text()
            case Integer():
                return np.int32
            case Boolean():
                return np.bool_
            case Label(names=names):
                return tfds.features.ClassLabel(names=list(names))
            case Translations(languages=codes):
                return tfds.features.Translation(languages=codes)
            case VariableTranslations(languages=codes):
                return tfds.features.TranslationVariableLanguages(languages=codes)
            case Sequence(element=dict(parts)):
                return tfds.features.Sequence({k: feature(part) for k, part in parts.items()})
            case Sequence(element=element):
                return tfds.features.Sequence(feature(element))  # type: ignore[arg-type]

    specs = tfds_schemas.schema(name).features
    return tfds.features.FeaturesDict({key: feature(spec) for key, spec in specs.items()})


def write_dataset(
    name: str,
    splits: Mapping[str, Iterable[Mapping[str, Any]]],
    data_dir: str | os.PathLike,
) -> Path:
    """Writes a data set so that `seqio.TfdsDataSource(name, tfds_data_dir=data_dir)` reads it.

    It is written beside its place and then renamed: whole or not at all. What was stored under
    the name before is replaced.

    Args:
      name: the name with config and version, 'wikiann/en:1.0.0' or 'xnli:1.1.0'.
      splits: split name to rows, in the order to store them. A row is a dict with exactly the
        features: text as str, labels as a name or an index (-1 for none, where the official data
        has such rows), translations as a dict from language to text (a language that is missing
        is '' in a premise and left out of the hypotheses), sequences as lists ('answers' as
        {'text': [...], 'answer_start': [...]}).
      data_dir: the TFDS data directory; made if it is not there.

    Returns:
      The folder of the data set, `data_dir/name[/config]/version`.

    Raises:
      DataError: an unknown name or split, or a row that does not fit the features.
    """
    dataset, config, version = tfds_schemas.parse(name)
    schema = tfds_schemas.schema(name)
    for split in splits:
        if not schema.has_split(split):
            raise DataError(f"{name} has no split '{split}'; its splits are: {schema.split_names}")
    parent = Path(data_dir, dataset, config or "")
    parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"incomplete.{version}.", dir=parent))
    try:
        _write_files(name, schema.features, splits, scratch)
        scratch.chmod(0o755)
        return _move_into_place(scratch, parent / version)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def move_dataset(name: str, source: str | os.PathLike, destination: str | os.PathLike) -> Path:
    """Moves a data set from one TFDS data directory to another on the same disk, whole.

    What was stored under the name at the destination is replaced. Returns its new folder.
    """
    dataset, config, version = tfds_schemas.parse(name)
    final = Path(destination, dataset, config or "", version)
    final.parent.mkdir(parents=True, exist_ok=True)
    return _move_into_place(Path(source, dataset, config or "", version), final)


def _move_into_place(scratch: Path, final: Path) -> Path:
    if final.exists():
        # A folder cannot be renamed onto another; the old one leaves first, at a hidden name.
        old = Path(tempfile.mkdtemp(prefix="incomplete.old.", dir=final.parent))
        final.rename(old / "old")
        scratch.rename(final)
        shutil.rmtree(old)
    else:
        scratch.rename(final)
    return final


def _write_files(
    name: str,
    specs: Mapping[str, Spec],
    splits: Mapping[str, Iterable[Mapping[str, Any]]],
    folder: Path,
) -> None:
    """Writes the records and the metadata of all splits into `folder`."""
    import tensorflow as tf
    from tensorflow_datasets.core import dataset_info, naming
    from tensorflow_datasets.core import splits as splits_lib
    from tensorflow_datasets.core.utils import version as version_lib

    dataset, config, version = tfds_schemas.parse(name)
    split_infos = []
    for split, rows in splits.items():
        template = naming.ShardedFileTemplate(
            dataset_name=dataset, data_dir=folder, split=split, filetype_suffix="tfrecord"
        )
        path = template.sharded_filepath(shard_index=0, num_shards=1)
        count = num_bytes = 0
        with tf.io.TFRecordWriter(os.fspath(path)) as writer:
            for row in rows:
                try:
                    record = _encode(row, specs)
                except (TypeError, ValueError, KeyError, AttributeError) as error:
                    raise DataError(
                        f"row {count} of split '{split}' does not fit {name}: {error}"
                    ) from error
                writer.write(record)
                count += 1
                num_bytes += len(record) + _RECORD_OVERHEAD_BYTES
        if count == 0:
            raise DataError(f"split '{split}' of {name} has no rows; leave the split out")
        split_infos.append(
            splits_lib.SplitInfo(
                name=split, shard_lengths=[count], num_bytes=num_bytes, filename_template=template
            )
        )
    info = dataset_info.DatasetInfo(
        builder=dataset_info.DatasetIdentity(
            name=dataset,
            version=version_lib.Version(version),
            data_dir=os.fspath(folder),
            module_name="",
            config_name=config,
        ),
        description=f"{name}, written by mt5x.",
        features=features(name),
    )
    info.set_file_format("tfrecord")
    info.set_splits(splits_lib.SplitDict(split_infos))
    info.write_to_directory(os.fspath(folder))


def _encode(row: Mapping[str, Any], specs: Mapping[str, Spec]) -> bytes:
    """Returns the serialized `tf.train.Example` of a row, keys sorted so that bytes repeat."""
    from tensorflow.core.example import example_pb2

    if row.keys() != specs.keys():
        raise ValueError(f"expected the features {sorted(specs)}, got {sorted(row)}")
    example = example_pb2.Example()
    feature = example.features.feature

    def put(key: str, spec: Any, values: Iterable[Any]) -> None:
        match spec:
            case Text():
                feature[key].bytes_list.value.extend([_text(value, key) for value in values])
            case Label():
                feature[key].int64_list.value.extend([_index(v, spec, key) for v in values])
            case Integer():
                feature[key].int64_list.value.extend([_number(v, _INT32, key) for v in values])
            case Boolean():
                feature[key].int64_list.value.extend([_number(v, range(2), key) for v in values])

    for key, spec in specs.items():
        value = row[key]
        match spec:
            case Sequence(element=dict(parts)):
                lengths = {len(value[part]) for part in parts}
                if len(lengths) > 1 or value.keys() != parts.keys():
                    raise ValueError(f"'{key}' needs equally long lists {sorted(parts)}")
                for part, part_spec in parts.items():
                    put(f"{key}/{part}", part_spec, value[part])
            case Sequence(element=element):
                put(key, element, value)
            case Translations(languages=codes):
                if set(value) != set(codes):
                    missing = " ".join(sorted(set(codes) ^ set(value)))
                    raise ValueError(f"'{key}' needs exactly the languages {codes}: see {missing}")
                for code in codes:
                    put(f"{key}/{code}", Text(), [value[code]])
            case VariableTranslations(languages=codes):
                if unknown := sorted(set(value) - set(codes)):
                    raise ValueError(f"'{key}' has the unknown languages {unknown}")
                pairs = sorted(
                    (code, text)
                    for code, texts in value.items()
                    for text in ([texts] if isinstance(texts, str) else texts)
                )
                put(f"{key}/language", Text(), [code for code, _ in pairs])
                put(f"{key}/translation", Text(), [text for _, text in pairs])
            case _:
                put(key, spec, [value])
    return example.SerializeToString(deterministic=True)


def _text(value: Any, key: str) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"'{key}' must be text, got {type(value).__name__} {value!r}")
    return value.encode("utf-8")


def _number(value: Any, permitted: range, key: str) -> int:
    # operator.index refuses text and fractions, which int() would read or cut.
    number = operator.index(value)
    if number not in permitted:
        raise ValueError(
            f"'{key}' must be from {permitted.start} to {permitted.stop - 1}, got {number}"
        )
    return number


def _index(value: Any, label: Label, key: str) -> int:
    names = label.names
    if isinstance(value, str):
        if value not in names:
            raise ValueError(f"'{key}' must be one of {' '.join(names)}, got '{value}'")
        return names.index(value)
    index = operator.index(value)
    if not (-1 if label.unlabelled else 0) <= index < len(names):
        raise ValueError(f"'{key}' must be an index below {len(names)}, got {index}")
    return index
