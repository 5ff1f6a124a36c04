"""A SeqIO data source for data sets in TFDS's form that is found when it is read, or fails at once.

`seqio.TfdsDataSource` fixes the data directory early and, when a data set is absent, spends
minutes on the network before it raises. This one is the same source with three differences: the
directory is resolved at every read, data on disk is read from its own metadata without the
builder's code, and what is neither on disk nor to be downloaded ends in one sentence.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import seqio
import tensorflow as tf
import tensorflow_datasets as tfds

from tasks import data_dir, network, tfds_schemas
from tasks.errors import DataError

# Made by a cluster job from petabytes of web pages, so never at the moment of reading.
_NEVER_DOWNLOADED = ("c4",)


class TfdsSource(seqio.TfdsDataSource):
    """The data set `name` as TFDS stores it, its splits renamed by `splits`.

    Args:
      name: 'wikiann/en:1.0.0' or 'xnli:1.1.0'; one that `tasks.tfds_schemas` knows.
      splits: SeqIO split name to TFDS split name, {'validation': 'validation-fi'}.
    """

    def __init__(self, name: str, splits: Mapping[str, str]):
        tfds_schemas.parse(name)
        super().__init__(tfds_name=name, splits=dict(splits))
        self._stored_as = dict(splits)
        self._tfds_dataset = _Loader(name, split_map=self._stored_as)

    def available_splits(self) -> tuple[str, ...]:
        """Returns the splits of this source that lie on disk now; downloads nothing."""
        found = self._tfds_dataset.builder_on_disk()
        stored = found.info.splits if found else ()
        return tuple(ours for ours, theirs in self._stored_as.items() if theirs in stored)

    def list_shards(self, split: str) -> Sequence[str]:
        """Returns the files of a split."""
        return [os.fspath(info.filename) for info in self._tfds_dataset.files(split)]

    def __repr__(self) -> str:
        return f"TfdsSource({self._tfds_dataset.name!r}, {self._stored_as!r})"

    __str__ = __repr__


# Builders already read, by folder and the text of its metadata.
_found: dict[tuple[str, str], Any] = {}


class _Loader(seqio.LazyTfdsLoader):
    """Finds, and where need be downloads, the builder of one data set."""

    @property
    def data_dir(self) -> str:
        """The TFDS data directory in force at this moment."""
        return data_dir.resolve()

    def builder_on_disk(self) -> Any | None:
        """Returns the TFDS builder of what is stored, or None."""
        name, config, version = tfds_schemas.parse(self.name)
        folder = "/".join([self.data_dir, name, *([config] if config else []), version])
        metadata = f"{folder}/dataset_info.json"
        if not tf.io.gfile.exists(metadata):
            return None
        # A data set that was written anew has other metadata, unless it has as many rows.
        with tf.io.gfile.GFile(metadata) as file:
            key = (folder, file.read())
        if key not in _found:
            _found[key] = tfds.builder_from_directory(folder)
        return _found[key]

    def _get_builder(self, split: str | None = None) -> Any:
        builder = self.builder_on_disk()
        if builder is None:
            self._download()
            builder = self.builder_on_disk()
        if builder is None:
            raise DataError(self._absent("TFDS stored it elsewhere"))
        if split is not None and self._map_split(split) not in builder.info.splits:
            stored = ", ".join(builder.info.splits)
            raise DataError(
                f"the data set '{self.name}' under {data_dir.described()} has no split "
                f"'{self._map_split(split)}', only {stored}; name one of those, or import that "
                f"split's file with `mt5x import-data`"
            )
        return builder

    def _download(self) -> None:
        """Downloads and prepares the data set as TFDS does, or says why not."""
        name, _, _ = tfds_schemas.parse(self.name)
        if not tfds_schemas.schema(self.name).official:
            raise DataError(
                f"the data set '{self.name}' is not under {data_dir.described()} and TFDS does not "
                f"have it: only `mt5x import-data SRC --out DIR` writes it, from its original "
                f"files in SRC; then set TFDS_DATA_DIR=DIR"
            )
        if name in _NEVER_DOWNLOADED:
            raise DataError(self._absent("it is not for download but built by a TFDS Beam job"))
        if not network.reachable():
            raise DataError(self._absent("could not be downloaded (no network)"))
        try:
            tfds.builder(self.name, data_dir=self.data_dir).download_and_prepare()
        except Exception as error:  # TFDS raises whatever its builders and transports raise.
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise DataError(self._absent(f"could not be downloaded ({reason})")) from error

    def _absent(self, why: str) -> str:
        return (
            f"the data set '{self.name}' is not under {data_dir.described()} and {why}; write it "
            f"with `mt5x import-data SRC --out DIR` (your files) or `mt5x sample-data --out DIR` "
            f"(small made-up languages) and set TFDS_DATA_DIR=DIR"
        )

    def files(self, split: str) -> Any:
        """Returns TFDS's reading instructions of a split."""
        return self._get_builder(split).info.splits[self._map_split(split)].file_instructions

    def load(
        self,
        split: str | None,
        shuffle_files: bool,
        seed: int | None = None,
        shard_info: seqio.ShardInfo | None = None,
    ) -> Any:
        """Returns the rows of a split as a `tf.data.Dataset`."""
        assert split is not None
        config = self.read_config
        config.shuffle_seed = seed
        config.skip_prefetch = True
        config.input_context = shard_info and tf.distribute.InputContext(
            num_input_pipelines=shard_info.num_shards, input_pipeline_id=shard_info.index
        )
        return self._get_builder(split).as_dataset(
            split=self._map_split(split),
            shuffle_files=shuffle_files,
            read_config=config,
            decoders=self._decoders,
        )
