"""Times training steps of one model on one batch: mt5x beside the textbook and Hugging Face.

The batch is made up and already there, and all is done on one device. Each variant trains its own
parameters; a step of each, or several in a row, is timed by turns, and with them, where the
device's peak is not in a table, a matrix product that gives it.
"""

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mt5x import flops, hardware, steps, train_state
from mt5x.benchmarks import huggingface, side_by_side, textbook
from mt5x.benchmarks.measurement import OURS, Measurement
from mt5x.errors import UserError
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import make_mesh

TEXTBOOK, HUGGING_FACE, PRODUCT = "textbook", "huggingface", "matrix product"
VARIANTS = (OURS, TEXTBOOK, HUGGING_FACE)

_RATE = 1e-3
_PRODUCT_SIZE = 4096


@dataclasses.dataclass(frozen=True)
class Shape:
    """The rows of a batch.

    Attributes:
      rows: sequences.
      inputs: positions of a row's inputs.
      targets: positions of a row's targets.
      real_inputs: how many of them hold a token; None for all.
      real_targets: likewise.
      packed: examples that each row packs; 1 for rows without segments.
    """

    rows: int
    inputs: int
    targets: int
    real_inputs: int | None = None
    real_targets: int | None = None
    packed: int = 1

    def __post_init__(self) -> None:
        """Refuses what cannot be."""
        for name, real, of in (
            ("real_inputs", self.real_inputs, self.inputs),
            ("real_targets", self.real_targets, self.targets),
        ):
            if real is not None and not 1 <= real <= of:
                raise UserError(f"expected {name} from 1 to {of}, the length of a row, got {real}")
        if self.rows < 1 or self.packed < 1:
            raise UserError(
                f"expected at least one row and one example in each, got {self.rows} and "
                f"{self.packed}"
            )

    @property
    def tokens(self) -> tuple[int, int]:
        """Real tokens of the inputs and of the targets of a batch."""
        return (
            self.rows * (self.real_inputs or self.inputs),
            self.rows * (self.real_targets or self.targets),
        )

    def __str__(self) -> str:
        """Such as '8 x 128/32, 60/3 real'."""
        text = f"{self.rows} x {self.inputs}/{self.targets}"
        if self.real_inputs or self.real_targets:
            text += f", {self.real_inputs or self.inputs}/{self.real_targets or self.targets} real"
        return text + (f", {self.packed} packed" if self.packed > 1 else "")


