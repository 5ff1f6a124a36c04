"""Span corruption by hand: sentinels, EOS, lengths, repeatability."""

import itertools
from pathlib import Path

import pytest
import seqio
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import span_corruption, vocabulary
from tasks.errors import DataError

TASK = "mc4_span_corruption.sw"


def test_sentinels_stand_for_spans_and_count_down() -> None:
    ids = tf.constant([11, 12, 13, 14, 15, 16, 17, 18])
    hidden = tf.constant([False, False, True, True, False, False, True, True])
    inputs = span_corruption.hide(ids, hidden, [99, 98])
    targets = span_corruption.hide(ids, tf.logical_not(hidden), [99, 98])
    assert inputs.numpy().tolist() == [11, 12, 99, 15, 16, 98]
    assert targets.numpy().tolist() == [99, 13, 14, 98, 17, 18]


@pytest.mark.parametrize(
    ("inputs", "tokens", "targets"),
    # 1024 and 512 are published figures of T5's pretraining; 3 is one shown token, sentinel, EOS.
    [(1024, 1137, 229), (512, 568, 114), (3, 2, 3), (10, 10, 4)],
)
def test_segment_lengths(inputs: int, tokens: int, targets: int) -> None:
    assert span_corruption.segment_length(inputs) == (tokens, targets)


@settings(max_examples=60)
@given(st.integers(2, 700), st.integers(0, 2**31 - 1))
def test_masks_hide_what_the_counts_say(length: int, seed: int) -> None:
    seeds = tf.constant([[seed, 1], [seed, 2]])
    mask = span_corruption.random_mask(tf.constant(length), seeds).numpy()
    hidden, spans = span_corruption.noise_counts(length)
    assert len(mask) == length
    assert mask.sum() == hidden
    assert not mask[0]
    assert mask[-1]
    starts = sum(1 for before, here in itertools.pairwise(mask) if here and not before)
    assert starts == spans


def examples(split: str = "validation", seed: int | None = None, lengths=(32, 16)) -> list:
    task = seqio.get_mixture_or_task(TASK)
    rows = task.get_dataset(
        dict(zip(("inputs", "targets"), lengths, strict=True)), split, shuffle=False, seed=seed
    )
    return [(r["inputs"].tolist(), r["targets"].tolist()) for r in rows.as_numpy_iterator()]


def restored(inputs: list[int], targets: list[int], first: int) -> list[int]:
    """Puts the hidden spans back in the place of their sentinels."""
    spans: dict[int, list[int]] = {}
    for token in targets[:-1]:
        if token > first - 100:
            spans[token] = current = []
        else:
            current.append(token)
    return [t for token in inputs[:-1] for t in spans.get(token, [token])]


def test_every_token_is_there_once_and_eos_ends_both(tfds_env: Path) -> None:
    whole: list[int] = []
    for inputs, targets in examples():
        assert inputs[-1] == targets[-1] == 1
        assert len(inputs) <= 32
        assert len(targets) <= 16
        # ByT5's last id is sentinel 0, and no byte of this text is as high.
        assert targets[0] == 258
        sentinels = [token for token in inputs if token > 158]
        assert sentinels == [258 - n for n in range(len(sentinels))]
        whole += restored(inputs, targets, 258)
    text = "".join(" ".join(f"neno{n}" for n in range(words)) for words in (30, 1, 7))
    assert whole == [byte + 3 for byte in text.encode()]


def test_masks_repeat_with_the_seed_and_without_one(tfds_env: Path) -> None:
    assert examples() == examples()
    assert examples(seed=5) == examples(seed=5)
    assert examples(seed=5) != examples(seed=6)


def test_epochs_are_masked_anew(tfds_env: Path) -> None:
    task = seqio.get_mixture_or_task(TASK)
    rows = task.get_dataset(
        {"inputs": 64, "targets": 32}, "validation", shuffle=False, seed=1, num_epochs=2
    )
    targets = [row["targets"].tolist() for row in rows.as_numpy_iterator()]
    assert len({tuple(t) for t in targets}) == len(targets)


def test_short_targets_shorten_the_segments(tfds_env: Path) -> None:
    """Beside a task of short targets nothing is cut off, and as much is hidden as ever."""
    whole, short = examples(lengths=(64, 32)), examples(lengths=(64, 8))

    def tokens(rows: list) -> int:
        return sum(len(inputs) + len(targets) for inputs, targets in rows)

    assert max(len(targets) for _, targets in short) <= 8
    assert all(inputs[-1] == targets[-1] == 1 for inputs, targets in short)
    assert max(len(inputs) for inputs, _ in short) < max(len(inputs) for inputs, _ in whole)
    assert len(short) > len(whole)
    # The same documents: what differs is two ends and a sentinel pair more for each segment more.
    assert abs(tokens(short) - tokens(whole)) <= 4 * (len(short) - len(whole)) + 2 * len(whole)


def test_without_sentinels_the_targets_are_the_hidden_words(tfds_env: Path) -> None:
    task = seqio.get_mixture_or_task("mc4_no_sentinels.sw")
    settings = {"split": "validation", "shuffle": False, "seed": 5}
    lengths = {"inputs": 64, "targets": 32}
    bare = list(task.get_dataset(lengths, **settings).as_numpy_iterator())
    full = list(
        seqio.get_mixture_or_task(TASK).get_dataset(lengths, **settings).as_numpy_iterator()
    )
    assert len(bare) == len(full)
    sentinels = set(vocabulary.sentinels(task.output_features["targets"].vocabulary))
    for with_sentinels, without in zip(full, bare, strict=True):
        assert (with_sentinels["inputs"] == without["inputs"]).all()
        kept = [i for i in with_sentinels["targets"].tolist() if i not in sentinels]
        assert without["targets"].tolist() == kept


def test_lengths_that_do_not_fit(tfds_env: Path) -> None:
    with pytest.raises(DataError, match="at least 3 for inputs and 3 for targets, got 64 and 2"):
        examples(lengths=(64, 2))
    with pytest.raises(DataError, match="at least 3 for inputs"):
        examples(lengths=(2, 8))
    with pytest.raises(DataError, match="more than 100 sentinels"):
        examples(lengths=(4096, 4096))
    with pytest.raises(DataError, match="needs TASK_FEATURE_LENGTHS"):
        seqio.get_mixture_or_task(TASK).get_dataset(None, "validation")


def test_sentinels_under_mt5s_own_vocabulary(tfds_env: Path, shared: Path) -> None:
    vocabulary.choose(shared / "data" / "mt5_vocab" / "spiece.model")
    tokenizer = vocabulary.chosen().tokenizer
    for inputs, targets in examples():
        assert tokenizer.id_to_piece(targets[0]) == "▁<extra_id_0>"
        assert targets[0] == 250099
        assert targets[0] in inputs
