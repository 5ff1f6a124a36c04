"""Span corruption of plain text with mT5's settings (Raffel et al. 2020; Xue et al. 2021).

Documents are tokenized, joined end to end and cut into segments; in each, 15% of the tokens are
hidden in spans of mean length 3. The input keeps the rest with a sentinel in place of each span;
the target is each sentinel followed by what it hides:

    tokens   a b c d e f g h        input    a b S0 e f S1        target   S0 c d S1 g h

The segments are as long as TASK_FEATURE_LENGTHS lets input and target be, their EOS included.
Beside a task of short targets they are short, and packing fills the rows.
"""

from collections.abc import Sequence

import seqio
import tensorflow as tf

from tasks import vocabulary
from tasks.errors import DataError

# In integers, so that Python and TensorFlow round alike.
NOISE_PERCENT = 15
MEAN_SPAN_LENGTH = 3
# Documents that are joined before they are cut; short ones waste no padding then.
_DOCUMENTS_JOINED = 128
# Used where the caller gives no seed, so that an evaluation sees the same masks every time.
_DEFAULT_SEED = 20201022


def text_only(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Keeps a row's `text` as the targets."""
    return dataset.map(lambda row: {"targets": row["text"]}, num_parallel_calls=tf.data.AUTOTUNE)


def noise_counts(length: int) -> tuple[int, int]:
    """Returns how many tokens of a segment are hidden, and in how many spans.

    Both are rounded, halves up. At least one token is hidden and one shown, for any length from 2.
    """
    hidden = min(max((length * NOISE_PERCENT + 50) // 100, 1), length - 1)
    spans = max((2 * hidden + MEAN_SPAN_LENGTH) // (2 * MEAN_SPAN_LENGTH), 1)
    return hidden, min(spans, length - hidden)


def segment_length(inputs_length: int, targets_length: int | None = None) -> tuple[int, int]:
    """Returns the longest segment whose corrupted input fits, and the length of its target.

    Both count the EOS that is added: 1024 gives (1137, 229), as in mT5's pretraining.

    Args:
      inputs_length: most tokens of the input.
      targets_length: most tokens of the target; None sets no limit.

    Raises:
      DataError: not even two tokens fit.
    """

    def lengths(tokens: int) -> tuple[int, int]:
        hidden, spans = noise_counts(tokens)
        return tokens - hidden + spans + 1, hidden + spans + 1

    def fits(tokens: int) -> bool:
        inputs, targets = lengths(tokens)
        return inputs <= inputs_length and (targets_length is None or targets <= targets_length)

    tokens = 2
    if not fits(tokens):
        raise DataError(
            f"span corruption needs lengths of at least {lengths(tokens)[0]} for inputs and "
            f"{lengths(tokens)[1]} for targets, got {inputs_length} and {targets_length}; raise "
            f"TASK_FEATURE_LENGTHS"
        )
    while fits(tokens + 1):
        tokens += 1
    return tokens, lengths(tokens)[1]


def span_corruption(
    dataset: tf.data.Dataset,
    sequence_length: dict[str, int] | None,
    output_features: dict[str, seqio.Feature],
    targets_with_sentinels: bool = True,
) -> tf.data.Dataset:
    """Turns rows of token ids `targets` into corrupted `inputs` and `targets`, without EOS.

    `document`, an int64 scalar, is the place of the row in which a segment begins.

    The masks follow the seed of `Task.get_dataset`, or a fixed one where that is None. Every
    token of the documents is used; a last segment of a single token is dropped.

    Args:
      dataset: rows {'targets': int32 [any length]}.
      sequence_length: the lengths of 'inputs' and 'targets'.
      output_features: the task's features; the targets' vocabulary gives the sentinels.
      targets_with_sentinels: False leaves the hidden tokens alone in the targets, so that a model
        that is fine-tuned beside it never learns to answer with a sentinel (Xue et al. 2021, 4.2).

    Raises:
      DataError: no lengths, or such that not even two tokens fit.
    """
    if not sequence_length or "inputs" not in sequence_length:
        raise DataError("span corruption needs TASK_FEATURE_LENGTHS for 'inputs' and 'targets'")
    tokens, _ = segment_length(sequence_length["inputs"], sequence_length["targets"])
    sentinels = vocabulary.sentinels(output_features["targets"].vocabulary)
    if noise_counts(tokens)[1] > len(sentinels):
        raise DataError(
            f"inputs of length {sequence_length['inputs']} would need more than {len(sentinels)} "
            f"sentinels, which is all the vocabulary has; lower 'inputs' in TASK_FEATURE_LENGTHS"
        )

    @seqio.map_over_dataset(num_seeds=2)
    def corrupt(row: dict, seeds: tf.Tensor) -> dict:
        ids = row["targets"]
        hidden = random_mask(tf.size(ids), seeds)
        return {
            "document": row["document"],
            "inputs": hide(ids, hidden, sentinels),
            "targets": (
                hide(ids, tf.logical_not(hidden), sentinels)
                if targets_with_sentinels
                else tf.boolean_mask(ids, hidden)
            ),
        }

    segments = _cut(_join(dataset), tokens)
    if getattr(seqio.utils, "_NEXT_MAP_SEED", None) is None:
        with seqio.map_seed_manager(_DEFAULT_SEED):
            return corrupt(segments)
    return corrupt(segments)


def hide(ids: tf.Tensor, hidden: tf.Tensor, sentinels: Sequence[int]) -> tf.Tensor:
    """Replaces each run of hidden tokens by one sentinel, in their order.

    Args:
      ids: int32 [n] token ids.
      hidden: bool [n].
      sentinels: the ids of the sentinels, at least as many as there are runs.

    Returns:
      int32 [n - hidden tokens + runs].
    """
    begins = tf.logical_and(hidden, tf.logical_not(tf.concat([[False], hidden[:-1]], 0)))
    # Before the first run there is none, and no sentinel is kept there either.
    run = tf.maximum(tf.cumsum(tf.cast(begins, tf.int32)) - 1, 0)
    stand_ins = tf.gather(tf.constant(sentinels, ids.dtype), run)
    return tf.boolean_mask(
        tf.where(begins, stand_ins, ids), tf.logical_or(begins, tf.logical_not(hidden))
    )


def random_mask(length: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
    """Draws which tokens of a segment are hidden.

    Shown and hidden tokens are each split at random into as many non-empty spans, which
    alternate, the first one shown and the last one hidden.

    Args:
      length: int32 scalar, at least 2.
      seeds: int32 [2, 2], two stateless seeds.

    Returns:
      bool [length].
    """
    hidden = tf.clip_by_value((length * NOISE_PERCENT + 50) // 100, 1, length - 1)
    spans = tf.maximum((2 * hidden + MEAN_SPAN_LENGTH) // (2 * MEAN_SPAN_LENGTH), 1)
    spans = tf.minimum(spans, length - hidden)
    shown_lengths = _random_partition(length - hidden, spans, seeds[0])
    hidden_lengths = _random_partition(hidden, spans, seeds[1])
    lengths = tf.reshape(tf.stack([shown_lengths, hidden_lengths], axis=1), [-1])
    return tf.repeat(tf.range(2 * spans) % 2 == 1, lengths)


def _random_partition(total: tf.Tensor, parts: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Splits `total` into `parts` positive numbers, all splits equally likely: int32 [parts]."""
    cuts = tf.random.experimental.stateless_shuffle(tf.range(1, total), seed)[: parts - 1]
    bounds = tf.concat([[0], tf.sort(cuts), [total]], 0)
    return bounds[1:] - bounds[:-1]


def _join(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Joins the token ids of many documents end to end; beside each its document's number."""

    def joined(batch: tf.Tensor, documents: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
        return documents.flat_values, batch * _DOCUMENTS_JOINED + documents.value_rowids()

    batches = dataset.map(lambda row: row["targets"]).ragged_batch(_DOCUMENTS_JOINED)
    return batches.enumerate().map(joined, tf.data.AUTOTUNE)


def _cut(dataset: tf.data.Dataset, tokens: int) -> tf.data.Dataset:
    """Cuts ids into segments of `tokens`, the last one shorter but never a single token."""

    def cut(ids: tf.Tensor, documents: tf.Tensor) -> tf.data.Dataset:
        starts = tf.range(0, tf.size(ids) - 1, tokens)
        segments = tf.data.Dataset.from_tensor_slices(starts)
        return segments.map(
            lambda start: {"targets": ids[start : start + tokens], "document": documents[start]}
        )

    return dataset.flat_map(cut)