def made_up_batch(shape: Shape, vocabulary: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random tokens with the features, names and padding of a training batch."""
    random = np.random.default_rng(seed)

    def side(length: int, real: int | None) -> tuple[np.ndarray, np.ndarray]:
        here = np.broadcast_to(np.arange(length) < (real or length), (shape.rows, length))
        tokens = random.integers(2, vocabulary, (shape.rows, length))
        segments = 1 + np.arange(length) * shape.packed // (real or length)
        return (tokens * here).astype(np.int32), (segments * here).astype(np.int32)

    inputs, input_segments = side(shape.inputs, shape.real_inputs)
    targets, target_segments = side(shape.targets, shape.real_targets)
    start = np.pad(target_segments[:, 1:] == target_segments[:, :-1], [(0, 0), (1, 0)])
    batch = {
        "encoder_input_tokens": inputs,
        "decoder_input_tokens": np.pad(targets[:, :-1], [(0, 0), (1, 0)]) * start,
        "decoder_target_tokens": targets,
        "decoder_loss_weights": (targets > 0).astype(np.float32),
    }
    if shape.packed > 1:
        batch |= {"encoder_segment_ids": input_segments, "decoder_segment_ids": target_segments}
    return batch


def measure(
    model: EncoderDecoderModel,
    name: str,
    shape: Shape,
    variants: Sequence[str],
    repeats: int,
    in_a_row: int = 1,
) -> list[Measurement]:
    """Times a training step of `model`, which is called `name`, in each of the variants.

    Of more than one step `in_a_row`, each is begun before the one before has ended, as in training,
    and what is timed is all of them, divided by their number.

    Returns:
      A row each: tokens per second (inputs and targets that are no padding), MFU, the FLOPs that
      MFU counts and those that XLA counts in the compiled step, XLA's temporaries and, on a GPU,
      the peak of the memory; and a row of the matrix product, where it was timed.

    Raises:
      UserError: an unknown variant, or one that cannot do this model.
    """
    config, optimizer = model.module.config, model.optimizer_def
    batch = made_up_batch(shape, config.vocab_size)
    if in_a_row < 1:
        raise UserError(f"expected at least one step in a row, got {in_a_row}")
    run: dict[str, Callable[[int], object]] = {}
    figures: dict[str, dict[str, float]] = {}
    for variant in variants:
        if variant == HUGGING_FACE:
            run[variant] = huggingface.train_step(config, optimizer, batch, _RATE)
            figures[variant] = {}
            continue
        if variant not in VARIANTS:
            raise UserError(f"unknown variant {variant}; known are {', '.join(VARIANTS)}")
        run[variant], figures[variant] = _ours(model, batch, variant == TEXTBOOK)
    peak = hardware.peak_of_devices(jax.devices()[:1])
    timed: dict[str, Callable[[], object]] = {
        variant: partial(step, in_a_row) for variant, step in run.items()
    }
    if peak is None:
        timed[PRODUCT] = _product(config.dtype)
    seconds = side_by_side.seconds(timed, repeats)
    for variant in run:
        seconds[variant] = [taken / in_a_row for taken in seconds[variant]]
    if peak is None:
        peak = 2.0 * _PRODUCT_SIZE**3 / statistics.median(seconds[PRODUCT])
    needed = flops.training_flops(config, *shape.tokens, shape.inputs, shape.targets)
    case = f"{name}, {shape}, {config.dtype.name}, {type(optimizer).__name__}"
    case += f", {in_a_row} in a row" if in_a_row > 1 else ""
    rows = []
    for variant in run:
        median = statistics.median(seconds[variant])
        measured = {
            "tokens/s": sum(shape.tokens) / median,
            "MFU %": 100.0 * needed / median / peak,
            "model GFLOP": needed / 1e9,
            **figures[variant],
        }
        if variant == HUGGING_FACE and (held := huggingface.peak_bytes()) is not None:
            measured["peak GiB"] = held / 2**30
        rows.append(Measurement(case, variant, seconds[variant], measured))
    if PRODUCT in seconds:
        size = f"{_PRODUCT_SIZE} x {_PRODUCT_SIZE}, {config.dtype.name}"
        rows.append(Measurement(size, PRODUCT, seconds[PRODUCT], {"GFLOP/s": peak / 1e9}))
    return rows


def _ours(
    model: EncoderDecoderModel, batch: Mapping[str, np.ndarray], as_textbook: bool
) -> tuple[Callable[[int], object], dict[str, float]]:
    """What does so many more steps, and the figures of the compiled one."""
    mesh = make_mesh(1, 1)
    if as_textbook:
        model = textbook.model_like(model)
    jitted: Any = textbook.train_step(model) if as_textbook else steps.train_step(model, mesh)
    placed = steps.place(batch, mesh)
    key, rate = jax.random.key(0), jnp.float32(_RATE)
    step = jitted.lower(train_state.abstract_state(model), placed, key, rate).compile()
    state = train_state.init_state(model, mesh, seed=0)

    def work(count: int) -> None:
        nonlocal state
        for _ in range(count):
            state, metrics = step(state, placed, key, rate)
        jax.block_until_ready((state, metrics))

    return work, compiled_figures(step)


def compiled_figures(compiled: Any) -> dict[str, float]:
    """XLA's count of FLOPs, its temporaries, and on a GPU all that the function needs at once."""
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    figures = {
        "XLA GFLOP": cost["flops"] / 1e9,
        "temporaries GiB": memory.temp_size_in_bytes / 2**30,
    }
    if jax.default_backend() == "gpu":
        held = memory.argument_size_in_bytes + memory.output_size_in_bytes
        held += memory.temp_size_in_bytes - memory.alias_size_in_bytes
        figures["peak GiB"] = held / 2**30
    return figures


def _product(dtype: Any) -> Callable[[], object]:
    one = jnp.ones((_PRODUCT_SIZE, _PRODUCT_SIZE), dtype)
    product = jax.jit(jnp.dot)
    return lambda: product(one, one).block_until_ready()
