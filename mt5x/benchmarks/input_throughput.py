"""How fast packed batches come, beside how fast a model trains on them.

The wall clock says what a training run would wait for; the processor time says what a batch costs
whatever else the machine does. Both are medians over repeated runs of several batches.
"""

import dataclasses
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from mt5x import input_pipeline, steps, train_state
from mt5x.errors import UserError
from mt5x.input_pipeline import Batch, DatasetConfig
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner


@dataclasses.dataclass(frozen=True)
class InputThroughput:
    """What the input pipeline delivers.

    Attributes:
      first_seconds: from the start to the first batch: building the pipeline, filling its buffers.
      run_batch_seconds: wall time of a batch after that, of each run.
      batch_processor_seconds: processor time of a batch, all threads together; the median run's.
      batch_examples: examples in a batch.
      batch_tokens: tokens in a batch that are not padding, inputs and targets.
      filled: the share of a batch's positions that they are.
    """

    first_seconds: float
    run_batch_seconds: Sequence[float]
    batch_processor_seconds: float
    batch_examples: float
    batch_tokens: float
    filled: float

    @property
    def batch_seconds(self) -> float:
        """Wall time of a batch, the median run's."""
        return statistics.median(self.run_batch_seconds)

    @property
    def examples_per_second(self) -> float:
        """Examples by the wall clock."""
        return self.batch_examples / self.batch_seconds

    @property
    def tokens_per_second(self) -> float:
        """Tokens that are not padding, by the wall clock."""
        return self.batch_tokens / self.batch_seconds

    @property
    def examples_per_processor_second(self) -> float:
        """Examples for each second of one processor core."""
        return self.batch_examples / self.batch_processor_seconds


def measure_input(
    config: DatasetConfig, batches: int, repeats: int, seed: int = 0
) -> InputThroughput:
    """Reads batches and does nothing with them.

    Args:
      config: what to read.
      batches: of a run.
      repeats: runs, one after the other in the same stream, of which the medians are taken.
      seed: of the shuffling.

    Raises:
      UserError: fewer than one batch or run.
    """
    if batches < 1 or repeats < 1:
        raise UserError(f"expected at least one batch and one run, got {batches} and {repeats}")
    begin = time.perf_counter()
    stream = input_pipeline.training_batches(config, seed)
    first = next(stream)
    first_seconds = time.perf_counter() - begin
    # What is ready beforehand is not delivered at the pipeline's speed.
    _take(stream, 3)
    runs = [_timed(lambda: _take(stream, batches)) for _ in range(repeats)]
    # The generator holds TensorFlow's threads, which would go on reading ahead.
    stream.close()  # type: ignore[attr-defined]
    counts = [_counts(batch) for run in runs for batch in run.result]
    positions = sum(first[f"{side}_tokens"].size for side in ("encoder_input", "decoder_target"))
    tokens = float(np.mean([found[1] for found in counts]))
    return InputThroughput(
        first_seconds=first_seconds,
        run_batch_seconds=[run.seconds / batches for run in runs],
        batch_processor_seconds=statistics.median(run.processor_seconds for run in runs) / batches,
        batch_examples=float(np.mean([found[0] for found in counts])),
        batch_tokens=tokens,
        filled=tokens / positions,
    )


def measure_step(
    model: EncoderDecoderModel, config: DatasetConfig, repeats: int, seed: int = 0
) -> list[float]:
    """Returns the seconds of training steps on a batch that is already there.

    Args:
      model: trained from fresh parameters.
      config: its batches.
      repeats: steps after the first two, which compile.
      seed: of parameters, dropout and shuffling.
    """
    partitioner = Partitioner()
    partitioner.check_batch_size(config.batch_size)
    input_pipeline.check_vocabulary(config.mixture_or_task_name, model.module.config.vocab_size)
    mesh = partitioner.mesh
    state = train_state.init_state(model, mesh, seed)
    step = steps.train_step(model, mesh)
    stream = input_pipeline.training_batches(config, seed)
    placed = steps.place(next(stream), mesh)
    stream.close()  # type: ignore[attr-defined]
    key, rate = jax.random.key(seed), jnp.float32(1e-3)
    seconds = []
    for _ in range(2 + repeats):
        begin = time.perf_counter()
        state, metrics = step(state, placed, key, rate)
        jax.block_until_ready((state, metrics))
        seconds.append(time.perf_counter() - begin)
    return seconds[2:]


@dataclasses.dataclass(frozen=True)
class _Run:
    seconds: float
    processor_seconds: float
    result: list[Batch]


def _timed(act: Callable[[], list[Batch]]) -> _Run:
    begin, processor = time.perf_counter(), time.process_time()
    result = act()
    return _Run(time.perf_counter() - begin, time.process_time() - processor, result)


def _take(stream: Iterator[Batch], count: int) -> list[Batch]:
    return list(itertools.islice(stream, count))


def _counts(batch: Batch) -> tuple[int, int]:
    """Returns the examples and the tokens that are not padding of a batch."""
    tokens = sum(
        int((batch[name] != 0).sum()) for name in ("encoder_input_tokens", "decoder_target_tokens")
    )
    segments = batch.get("decoder_segment_ids")
    rows = batch["decoder_target_tokens"]
    examples = len(rows) if segments is None else int(segments.max(axis=1).sum())
    return examples, tokens
