"""How examples share rows when SeqIO packs them, and how much of the rows is padding.

Packing (`seqio.trim_and_pack_dataset`, T5's) puts examples into a row in their order for as long
as both inputs and targets fit, in batches of as many examples as the longer feature has tokens;
the last row of each batch stays as it is. `pack` does it; `count_rows` follows it by the lengths
alone, thousands of times faster, for trying out many lengths. A test holds the two together.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import seqio
import tensorflow as tf

from tasks.inspection.examples import FEATURES, Example

Lengths = Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class Packing:
    """What packing made of some examples.

    Attributes:
      lengths: tokens of a row's inputs and targets.
      examples: how many there were.
      rows: how many rows they became.
      tokens: tokens that are not padding, by feature.
      attended: what these attend to in their own examples: tokens, summed over tokens.
      cut: examples that lost tokens of inputs or targets.
    """

    lengths: dict[str, int]
    examples: int
    rows: int
    tokens: dict[str, int]
    attended: int
    cut: int

    def filled(self, feature: str) -> float:
        """Returns the share of a feature's positions that is not padding."""
        return self.tokens[feature] / (self.rows * self.lengths[feature])

    @property
    def efficiency(self) -> float:
        """The share of all positions, inputs and targets together, that is not padding."""
        return sum(self.tokens.values()) / (self.rows * sum(self.lengths.values()))

    @property
    def share_cut(self) -> float:
        """The share of the examples that lost tokens."""
        return self.cut / self.examples

    @property
    def examples_per_row(self) -> float:
        """The mean number of examples in a row."""
        return self.examples / self.rows


def token_counts(examples: Sequence[Example]) -> np.ndarray:
    """Returns the tokens of each example, EOS included: int64 [examples, 2], inputs and targets."""
    counts = [[len(example.ids[name]) for name in FEATURES] for example in examples]
    return np.asarray(counts, np.int64).reshape(-1, len(FEATURES))


def pack(examples: Sequence[Example], lengths: Lengths) -> tuple[Packing, dict[str, np.ndarray]]:
    """Packs examples with SeqIO.

    Args:
      examples: at least one.
      lengths: tokens of a row's inputs and targets.

    Returns:
      The figures, and SeqIO's arrays, int32 [rows, length]: 'inputs', 'inputs_segment_ids',
      'inputs_positions' and the same of 'targets'.
    """
    limits = {name: int(lengths[name]) for name in FEATURES}

    def rows() -> object:
        for example in examples:
            yield {name: example.ids[name] for name in FEATURES}

    dataset = tf.data.Dataset.from_generator(
        rows, output_signature={name: tf.TensorSpec([None], tf.int32) for name in FEATURES}
    )
    packed = seqio.trim_and_pack_dataset(dataset, limits)
    found = list(packed.as_numpy_iterator())
    arrays = {key: np.stack([row[key] for row in found]) for key in found[0]}
    counts = token_counts(examples)
    figures = Packing(
        lengths=limits,
        examples=len(examples),
        rows=len(found),
        tokens={name: int((arrays[f"{name}_segment_ids"] > 0).sum()) for name in FEATURES},
        attended=_attended(counts, limits),
        cut=_cut(counts, limits),
    )
    return figures, arrays


def count_rows(counts: np.ndarray, lengths: Lengths) -> Packing:
    """Returns the figures of packing examples of these token counts, without packing them.

    Args:
      counts: int64 [examples, 2], tokens of inputs and targets.
      lengths: tokens of a row's inputs and targets.
    """
    limits = {name: int(lengths[name]) for name in FEATURES}
    kept = np.minimum(counts, list(limits.values()))
    total = len(counts)
    # The first example that no longer fits in a row that begins at each example.
    beyond = np.full(total, total)
    for column, limit in enumerate(limits.values()):
        ends = np.concatenate([[0], np.cumsum(kept[:, column])])
        beyond = np.minimum(beyond, np.searchsorted(ends, ends[:-1] + limit, side="right") - 1)
    batch = max(limits.values())
    beyond = np.minimum(beyond, (np.arange(total) // batch + 1) * batch).tolist()
    rows = begin = 0
    while begin < total:
        begin = beyond[begin]
        rows += 1
    return Packing(
        lengths=limits,
        examples=total,
        rows=rows,
        tokens={name: int(kept[:, column].sum()) for column, name in enumerate(FEATURES)},
        attended=_attended(counts, limits),
        cut=_cut(counts, limits),
    )


def _cut(counts: np.ndarray, limits: Lengths) -> int:
    return int((counts > list(limits.values())).any(axis=1).sum())


def _attended(counts: np.ndarray, limits: Lengths) -> int:
    inputs, targets = np.minimum(counts, list(limits.values())).T
    return int((inputs * inputs + targets * (inputs + targets)).sum())
