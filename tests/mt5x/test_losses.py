"""The chunked loss against T5X's reference values and against the textbook formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mt5x import losses, real_targets
from mt5x.errors import UserError
from tests.mt5x.networks import (
    SMALL,
    largest_difference,
    logits_of,
    loss_and_grads,
    packed_batch,
    random_examples,
    unpacked_batch,
)


def textbook(hidden, kernel, targets, weights, z_loss, smoothing):
    """T5X's definition, with one-hot targets and all logits."""
    logits = hidden.astype(jnp.float32) @ kernel
    vocab = kernel.shape[1]
    low = smoothing / (vocab - 1)
    soft = jnp.where(jax.nn.one_hot(targets, vocab) > 0, 1 - smoothing, low)
    entropy = -jnp.sum(soft[0, 0] * jnp.log(soft[0, 0] + 1e-20)) if smoothing else 0.0
    log_z = jax.nn.logsumexp(logits, axis=-1)
    loss = -jnp.sum(soft * jax.nn.log_softmax(logits), axis=-1) - entropy + z_loss * log_z**2
    return jnp.sum(loss * weights)


def problem(seed, batch=3, length=7, width=8, vocab=33):
    keys = jax.random.split(jax.random.key(seed), 4)
    hidden = 2 * jax.random.normal(keys[0], (batch, length, width))
    kernel = jax.random.normal(keys[1], (width, vocab))
    targets = jax.random.randint(keys[2], (batch, length), 0, vocab)
    weights = jax.random.uniform(keys[3], (batch, length))
    return hidden, kernel, targets, weights


def test_loss_and_gradients_equal_t5x(golden):
    params = golden.tree("params_step0")
    (value, _), grads = loss_and_grads(golden.model, params, golden.batch)
    np.testing.assert_allclose(value, golden.arrays["losses"][0], rtol=1e-6)
    assert largest_difference(grads, golden.tree("grads_step0")) < 1e-5


def test_chunked_loss_and_gradients_equal_t5x(golden, monkeypatch):
    vocab = golden.settings["vocab_size"]
    monkeypatch.setattr(losses, "LOGITS_BYTES", 4 * 5 * vocab * 4)  # 5 of the 12 positions

    def loss(params):
        return losses.loss_fn(golden.model, params, golden.batch, None, z_loss=1e-4)[0]

    value, grads = jax.jit(jax.value_and_grad(loss))(golden.tree("params_step0"))
    np.testing.assert_allclose(value, golden.arrays["losses"][0], rtol=1e-6)
    assert largest_difference(grads, golden.tree("grads_step0")) < 1e-5


