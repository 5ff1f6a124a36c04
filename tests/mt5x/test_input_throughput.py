"""What `mt5x benchmark input` measures, on toy tasks."""

import dataclasses

import pytest

from mt5x.benchmarks import input_throughput
from mt5x.errors import UserError
from tests.mt5x import toy


@pytest.fixture(autouse=True)
def _toy_tasks() -> None:
    toy.register()


def test_counts_are_those_of_the_batches() -> None:
    # 'is 000 even' and EOS are 12 bytes, so two examples fill the inputs of a row.
    found = input_throughput.measure_input(toy.dataset(), batches=3, repeats=2)
    assert found.batch_examples == 2 * 8
    assert 2 * 8 * (12 + 3) <= found.batch_tokens <= 2 * 8 * (12 + 4)
    assert found.filled == pytest.approx(found.batch_tokens / (8 * (24 + 8)))
    assert found.examples_per_second == pytest.approx(found.batch_examples / found.batch_seconds)
    assert found.tokens_per_second > found.examples_per_second > 0
    assert found.examples_per_processor_second > 0


def test_without_packing_a_row_is_an_example() -> None:
    found = input_throughput.measure_input(toy.dataset(pack=False), batches=2, repeats=1)
    assert found.batch_examples == 8


def test_a_step_takes_time() -> None:
    seconds = input_throughput.measure_step(toy.model(), toy.dataset(), repeats=2)
    assert len(seconds) == 2
    assert min(seconds) > 0


def test_a_model_that_is_too_small_for_the_vocabulary_is_refused() -> None:
    model = toy.model()
    module = model.module
    small = dataclasses.replace(
        model, module=module.clone(config=dataclasses.replace(module.config, vocab_size=8))
    )
    with pytest.raises(UserError, match="vocab_size=8"):
        input_throughput.measure_step(small, toy.dataset(), repeats=1)


@pytest.mark.parametrize(("batches", "repeats"), [(0, 1), (1, 0)])
def test_at_least_one_batch_is_measured(batches, repeats) -> None:
    with pytest.raises(UserError, match="at least one"):
        input_throughput.measure_input(toy.dataset(), batches, repeats)
