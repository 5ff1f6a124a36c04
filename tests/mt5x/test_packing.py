"""The faster packing makes SeqIO's rows, to the last element, and says nothing different."""

import numpy as np
import pytest
import seqio
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from mt5x.packing import PackingConverter, pack

EXAMPLES = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 30)), min_size=1, max_size=80)


def made_up(counts: list[tuple[int, int]]) -> tf.data.Dataset:
    """Examples of so many tokens, all tokens different, and a text that packing leaves out."""

    def examples() -> object:
        token = 1
        for inputs, targets in counts:
            yield {
                "inputs": np.arange(token, token + inputs, dtype=np.int32),
                "targets": np.arange(token, token + targets, dtype=np.int32),
                "inputs_pretokenized": b"text",
            }
            token += max(inputs, targets)

    ids = tf.TensorSpec([None], tf.int32)
    return tf.data.Dataset.from_generator(
        examples,
        output_signature={
            "inputs": ids,
            "targets": ids,
            "inputs_pretokenized": tf.TensorSpec([], tf.string),
        },
    )


def rows(dataset: tf.data.Dataset) -> list[dict[str, np.ndarray]]:
    return list(dataset.as_numpy_iterator())


def assert_same(ours: list, theirs: list) -> None:
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert our.keys() == their.keys()
        for name in their:
            assert our[name].dtype == their[name].dtype
            np.testing.assert_array_equal(our[name], their[name], err_msg=name)


# Row lengths below the examples', so that some are cut, and above.
@settings(max_examples=10)
@given(EXAMPLES, st.integers(1, 64), st.integers(1, 48))
def test_rows_are_seqios(counts, inputs, targets) -> None:
    lengths = {"inputs": inputs, "targets": targets}
    assert_same(
        rows(pack(made_up(counts), lengths)),
        rows(seqio.trim_and_pack_dataset(made_up(counts), lengths)),
    )


@pytest.mark.parametrize(
    "counts",
    [
        [(8, 4)] * 5,  # each fills its row
        [(1, 1)] * 40,  # more than one batch of the packing, which has 8 examples
        [(4, 1), (4, 1), (1, 4), (1, 1)],  # once the inputs are full, once the targets
        [(99, 99)],  # one row, cut
    ],
)
def test_rows_at_the_edges_are_seqios(counts) -> None:
    lengths = {"inputs": 8, "targets": 4}
    assert_same(
        rows(pack(made_up(counts), lengths)),
        rows(seqio.trim_and_pack_dataset(made_up(counts), lengths)),
    )


@pytest.mark.parametrize("packed", [True, False])
def test_the_converter_gives_the_batches_of_seqios_converter(packed) -> None:
    lengths = {"inputs": 24, "targets": 12}
    draw = np.random.default_rng(0)
    counts = [(int(draw.integers(1, 20)), int(draw.integers(1, 9))) for _ in range(90)]
    theirs = seqio.EncDecFeatureConverter(pack=packed)(made_up(counts), lengths)
    ours = PackingConverter(pack=packed)(made_up(counts), lengths)
    assert ours.element_spec == theirs.element_spec
    assert_same(rows(ours), rows(theirs))


def test_nothing_to_pack_gives_no_row() -> None:
    assert rows(pack(made_up([(1, 1)]).take(0), {"inputs": 8, "targets": 4})) == []
