"""SeqIO tasks to batches of numpy arrays. The one room of the engine with TensorFlow in it."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mt5x import example_cache
from mt5x.errors import UserError, nearest
from mt5x.plain_graphs import built_plainly

Batch = dict[str, np.ndarray]

# Of whatever a task draws in evaluation: the same examples each time.
_SEED = 42


@dataclasses.dataclass(frozen=True)
class DatasetConfig:
    """T5X's `utils.DatasetConfig`: which examples, in which order, how laid out.

    Attributes:
      mixture_or_task_name: a registered SeqIO name.
      task_feature_lengths: {'inputs': tokens, 'targets': tokens}; None computes the longest.
      split: such as 'train' or 'validation'.
      batch_size: rows of a global batch.
      shuffle: whether to shuffle the examples.
      seed: of the shuffling and mixing; None takes the run's seed.
      use_cached: read preprocessed examples from SeqIO's offline cache, or make them once.
      pack: put several short examples in one row.
      num_shards: parts that the data is read in, each giving an equal run of the rows of a batch.
        The batches depend on it, and on no number of processes; a process reads only the parts
        whose rows its devices hold.
    """

    mixture_or_task_name: str
    task_feature_lengths: Mapping[str, int] | None
    split: str
    batch_size: int
    shuffle: bool = False
    seed: int | None = None
    use_cached: bool = False
    pack: bool = False
    num_shards: int = 1


def registered(name: str) -> Any:
    """Returns the SeqIO task or mixture of this name.

    Raises:
      UserError: there is none; the nearest names are offered.
    """
    import seqio

    # Asked for one by one: some names are made on demand.
    if name not in seqio.MixtureRegistry.names() and name not in seqio.TaskRegistry.names():
        names = [*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()]
        raise UserError(f"no SeqIO task or mixture is named {name}{nearest(name, names)}")
    return seqio.get_mixture_or_task(name)


def tasks_with_split(name: str, split: str, only: Sequence[str] | None = None) -> list[Any]:
    """Returns the tasks of a mixture (or the task itself) that have `split`, in its order.

    Args:
      name: a registered SeqIO name.
      split: the split that is wanted.
      only: restricts the answer to these tasks of the mixture.

    Raises:
      UserError: none has it, or the mixture has no task that `only` names.
    """
    import seqio

    tasks = seqio.get_subtasks(registered(name))
    if only is not None:
        names = [task.name for task in tasks]
        for wanted in only:
            if wanted not in names:
                raise UserError(f"{name} has no task {wanted}{nearest(wanted, names)}")
        tasks = [task for task in tasks if task.name in only]
    having = [task for task in tasks if split in task.splits]
    if not having:
        splits = sorted({known for task in tasks for known in task.splits})
        raise UserError(f"{name} has no split {split}{nearest(split, splits)}; it has {splits}")
    return having


def check_vocabulary(name: str, vocab_size: int) -> None:
    """Refuses a model that has fewer embedding rows than the tasks have token ids."""
    for feature in registered(name).output_features.values():
        needed = feature.vocabulary.vocab_size
        if needed > vocab_size:
            raise UserError(
                f"the vocabulary of {name} has {needed} ids but the model has vocab_size="
                f"{vocab_size} rows; choose the model gin file and VOCABULARY that belong together"
            )


def check_shards(config: DatasetConfig) -> None:
    """Refuses data that cannot be read in the parts that are wanted.

    Raises:
      UserError: the rows of a batch do not divide into them, or a task has fewer examples.
    """
    shards, rows = config.num_shards, config.batch_size
    if shards < 1:
        raise UserError(f"DATA_SHARDS={shards} must be 1 or more; use 1 for one stream")
    if rows % shards:
        fitting = [count for count in range(1, rows + 1) if rows % count == 0]
        near = [max(n for n in fitting if n < shards), *[n for n in fitting if n > shards][:1]]
        raise UserError(
            f"DATA_SHARDS={shards} does not divide BATCH_SIZE={rows}: each part of the data gives "
            f"as many rows of a batch; use {' or '.join(map(str, near))}"
        )
    for task in tasks_with_split(config.mixture_or_task_name, config.split) if shards > 1 else ():
        examples = task.source.num_input_examples(config.split)
        if examples is not None and examples < shards:
            raise UserError(
                f"DATA_SHARDS={shards} would leave a part without examples: {task.name} has "
                f"{examples} in {config.split}; use DATA_SHARDS=1"
            )


def batch_shapes(config: DatasetConfig) -> dict[str, tuple[int, int]] | None:
    """The features of `training_batches`, int32, before anything is read; None if data decides."""
    from mt5x.packing import PackingConverter

    if config.task_feature_lengths is None:
        return None
    converter = PackingConverter(pack=config.pack)
    lengths = converter.get_model_feature_lengths(config.task_feature_lengths)
    return {name: (config.batch_size, length) for name, length in lengths.items()}


def training_batches(
    config: DatasetConfig,
    seed: int,
    first_batch: int = 0,
    repeat: bool = True,
    rows: np.ndarray | None = None,
) -> Iterator[Batch]:
    """Yields global batches of fixed shape; a function of its arguments alone.

    Args:
      config: the data set.
      seed: used where `config.seed` is None.
      first_batch: batches to skip, for a run that resumes.
      repeat: start again after the last example; else stop, dropping an incomplete batch.
      rows: which rows of a batch are wanted here, bool [batch_size]; parts of the data that give
        none of them are not read, and their rows are 0. None wants all.

    Yields:
      dicts of int32 arrays [batch_size, length], SeqIO's EncDecFeatureConverter's names.
    """
    check_shards(config)
    per_shard = config.batch_size // config.num_shards
    wanted = [
        shard
        for shard in range(config.num_shards)
        if rows is None or rows[shard * per_shard : (shard + 1) * per_shard].any()
    ]
    streams = [_shard_batches(config, seed, first_batch, repeat, shard) for shard in wanted]
    for parts in zip(*streams, strict=False):
        yield parts[0] if config.num_shards == 1 else _joined(config, wanted, parts)
    if repeat:
        raise UserError(
            f"{config.mixture_or_task_name} has no example in {config.split}"
            + (f" for one of DATA_SHARDS={config.num_shards} parts" if len(streams) > 1 else "")
        )


def _joined(config: DatasetConfig, shards: Sequence[int], parts: Sequence[Batch]) -> Batch:
    """The batch that has each part's rows in their place, and 0 elsewhere."""
    rows = config.batch_size // config.num_shards
    batch = {}
    for name, first in parts[0].items():
        batch[name] = np.zeros((config.batch_size, *first.shape[1:]), first.dtype)
        for shard, part in zip(shards, parts, strict=True):
            batch[name][shard * rows : (shard + 1) * rows] = part[name]
    return batch


