"""What names a task's preprocessed examples: the hash of all that makes them.

That is the source with its settings and files, each preprocessor, the output features, the
vocabulary's content, and the libraries.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mt5x import module_texts
from mt5x.fingerprint import fingerprint
from mt5x.module_texts import Indescribable

# Of a stored entry: raise it when what is written changes.
_FORM = 1
_LIBRARIES = ("seqio", "tensorflow", "tensorflow_text", "tensorflow_datasets")


def examples_key(task: Any, split: str, reading: Any = None) -> str | None:
    """Returns the name of a split's examples as a SeqIO task makes them.

    Args:
      task: a SeqIO task.
      split: its split.
      reading: how the task is read to its end, such as the lengths that cut its examples; None
        names the examples before the CacheDatasetPlaceholder, which no reading changes.

    Returns:
      32 hexadecimal digits; None where it cannot be told for certain what makes the examples:
      there is no placeholder, the data are not in local files, or what a preprocessor holds cannot
      be described.
    """
    import seqio

    changed_reading = getattr(seqio.utils, "_TFDS_DATA_READ_CONFIG_OVERRIDE", None)
    if not task.supports_caching or changed_reading is not None:
        return None
    try:
        makes = (
            _FORM,
            [module_texts.digest(library) for library in _LIBRARIES],
            task.name,
            split,
            reading,
            task.source,
            _steps(task) if reading is None else list(task.preprocessors),
            dict(task.output_features),
        )
        return fingerprint(makes, _stand_ins(task.source, split))[:32]
    except Exception:  # A source raises what it likes about data that are not there.
        return None


def _steps(task: Any) -> list[Callable]:
    """A task's preprocessors before the placeholder."""
    import seqio

    steps = list(task.preprocessors)
    ends = [n for n, step in enumerate(steps) if isinstance(step, seqio.CacheDatasetPlaceholder)]
    return steps[: ends[0]] if ends else steps


def _stand_ins(source: Any, split: str) -> dict[type, Callable[[Any], Any]]:
    """What describes SeqIO's objects; of `source` only one split counts."""
    import seqio
    import tensorflow as tf

    def of_source(one: Any) -> Any:
        # Whoever holds another source may read all of it.
        files = (
            _files(one, split) if one is source else [_files_or_none(one, s) for s in one.splits]
        )
        # Reading the files may complete the state.
        return files, one.__getstate__()

    return {
        seqio.SentencePieceVocabulary: _pieces,
        seqio.Feature: _feature,
        seqio.Task: lambda task: (task.name, task.source, _steps(task), dict(task.output_features)),
        seqio.DataSource: of_source,
        tf.DType: lambda dtype: dtype.name,
    }


def _pieces(vocabulary: Any) -> Any:
    """A SentencePiece vocabulary by what its file holds, wherever it lies."""
    state = dict(vocabulary.__getstate__())
    del state["_sentencepiece_model_file"]
    return state, vocabulary.sp_model


def _feature(feature: Any) -> Any:
    names = ("vocabulary", "add_eos", "required", "dtype", "rank")
    return [getattr(feature, name) for name in names]


def _files(source: Any, split: str) -> list[tuple[str, int, int]]:
    """The state of the files that a split is read from, and of their metadata.

    Raises:
      Indescribable: it is not read from files of this machine.
      FileNotFoundError: it is not there yet.
    """
    import seqio

    # A source of ours says which splits are there; to ask for the files of another downloads it.
    available = getattr(source, "available_splits", None)
    if available is not None and split not in available():
        raise FileNotFoundError(f"{source} has no {split} yet")
    # Its one shard is no file, though a file may be called so.
    names = [] if isinstance(source, seqio.FunctionDataSource) else list(source.list_shards(split))
    if not names or not all(Path(name).is_file() for name in names):
        raise Indescribable(f"{source} does not say which files it reads")
    if isinstance(source, seqio.TfdsDataSource):
        for folder in sorted({Path(name).parent for name in names}):
            names += sorted([*folder.glob("*.json"), *folder.glob("*.txt")])
    return [module_texts.file_state(name) for name in names]


def _files_or_none(source: Any, split: str) -> list[tuple[str, int, int]] | None:
    try:
        return _files(source, split)
    except Indescribable:
        raise
    except Exception:  # The split is not there, as its source says in its own way.
        return None
