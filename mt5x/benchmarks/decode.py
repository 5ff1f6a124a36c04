"""Times greedy decoding, beside the variant that recomputes cross-attention keys and values.

The inputs are random tokens, and no end token ends a row, so that all positions are decoded.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from mt5x import decoding, train_state
from mt5x.benchmarks import recomputing_decode, side_by_side
from mt5x.benchmarks.measurement import OURS, Measurement
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import make_mesh

RECOMPUTING = "recomputing"
_NO_TOKEN = -1


def measure(
    model: EncoderDecoderModel,
    name: str,
    batch_size: int,
    input_length: int,
    tokens: int,
    repeats: int,
    params: Any = None,
) -> list[Measurement]:
    """Times both variants.

    Args:
      model: the model, called `name`.
      name: for the table.
      batch_size: rows decoded together.
      input_length: tokens of each input, all real.
      tokens: decoded of each row.
      repeats: timed runs.
      params: of the model; None makes fresh ones.

    Returns:
      A row each, with tokens per second, milliseconds of a step, and the share of tokens that are
      the same in both.
    """
    if params is None:
        params = train_state.init_state(model, make_mesh(1, 1), 0).params
    random = np.random.default_rng(0)
    vocabulary = model.module.config.vocab_size
    source = random.integers(2, vocabulary, (batch_size, input_length)).astype(np.int32)
    modules = {OURS: model.module, RECOMPUTING: recomputing_decode.of(model.module)}
    found: dict[str, np.ndarray] = {}

    def work(variant: str) -> Callable[[], None]:
        def decode(params: Any, source: jax.Array) -> jax.Array:
            module = modules[variant]
            return decoding.greedy_decode(module, params, source, tokens, _NO_TOKEN)[0]

        compiled = jax.jit(decode).lower(params, source).compile()

        def run() -> None:
            found[variant] = np.asarray(compiled(params, source))

        return run

    seconds = side_by_side.seconds({name: work(name) for name in modules}, repeats, warmups=0)
    same = 100.0 * float((found[OURS] == found[RECOMPUTING]).mean())
    case = (
        f"{name}, {batch_size} x {input_length} inputs, {tokens} tokens, "
        f"{model.module.config.dtype.name}"
    )
    rows = []
    for variant in modules:
        row = Measurement(case, variant, seconds[variant])
        figures = {
            "tokens/s": batch_size * tokens / row.median,
            "ms/step": 1e3 * row.median / tokens,
            "same tokens %": same,
        }
        rows.append(Measurement(case, variant, seconds[variant], figures))
    return rows