def _shard_batches(
    config: DatasetConfig, seed: int, first_batch: int, repeat: bool, shard: int
) -> Iterator[Batch]:
    """The rows that one part of the data gives to each batch."""
    import seqio

    from mt5x.packing import PackingConverter

    provider, use_cached = registered(config.mixture_or_task_name), config.use_cached
    tasks_with_split(config.mixture_or_task_name, config.split)
    if use_cached:
        provider, use_cached = example_cache.cached(provider, config.split)
    shards = config.num_shards
    dataset = built_plainly(
        lambda: seqio.get_dataset(
            provider,
            task_feature_lengths=config.task_feature_lengths,
            feature_converter=PackingConverter(pack=config.pack),
            dataset_split=config.split,
            use_cached=use_cached,
            shuffle=config.shuffle,
            num_epochs=None if repeat else 1,
            shard_info=seqio.ShardInfo(shard, shards) if shards > 1 else None,
            verbose=False,
            seed=seed if config.seed is None else config.seed,
        )
    )
    dataset = dataset.batch(config.batch_size // shards, drop_remainder=True)
    dataset = dataset.skip(first_batch).prefetch(2)
    return iter(dataset.as_numpy_iterator())


@dataclasses.dataclass(frozen=True)
class EvaluationExamples:
    """All examples of one task's split, held in memory.

    Attributes:
      inputs: [n] arrays of token ids with EOS, untruncated unless a length was given.
      targets: [n] arrays of token ids with EOS.
      raw: [n] dicts of every feature of the example, for postprocessing.
    """

    inputs: list[np.ndarray]
    targets: list[np.ndarray]
    raw: list[dict[str, Any]]


def evaluation_examples(
    task: Any,
    split: str,
    lengths: Mapping[str, int] | None,
    use_cached: bool,
    limit: int | None,
    seed: int | None = None,
) -> EvaluationExamples:
    """Reads a split in its stored order, each example once.

    What was preprocessed is kept between runs (`mt5x.example_cache`), once all of it was read.

    Args:
      task: a SeqIO task.
      split: its split.
      lengths: {'inputs', 'targets'} to truncate to; None keeps all tokens.
      use_cached: read SeqIO's own offline cache, where there is one.
      limit: at most so many examples; None reads all.
      seed: of what the task draws, such as masks; None is the same at every call.
    """
    seed = _SEED if seed is None else seed
    in_seqio = use_cached and task.cache_dir is not None

    def build() -> Any:
        return task.get_dataset(
            sequence_length=lengths, split=split, use_cached=in_seqio, shuffle=False, seed=seed
        )

    raw = None
    if not in_seqio:
        reading = (None if lengths is None else sorted(lengths.items()), seed)
        raw = example_cache.examples(task, split, reading, build, limit)
    if raw is None:
        dataset = built_plainly(build)
        raw = list((dataset if limit is None else dataset.take(limit)).as_numpy_iterator())
    eos = {name: task.output_features[name].vocabulary.eos_id for name in ("inputs", "targets")}

    def tokens(feature: str) -> list[np.ndarray]:
        length = None if lengths is None else lengths[feature]
        return [_with_eos(example[feature], eos[feature], length) for example in raw]

    return EvaluationExamples(tokens("inputs"), tokens("targets"), raw)


def _with_eos(ids: np.ndarray, eos: int, length: int | None) -> np.ndarray:
    """Ends the ids in EOS, which truncation must not cut away from a short target."""
    if len(ids) and ids[-1] == eos:
        return ids[:length]
    return np.append(ids[: length - 1 if length else None], eos).astype(np.int32)
