"""Times the evaluation of a classification task in many languages, beside the textbook's way.

Ours scores the labels, all languages in shared batches of like length. The textbook's cost of an
example does not depend on the example, so it is timed on a few, and both are told per 1,000.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mt5x import prediction, train_state
from mt5x.benchmarks import padded_evaluation, side_by_side
from mt5x.benchmarks.measurement import OURS, Measurement
from mt5x.errors import UserError
from mt5x.length_buckets import TokenIds
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import make_mesh

# Tokens of XNLI's 37,350 validation inputs under mT5's vocabulary: the quantiles below.
_QUANTILES = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1)
_XNLI_LENGTHS = (20, 38, 45, 50, 56, 61, 67, 74, 82, 93, 104, 128, 159, 231)
XNLI_LABELS = ("0", "1", "2")

_PER = 1000


class Digits:
    """Stands for a vocabulary where there is no text: a digit is one token."""

    eos_id = 1

    def encode(self, text: str) -> list[int]:
        """Returns a token for each character."""
        return [3 + ord(character) for character in text]


def like_xnli(languages: int, examples: int, vocabulary: int) -> list[list[np.ndarray]]:
    """Random tokens in the lengths of XNLI, so many examples of each language."""
    random = np.random.default_rng(0)
    lengths = np.interp(random.random((languages, examples)), _QUANTILES, _XNLI_LENGTHS)
    return [
        [np.append(random.integers(3, vocabulary, int(n) - 1), 1).astype(np.int32) for n in row]
        for row in lengths
    ]


def measure(
    model: EncoderDecoderModel,
    name: str,
    languages: Sequence[Sequence[TokenIds]],
    labels: Sequence[str],
    vocabulary: Any,
    batch_size: int,
    padded_lengths: Sequence[int],
    padded_batches: int,
    repeats: int,
) -> list[Measurement]:
    """Times ours, and the textbook's way for each length that it may pad inputs to.

    Args:
      model: the model; its parameters are fresh ones.
      name: of model and task, for the table.
      languages: each language's inputs, token ids with EOS.
      labels: the closed set of targets.
      vocabulary: encodes the labels.
      batch_size: rows of a batch, in all variants.
      padded_lengths: what the textbook pads every input to; inputs longer than that are cut.
      padded_batches: batches that the textbook is timed on.
      repeats: timed runs.

    Returns:
      A row each: seconds for 1,000 examples, examples per second, how many were timed.

    Raises:
      UserError: there is no input.
    """
    inputs = [ids for language in languages for ids in language]
    if not inputs:
        raise UserError("no example to evaluate")
    mesh = make_mesh(1, 1)
    params = train_state.init_state(model, mesh, 0).params
    target_length = prediction.encode_labels(labels, vocabulary).shape[1]
    few = inputs[: padded_batches * batch_size]

    def ours() -> None:
        prediction.predict_labels(model, params, mesh, inputs, labels, vocabulary, batch_size)

    def textbook(length: int) -> Callable[[], None]:
        cut = [ids[:length] for ids in few]

        def run() -> None:
            padded_evaluation.decoded_ids(
                model, params, mesh, [cut], batch_size, length, target_length
            )

        return run

    variants = {OURS: ours}
    counts = {OURS: len(inputs)}
    for length in padded_lengths:
        variant = f"textbook, padded to {length:,}"
        variants[variant], counts[variant] = textbook(length), len(few)
    seconds = side_by_side.seconds(variants, repeats)
    case = (
        f"{name}, {_PER:,} of {len(languages)} languages, batch {batch_size}, "
        f"{model.module.config.dtype.name}"
    )
    rows = []
    for variant, taken in seconds.items():
        row = Measurement(case, variant, [one * _PER / counts[variant] for one in taken])
        figures = {"examples/s": _PER / row.median, "timed": counts[variant]}
        rows.append(Measurement(case, variant, row.seconds, figures))
    return rows
