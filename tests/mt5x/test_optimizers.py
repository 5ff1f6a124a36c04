"""Adafactor against three steps of T5X's, its state tree, and the learning-rate factors."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mt5x.errors import UserError
from mt5x.optimizers import Adafactor, AdamW, learning_rate
from tests.mt5x.networks import largest_difference, loss_and_grads


def test_three_steps_equal_t5x(golden):
    optimizer = Adafactor()
    params = golden.tree("params_step0")
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    for expected in golden.arrays["losses"]:
        (loss, _), grads = loss_and_grads(golden.model, params, golden.batch)
        np.testing.assert_allclose(loss, expected, rtol=1e-6)
        params, state = update(grads, state, params, golden.settings["learning_rate"])
    assert state["step"] == 3
    assert largest_difference(params, golden.tree("params_step3")) < 1e-5


def test_state_tree_is_that_of_t5x():
    params = {
        "matrix": jnp.ones((128, 200)),
        "tall": jnp.ones((300, 128)),
        "square": jnp.ones((128, 128)),
        "thin": jnp.ones((127, 4000)),
        "vector": jnp.ones((500,)),
    }
    state = Adafactor().init(params)
    assert state["step"].dtype == jnp.int32
    assert state["step"] == 0
    shapes = {
        name: {slot: x.shape for slot, x in slots.items()}
        for name, slots in state["param_states"].items()
    }
    unused = {"m": (1,), "v": (1,), "v_col": (1,), "v_row": (1,)}
    assert shapes == {
        "matrix": {**unused, "v_row": (128,), "v_col": (200,)},
        "tall": {**unused, "v_row": (128,), "v_col": (300,)},
        "square": {**unused, "v_row": (128,), "v_col": (128,)},
        "thin": {**unused, "v": (127, 4000)},
        "vector": {**unused, "v": (500,)},
    }
    momentum = Adafactor(beta1=0.9, factored=False).init({"matrix": params["matrix"]})
    slots = momentum["param_states"]["matrix"]
    assert slots["m"].shape == slots["v"].shape == (128, 200)


def test_state_can_be_made_from_shapes_alone():
    params = {"kernel": jax.ShapeDtypeStruct((4096, 250112), jnp.float32)}
    state = jax.eval_shape(Adafactor().init, params)
    assert state["param_states"]["kernel"]["v_col"].shape == (250112,)


def test_first_step_has_the_size_of_learning_rate_times_scale():
    # At step 0 the second moment is the squared gradient: every entry moves by one unit.
    params = {"w": jnp.full((4, 3), 2.0)}
    grads = {"w": jnp.asarray(np.linspace(-1, 1, 12).reshape(4, 3) + 0.01, jnp.float32)}
    optimizer = Adafactor()
    new, _ = optimizer.update(grads, optimizer.init(params), params, 0.1)
    expected = 2.0 - 0.1 * 2.0 * np.sign(grads["w"])
    np.testing.assert_allclose(new["w"], expected, rtol=1e-5)
    absolute = Adafactor(multiply_by_parameter_scale=False)
    new, _ = absolute.update(grads, absolute.init(params), params, 0.1)
    np.testing.assert_allclose(new["w"], 2.0 - 0.1 * np.sign(grads["w"]), rtol=1e-5)


def test_clipping_bounds_the_root_mean_square():
    params = {"w": jnp.ones((6,))}
    optimizer = Adafactor(multiply_by_parameter_scale=False)
    small = {"w": jnp.full((6,), 1e-3)}
    state = optimizer.init(params)
    for _ in range(3):
        params, state = optimizer.update(small, state, params, 0.0)
    burst = {"w": jnp.full((6,), 10.0)}
    clipped, _ = optimizer.update(burst, state, params, 1.0)
    np.testing.assert_allclose(clipped["w"], 0.0, atol=1e-5)
    free = Adafactor(multiply_by_parameter_scale=False, clipping_threshold=None)
    moved, _ = free.update(burst, state, params, 1.0)
    assert float(moved["w"][0]) < -0.3


def test_step_offset_starts_the_decay_anew():
    params, grads = {"w": jnp.ones((3,))}, {"w": jnp.full((3,), 0.5)}
    optimizer = Adafactor(step_offset=1000)
    state = optimizer.init(params)
    state["step"] = jnp.asarray(1000, jnp.int32)
    _, after = optimizer.update(grads, state, params, 0.1)
    np.testing.assert_allclose(after["param_states"]["w"]["v"], 0.25, rtol=1e-6)
    assert after["step"] == 1001


def test_weight_decay_and_momentum():
    params, grads = {"w": jnp.full((3,), 2.0)}, {"w": jnp.ones((3,))}
    decayed = Adafactor(weight_decay_rate=0.1)
    new, _ = decayed.update(grads, decayed.init(params), params, 0.0)
    np.testing.assert_allclose(new["w"], 1.8, rtol=1e-6)
    heavy = Adafactor(beta1=0.9)
    new, state = heavy.update(grads, heavy.init(params), params, 0.5)
    np.testing.assert_allclose(state["param_states"]["w"]["m"], 0.1, rtol=1e-5)
    np.testing.assert_allclose(new["w"], 1.9, rtol=1e-5)


def test_weight_decay_by_a_power_of_the_learning_rate_and_the_largest_scale():
    params, grads = {"w": jnp.full((3,), 2.0)}, {"w": jnp.ones((3,))}
    squared = Adafactor(weight_decay_rate_lr_exponent=2.0, multiply_by_parameter_scale=False)
    for share, expected in ((0.5, 0.5 * 0.01), (None, 0.01)):
        optimizer = dataclasses.replace(squared, weight_decay_rate=share)
        new, _ = optimizer.update(grads, optimizer.init(params), params, 0.1)
        np.testing.assert_allclose(new["w"], 2.0 * (1 - expected) - 0.1, rtol=1e-6)
    bounded = Adafactor(max_parameter_scale=0.5)
    new, _ = bounded.update(grads, bounded.init(params), params, 0.1)
    np.testing.assert_allclose(new["w"], 2.0 - 0.1 * 0.5, rtol=1e-6)


@pytest.mark.parametrize("shape", [(4,), (160, 130)], ids=["vector", "factored"])
def test_an_update_that_is_nan_is_skipped_number_by_number(shape):
    params = {"w": jnp.ones(shape)}
    optimizer = Adafactor(skip_nan_updates=True, multiply_by_parameter_scale=False)
    state = optimizer.init(params)
    grads = {"w": jnp.full(shape, 0.5)}
    params, state = optimizer.update(grads, state, params, 0.1)
    after, found = optimizer.update({"w": jnp.full(shape, jnp.nan)}, state, params, 0.1)
    assert largest_difference(after, params) == 0.0
    assert largest_difference(found["param_states"], state["param_states"]) == 0.0
    unguarded = dataclasses.replace(optimizer, skip_nan_updates=False)
    broken, _ = unguarded.update({"w": jnp.full(shape, jnp.nan)}, state, params, 0.1)
    assert jnp.isnan(broken["w"]).all()
    if len(shape) == 1:
        # Without clipping, whose norm is of the whole parameter, the others go on.
        free = dataclasses.replace(optimizer, clipping_threshold=None)
        one = {"w": jnp.asarray([jnp.nan, 0.5, 0.5, 0.5])}
        after, _ = free.update(one, state, params, 0.1)
        assert after["w"][0] == params["w"][0]
        assert (after["w"][1:] < params["w"][1:]).all()


def test_slots_have_the_axes_of_their_parameters():
    optimizer = Adafactor()
    assert optimizer.slot_axes((300, 128)) == {"m": (), "v": (), "v_row": (1,), "v_col": (0,)}
    assert optimizer.slot_axes((128, 300)) == {"m": (), "v": (), "v_row": (0,), "v_col": (1,)}
    assert optimizer.slot_axes((5, 7)) == {"m": (), "v": (0, 1), "v_row": (), "v_col": ()}
    assert Adafactor(beta1=0.9).slot_axes((5,)) == {
        "m": (0,), "v": (0,), "v_row": (), "v_col": ()
    }  # fmt: skip


def test_parameters_keep_their_dtype():
    params, grads = {"w": jnp.ones((3,), jnp.bfloat16)}, {"w": jnp.ones((3,), jnp.bfloat16)}
    optimizer = Adafactor()
    new, state = optimizer.update(grads, optimizer.init(params), params, 0.1)
    assert new["w"].dtype == jnp.bfloat16
    assert state["param_states"]["w"]["v"].dtype == jnp.float32


def test_optimizer_is_a_key_to_a_jit_cache():
    assert hash(Adafactor(step_offset=3)) == hash(Adafactor(step_offset=3))
    assert Adafactor() != Adafactor(decay_rate=0.7)


@pytest.mark.parametrize(
    ("settings", "step", "expected"),
    [
        ({"factors": "constant", "base_learning_rate": 1e-3}, 12345, 1e-3),
        ({"factors": "constant * linear_warmup", "warmup_steps": 10}, 5, 0.25),
        ({"factors": "constant * linear_warmup", "warmup_steps": 10}, 50, 0.5),
        ({"factors": "constant*rsqrt_decay", "base_learning_rate": 1.0}, 3, 1000**-0.5),
        ({"factors": "constant * rsqrt_decay", "base_learning_rate": 1.0}, 10**6, 1e-3),
        ({"factors": "rsqrt_normalized_decay", "warmup_steps": 100}, 50, 1.0),
        ({"factors": "rsqrt_normalized_decay", "warmup_steps": 100}, 400, 0.5),
        ({"factors": "constant * rsqrt_decay", "step_offset": 10**6}, 10**6 + 5, 0.5 / 1000**0.5),
        ({"factors": "decay_every", "steps_per_decay": 10}, 25, 0.25),
        ({"factors": "cosine_decay", "warmup_steps": 0, "steps_per_cycle": 100}, 50, 0.5),
        ({"factors": "cosine_decay", "warmup_steps": 0, "steps_per_cycle": 100}, 100, 1.0),
        ({"factors": "linear_decay", "warmup_steps": 10, "decay_factor": 0.01}, 5, 0.25),
        ({"factors": "linear_decay", "warmup_steps": 10, "decay_factor": 0.01}, 60, 0.25),
        ({"factors": "linear_decay", "warmup_steps": 10, "decay_factor": 0.01}, 900, 1e-8),
        ({"factors": "constant * linear_warmup"}, 0, 1e-8),
    ],
)
def test_learning_rate(settings, step, expected):
    rate = jax.jit(learning_rate(**settings))(step)
    assert rate.dtype == jnp.float32
    assert math.isclose(rate, expected, rel_tol=1e-5)


def test_a_wrong_factor_is_named():
    with pytest.raises(UserError, match="did you mean linear_warmup"):
        learning_rate("constant * linear_warm")
    with pytest.raises(UserError, match="leave 'constant' and 'linear_warmup' out"):
        learning_rate("constant * linear_decay")
    with pytest.raises(UserError, match=r"multiplies by 0\.0.*LEARNING_RATE_DECAY"):
        learning_rate("constant * decay_every", decay_factor=0.0)


@pytest.mark.parametrize("optimizer", [Adafactor(step_offset=9), AdamW(step_offset=9)])
def test_a_run_cannot_begin_before_the_step_that_is_counted_from(optimizer):
    optimizer.check_start(9)
    with pytest.raises(UserError, match=r"STEP_OFFSET=9 is beyond step 0.*set STEP_OFFSET=0"):
        optimizer.check_start(0)