@pytest.mark.parametrize("positions_at_once", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(("z_loss", "smoothing"), [(0.0, 0.0), (1e-2, 0.0), (1e-2, 0.1)])
def test_any_chunking_is_the_textbook_loss(monkeypatch, positions_at_once, z_loss, smoothing):
    hidden, kernel, targets, weights = problem(0)
    monkeypatch.setattr(losses, "LOGITS_BYTES", positions_at_once * 3 * 33 * 4)

    def ours(hidden, kernel, weights):
        return losses.cross_entropy(
            hidden, kernel, targets, weights, z_loss=z_loss, label_smoothing=smoothing
        )[0]

    def theirs(hidden, kernel, weights):
        return textbook(hidden, kernel, targets, weights, z_loss, smoothing)

    for_all = jax.jit(jax.value_and_grad(ours, argnums=(0, 1, 2)))
    value, grads = for_all(hidden, kernel, weights)
    expected, expected_grads = jax.value_and_grad(theirs, argnums=(0, 1, 2))(
        hidden, kernel, weights
    )
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(jax.jit(ours)(hidden, kernel, weights), expected, rtol=1e-6)
    for grad, other in zip(grads, expected_grads, strict=True):
        np.testing.assert_allclose(grad, other, atol=1e-5, rtol=1e-5)


def test_gradient_scales_with_what_follows(monkeypatch):
    hidden, kernel, targets, weights = problem(1)

    def ours(hidden):
        return jnp.tanh(losses.cross_entropy(hidden, kernel, targets, weights)[0] / 50)

    def theirs(hidden):
        return jnp.tanh(textbook(hidden, kernel, targets, weights, 0.0, 0.0) / 50)

    np.testing.assert_allclose(jax.grad(ours)(hidden), jax.grad(theirs)(hidden), atol=1e-6)


@pytest.mark.parametrize("grad", [False, True])
def test_all_logits_never_exist_at_once(monkeypatch, grad):
    batch, length, vocab = 4, 64, 5000
    hidden, kernel, targets, weights = problem(2, batch, length, 8, vocab)
    monkeypatch.setattr(losses, "LOGITS_BYTES", batch * 8 * vocab * 4)

    def loss(hidden, kernel):
        return losses.cross_entropy(hidden, kernel, targets, weights)[0]

    function = jax.grad(loss, argnums=(0, 1)) if grad else loss
    memory = jax.jit(function).lower(hidden, kernel).compile().memory_analysis()
    assert memory is not None
    assert memory.temp_size_in_bytes < batch * length * vocab * 4 / 2


@pytest.mark.parametrize("factor", [None, *losses.NORMALIZING_FACTORS])
def test_a_batch_of_padding_has_no_loss(small, factor):
    model, params = small
    batch = {k: np.zeros_like(v) for k, v in packed_batch([[([5, 1], [6, 1])]], 4, 3).items()}
    (value, metrics), grads = loss_and_grads(model, params, batch, factor)
    assert value == 0
    assert all(bool(jnp.all(grad == 0)) for grad in jax.tree.leaves(grads))
    assert metrics["accuracy"] == (0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_packing_changes_no_loss_and_no_gradient(small, seed):
    model, params = small
    examples = random_examples(seed, 5, source=7, target=5)
    packed = packed_batch([examples[:3], examples[3:]], 21, 15)
    (value, _), grads = loss_and_grads(model, params, packed)
    apart = unpacked_batch(examples, 9, 6)
    (expected, _), expected_grads = loss_and_grads(model, params, apart)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    for grad, other in zip(jax.tree.leaves(grads), jax.tree.leaves(expected_grads), strict=True):
        np.testing.assert_allclose(grad, other, atol=1e-5, rtol=1e-4)


def test_normalizing_factors():
    examples = random_examples(4, 4, source=7, target=6)
    lengths = [len(targets) for _, targets in examples]
    batch = unpacked_batch(examples, 8, 8)
    packed = packed_batch([examples[:3], examples[3:]], 24, 20)

    def shares(batch, factor):
        """What each target token counts in the loss, by example."""
        weights, divisor = losses.normalized_weights(batch, factor)
        real = np.asarray(batch["decoder_target_tokens"]) > 0
        assert (np.asarray(weights)[~real] == 0).all()
        return np.split((np.asarray(weights) / divisor)[real], np.cumsum(lengths)[:-1])

    for features in (batch, packed):
        size = features["decoder_target_tokens"].size
        tokens = sum(lengths)
        expected = {None: 1, 7.0: 1 / 7, "NUM_REAL_TARGET_TOKENS": 1 / tokens}
        expected["num_total_target_tokens"] = 1 / size
        for factor, share in expected.items():
            np.testing.assert_allclose(np.concatenate(shares(features, factor)), share, rtol=1e-6)
        for length, share in zip(lengths, shares(features, "AVERAGE_PER_SEQUENCE"), strict=True):
            np.testing.assert_allclose(share, 1 / (4 * length), rtol=1e-5)
    with pytest.raises(UserError, match="did you mean NUM_REAL_TARGET_TOKENS"):
        losses.normalized_weights(batch, "NUM_REAL_TOKENS")


def test_loss_is_divided_by_the_factor(small):
    model, params = small
    batch = unpacked_batch(random_examples(5, 6, source=7, target=6), 8, 8)
    (mean, metrics), _ = loss_and_grads(model, params, batch, "NUM_REAL_TARGET_TOKENS")
    np.testing.assert_allclose(mean, metrics["loss"][0] / metrics["loss"][1], rtol=1e-6)


def test_metrics_of_two_batches_add_up(small):
    model, params = small
    batch = unpacked_batch(random_examples(5, 6, source=7, target=6), 8, 8)
    rows = np.arange(6)[:, None]

    def metrics(chosen):
        weights = np.where(chosen, batch["decoder_loss_weights"], 0)
        return loss_and_grads(model, params, {**batch, "decoder_loss_weights": weights})[0][1]

    first, second, both = metrics(rows < 2), metrics(rows >= 2), metrics(rows >= 0)
    for name in ("loss", "cross_entropy", "z_loss", "accuracy"):
        merged = [a + b for a, b in zip(first[name], second[name], strict=True)]
        np.testing.assert_allclose(merged, both[name], rtol=1e-5)


def test_metrics_say_what_they_are(small):
    model, params = small
    batch = unpacked_batch(random_examples(6, 4, source=7, target=6), 8, 8)
    logits = logits_of(model, params, batch)
    weights, targets = batch["decoder_loss_weights"], batch["decoder_target_tokens"]
    log_probs = np.asarray(jax.nn.log_softmax(logits))
    picked = np.take_along_axis(log_probs, targets[..., None], axis=-1)[..., 0]
    hits = np.argmax(logits, axis=-1) == targets
    (loss, metrics), _ = loss_and_grads(model, params, batch)
    tokens = weights.sum()
    np.testing.assert_allclose(metrics["cross_entropy"], [-(picked * weights).sum(), tokens], 1e-5)
    np.testing.assert_allclose(metrics["accuracy"], [(hits * weights).sum(), tokens])
    np.testing.assert_allclose(metrics["target_tokens"], [tokens, 1])
    np.testing.assert_allclose(metrics["non_padding_fraction/decoder"], [tokens, 32])
    inputs = (batch["encoder_input_tokens"] > 0).sum()
    np.testing.assert_allclose(metrics["non_padding_fraction/encoder"], [inputs, 32])
    np.testing.assert_allclose(metrics["loss"][0], loss, rtol=1e-6)
    parts = metrics["cross_entropy"][0] + metrics["z_loss"][0]
    np.testing.assert_allclose(parts, loss, rtol=1e-6)


def test_loss_is_the_same_over_eight_devices(small):
    model, params = small
    batch = packed_batch([[e] for e in random_examples(7, 8, 9, 6, SMALL.vocab_size)], 9, 6)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))

    spread = jax.device_put(batch, rows)
    (value, _), grads = loss_and_grads(model, params, spread)
    (expected, _), expected_grads = loss_and_grads(model, params, batch)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    assert largest_difference(grads, expected_grads) < 1e-4


