"""Batches of like length: few shapes, little padding, every result in its place."""

import jax
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mt5x import length_buckets, prediction, steps, train_state
from mt5x.partitioning import make_mesh
from tests.mt5x import toy

lengths = st.lists(st.integers(1, 1100), min_size=1, max_size=60)


@given(st.integers(1, 10**6), st.sampled_from([8, 32]))
def test_a_bucket_holds_its_length_and_is_little_longer(length, shortest):
    found = length_buckets.bucket(length, shortest)
    assert found >= max(length, shortest)
    # A quarter of the power of two below: a fifth at most beyond what is needed.
    assert found <= max(shortest, 1.25 * length)
    assert length_buckets.bucket(found, shortest) == found


def test_buckets_are_few():
    assert len({length_buckets.bucket(length) for length in range(1, 1025)}) == 21


@given(lengths, st.sampled_from([1, 2, 8, 24]), st.sampled_from([1, 2]))
def test_every_input_is_predicted_once_and_in_order(lengths, batch_size, parts):
    batch_size *= parts
    sizes: set[int] = set()
    done: list[int] = []

    def predict(indices, rows):
        sizes.add(rows)
        assert len(indices) <= rows <= batch_size
        return (np.pad(np.array(indices), (0, rows - len(indices)), constant_values=-1),)

    found = length_buckets.in_order(lengths, batch_size, predict, done.append, parts)
    assert [int(one) for (one,) in found] == list(range(len(lengths)))
    assert sum(done) == len(lengths)
    (rows,) = sizes
    assert rows % parts == 0


def test_tokens_are_padded_to_their_bucket():
    batch = length_buckets.tokens([[5, 1], [7] * 33, [6, 1]], [1, 2], 4)
    assert batch.shape == (4, 40)
    np.testing.assert_array_equal(batch.sum(axis=1), [7 * 33, 7, 0, 0])


def compilations(act) -> int:
    """How many programs XLA compiles while `act` runs."""
    found = []

    def note(event: str, duration_secs: float, **_: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            found.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        act()
    finally:
        jax.monitoring.unregister_event_duration_listener(note)
    return len(found)


def test_languages_and_stages_share_what_was_compiled():
    """A shape is compiled once a process, whichever language, stage or equal model has it."""
    mesh = make_mesh(1, 1)
    params = train_state.init_state(toy.model(), mesh, seed=1).params
    steps.label_step.cache_clear()
    random = np.random.default_rng(0)

    def predict(seed: int) -> None:
        sizes = np.random.default_rng(seed).permutation(range(2, 60))
        inputs = [random.integers(3, 200, size) for size in sizes]
        prediction.predict_labels(
            toy.model(), params, mesh, inputs, ["no", "yes"], toy.VOCABULARY, 8
        )

    # Lengths 2 to 59 in batches of 8 rows: buckets 64, 56, 48, 40, 32.
    assert 5 <= compilations(lambda: predict(0)) <= 5 + 2
    assert compilations(lambda: predict(1)) == 0
