"""Times LM statistics, beside the plain way: one example at a time, each of them decoded.

The text is made up: random tokens, in the proportions of span corruption (15% hidden, in spans of
3). A plain example costs what any other does, so it is timed on a few; both are told per 1,000
tokens of text.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis.lm_job import batches
from analysis.lm_statistics import measure
from mt5x import decoding, scoring, train_state
from mt5x.benchmarks import side_by_side
from mt5x.benchmarks.measurement import OURS, Measurement
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import make_mesh

PLAIN = "one at a time"
_PER = 1000
_HIDDEN, _SPAN, _EOS = 0.15, 3, 1


def sizes(text_tokens: int) -> tuple[int, int]:
    """Tokens of inputs and of targets that span corruption makes of so many, each with its EOS."""
    hidden = round(text_tokens * _HIDDEN)
    spans = max(round(hidden / _SPAN), 1)
    return text_tokens - hidden + spans + 1, hidden + spans + 1


def made_up(
    examples: int, text_tokens: int, vocabulary: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Inputs and targets of random tokens."""
    random = np.random.default_rng(0)

    def side(length: int) -> list[np.ndarray]:
        rows = random.integers(2, vocabulary, (examples, length)).astype(np.int32)
        rows[:, -1] = _EOS
        return list(rows)

    source, target = sizes(text_tokens)
    return side(source), side(target)


def plain(
    model: Any, params: Any, lengths: dict[str, int]
) -> Callable[[np.ndarray, np.ndarray], tuple[float, int, int]]:
    """Returns measure_one(inputs, targets) -> nats, tokens and hits of that one, decoded."""

    def compute(params: Any, batch: dict[str, jax.Array]) -> tuple[jax.Array, ...]:
        targets = batch["decoder_target_tokens"]
        log_probs = scoring.token_log_probs(model, params, batch)
        decoded, _ = decoding.greedy_decode(
            model, params, batch["encoder_input_tokens"], targets.shape[1]
        )
        real = targets > 0
        nll = -jnp.where(real, log_probs, 0.0).sum(axis=1)
        return nll, real.sum(axis=1), ((decoded == targets) & real).sum(axis=1)

    compiled = jax.jit(compute)

    def measure_one(inputs: np.ndarray, targets: np.ndarray) -> tuple[float, int, int]:
        (batch,) = batches([inputs], [targets], lengths, 1)
        nll, tokens, hits = map(np.asarray, compiled(params, batch))
        return float(nll[0]), int(tokens[0]), int(hits[0])

    return measure_one


def compare(
    model: EncoderDecoderModel,
    name: str,
    text_tokens: int,
    examples: int,
    plain_examples: int,
    batch_size: int,
    repeats: int,
) -> list[Measurement]:
    """Times both ways.

    Args:
      model: the model, called `name`; its parameters are fresh ones, so that hardly a sequence is
        settled without decoding.
      name: for the table.
      text_tokens: of a sequence, before masking.
      examples: sequences that ours is timed on.
      plain_examples: sequences that the plain way is timed on.
      batch_size: rows of a batch.
      repeats: timed runs.

    Returns:
      A row each: seconds for 1,000 tokens of text, tokens per second, sequences timed, and minutes
      that 10 languages of 25,000 tokens take.
    """
    params = train_state.init_state(model, make_mesh(1, 1), 0).params
    inputs, targets = made_up(examples, text_tokens, model.module.config.vocab_size)
    lengths = dict(zip(("inputs", "targets"), sizes(text_tokens), strict=True))
    measure_one = plain(model.module, params, lengths)

    def ours() -> None:
        measure(model.module, params, batches(inputs, targets, lengths, batch_size))

    def one_at_a_time() -> None:
        for source, target in zip(inputs[:plain_examples], targets, strict=False):
            measure_one(source, target)

    taken = side_by_side.seconds({OURS: ours, PLAIN: one_at_a_time}, repeats)
    counts = {OURS: examples, PLAIN: min(plain_examples, examples)}
    case = (
        f"{name}, sequences of {text_tokens} tokens, {lengths['inputs']}/{lengths['targets']}, "
        f"per {_PER:,} tokens, batch {batch_size}, {model.module.config.dtype.name}"
    )
    rows = []
    for variant, seconds in taken.items():
        scale = _PER / (counts[variant] * text_tokens)
        row = Measurement(case, variant, [scale * one for one in seconds])
        figures = {
            "tokens/s": _PER / row.median,
            "timed": counts[variant],
            "minutes for 10 x 25,000": row.median * 250_000 / _PER / 60,
        }
        rows.append(Measurement(case, variant, row.seconds, figures))
    return rows
