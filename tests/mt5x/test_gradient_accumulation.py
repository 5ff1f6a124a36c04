"""Microbatches add up to the large batch, and no two of them drop the same features."""

import dataclasses
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mt5x import accumulation, partitioning, steps, train_state
from mt5x.model import Transformer, transformer
from mt5x.models import EncoderDecoderModel
from mt5x.optimizers import AdamW
from tests.mt5x import toy
from tests.mt5x.networks import largest_difference, packed_batch, random_examples

FACTORS = ["NUM_REAL_TARGET_TOKENS", "NUM_TOTAL_TARGET_TOKENS", "AVERAGE_PER_SEQUENCE", 100.0, None]


def batch() -> dict[str, np.ndarray]:
    """Four packed rows whose numbers of target tokens are far apart."""
    examples = random_examples(0, 10, 8, 6, vocab=300)
    rows = [examples[:4], examples[4:5], examples[5:9], examples[9:]]
    return packed_batch(rows, 32, 24)


def model(factor: Any = "NUM_REAL_TARGET_TOKENS") -> EncoderDecoderModel:
    return toy.model(loss_normalizing_factor=factor)


def params() -> Any:
    return train_state.init_state(toy.model(), partitioning.make_mesh(1, 1), seed=0).params


def gradients(factor: Any, count: int, key: jax.Array | None = None) -> tuple[Any, Any]:
    def run(params: Any, batch: Any) -> Any:
        return accumulation.gradients(model(factor), params, batch, key, count)

    return jax.device_get(jax.jit(run)(params(), batch()))


@pytest.mark.parametrize("factor", FACTORS)
def test_gradients_and_metrics_of_microbatches_are_those_of_the_batch(factor):
    whole, metrics = gradients(factor, 1)
    scale = max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(whole))
    for count in (2, 4):
        grads, found = gradients(factor, count)
        assert largest_difference(grads, whole) <= 1e-5 * scale
        assert steps.means(found) == pytest.approx(steps.means(metrics), rel=1e-5)
        assert {k: float(count) for k, (_, count) in found.items()} == {
            k: float(count) for k, (_, count) in metrics.items()
        }


def test_the_rows_have_different_numbers_of_tokens():
    tokens = batch()["decoder_loss_weights"].sum(axis=1)
    # Else a mean of the microbatches' means would pass above.
    assert len(set(tokens.tolist())) > 1


def without_dropout(**changes: Any) -> EncoderDecoderModel:
    config = dataclasses.replace(toy.model().module.config, dropout_rate=0.0)
    return dataclasses.replace(toy.model(), module=Transformer(config), **changes)


def trained_losses(count: int, *mesh_sizes: int, **changes: Any) -> list[float]:
    mesh, trained = partitioning.make_mesh(*mesh_sizes), without_dropout(**changes)
    state = train_state.init_state(trained, mesh, seed=0)
    step = steps.train_step(trained, mesh, count)
    rows, found = steps.place(batch(), mesh), []
    for _ in range(5):
        state, metrics = step(state, rows, jax.random.key(1), jnp.float32(0.01))
        found.append(steps.means(metrics)["loss"])
    return found


def test_training_in_microbatches_gives_the_losses_of_the_large_batch():
    expected = trained_losses(1, 1, 1)
    assert expected[-1] < expected[0]
    for count in (2, 4):
        np.testing.assert_allclose(trained_losses(count, 1, 1), expected, rtol=1e-5)
    # Rows stay on their devices: two for each microbatch here, and the network split as well.
    np.testing.assert_allclose(trained_losses(2, 1, 2, 2), expected, rtol=1e-5)


def test_so_it_does_with_adamw():
    expected = trained_losses(1, 1, 1, optimizer_def=AdamW())
    assert expected[-1] < expected[0]
    found = trained_losses(4, 1, 1, optimizer_def=AdamW())
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_no_two_microbatches_and_no_two_layers_share_a_mask(monkeypatch):
    seen: list[np.ndarray] = []
    draw = transformer.dropout_masks

    def recorded(*args: Any) -> Any:
        masks = draw(*args)
        jax.debug.callback(lambda *values: seen.append(np.concatenate(values, 1)), *masks)
        return masks

    monkeypatch.setattr(transformer, "dropout_masks", recorded)
    one_row = {name: np.repeat(rows[:1], 4, axis=0) for name, rows in batch().items()}

    def run(params: Any, batch: Any) -> Any:
        return accumulation.gradients(model(), params, batch, jax.random.key(0), 4)[1]

    jax.block_until_ready(jax.jit(run)(params(), one_row))
    jax.effects_barrier()
    # Encoder, decoder and one layer in each: four draws in each of four microbatches.
    assert len(seen) == 16
    for one, other in itertools.combinations(seen, 2):
        assert one.shape != other.shape or (one != other).any()