def test_products_of_bfloat16_are_summed_in_float32(monkeypatch):
    hidden, kernel, targets, weights = problem(3, width=64)
    hidden, kernel = hidden.astype(jnp.bfloat16), kernel / 8

    def value_and_grads():
        def loss(hidden, kernel):
            return losses.cross_entropy(hidden, kernel, targets, weights)[0]

        return jax.value_and_grad(loss, argnums=(0, 1))(hidden, kernel)

    value, grads = value_and_grads()
    monkeypatch.setattr(losses, "operand_dtype", lambda dtype: dtype)
    half_value, half_grads = value_and_grads()
    np.testing.assert_allclose(half_value, value, rtol=2e-3)
    for half, grad in zip(half_grads, grads, strict=True):
        assert half.dtype == grad.dtype
        # bfloat16 keeps eight bits.
        difference = jnp.max(jnp.abs((half - grad).astype(jnp.float32)))
        assert 0 < difference < 2**-6 * jnp.max(jnp.abs(grad))


@pytest.mark.parametrize("pieces", [1, 3])
def test_positions_behind_the_last_real_target_change_nothing(pieces, monkeypatch):
    hidden, kernel, targets, weights = problem(1, length=16)
    monkeypatch.setattr(losses, "LOGITS_BYTES", hidden.shape[0] * 16 * 33 * 4 // pieces)
    monkeypatch.setattr(real_targets, "LEAST_LOGITS", 1)

    def loss(hidden, kernel, weights):
        return losses.cross_entropy(
            hidden, kernel, targets, weights, z_loss=1e-2, label_smoothing=0.1
        )

    def expected(hidden, kernel, weights):
        return textbook(hidden, kernel, targets, weights, 1e-2, 0.1)

    alone = jax.jit(loss)
    whole = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))
    plain = jax.jit(jax.value_and_grad(expected, argnums=(0, 1)))
    counted = losses.token_statistics(hidden, kernel, targets, summed=True)
    for real in range(17):
        some = weights * (jnp.arange(16)[None] < real) * (jnp.arange(3)[:, None] < 2)
        (value, statistics), grads = whole(hidden, kernel, some)
        wanted, wanted_grads = plain(hidden, kernel, some)
        values = [value, alone(hidden, kernel, some)[0]]
        np.testing.assert_allclose(values, [wanted, wanted], rtol=1e-5, atol=1e-5)
        for found, one in zip(grads, wanted_grads, strict=True):
            np.testing.assert_allclose(found, one, rtol=1e-4, atol=1e-5)
        for found, one in zip(statistics, counted, strict=True):
            np.testing.assert_allclose(found[:, :real], one[:, :real], rtol=1e-5, atol=1e-5)


def test_the_work_is_compiled_for_short_targets_where_there_are_many_logits():
    hidden, kernel, targets, weights = problem(1, length=32, vocab=2**17)
    lowered = jax.jit(losses.cross_entropy).lower(hidden, kernel, targets, weights)
    products = lowered.as_text().count("stablehlo.dot_general")
    assert products == len(real_targets.lengths(3, 32, 2**17)) == 4
    assert real_targets.lengths(3, 32, 2**17) == [4, 8, 16, 32]
    assert real_targets.lengths(3, 32, 33) == [32]
    assert real_targets.lengths(2**20, 1, 2**17) == [1]
