"""One table decides where arrays live, and the mesh does not change what is computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from mt5x import partitioning, steps, train_state
from mt5x.errors import UserError
from mt5x.partitioning import LOGICAL_AXIS_RULES, Partitioner, make_mesh, spec_of
from tests.mt5x import toy

RULES = dict(LOGICAL_AXIS_RULES)


def spec(names, shape, data=2, model=4) -> P:
    return spec_of(names, shape, {"data": data, "model": model}, RULES)


def test_matrices_are_split_over_the_model_axis():
    assert spec(("embed", "mlp"), (16, 32)) == P(None, "model")
    assert spec(("vocab", "embed"), (384, 16)) == P("model", None)


def test_a_dimension_that_does_not_divide_stays_whole():
    assert spec(("embed", "mlp"), (16, 30)) == P(None, None)


def test_two_dimensions_on_one_mesh_axis_are_an_error():
    with pytest.raises(ValueError, match="claim the mesh axis 'model'"):
        spec(("vocab", "mlp"), (8, 8))


def test_an_unknown_logical_axis_is_an_error():
    with pytest.raises(ValueError, match="'width' is not in"):
        spec(("width",), (8,))


def test_partitions_that_do_not_divide_the_devices_are_refused():
    with pytest.raises(UserError, match=r"num_partitions=3 .* choose one of \[1, 2, 4, 8\]"):
        _ = Partitioner(num_partitions=3).mesh


def test_no_parameter_claims_a_mesh_axis_twice_and_large_ones_are_split():
    mesh = make_mesh(2, 4)
    shapes = train_state.abstract_state(toy.model()).params
    shardings = train_state.state_shardings(toy.model(), mesh).params
    for leaf, sharding in zip(jax.tree.leaves(shapes), jax.tree.leaves(shardings), strict=True):
        axes = [axis for axis in sharding.spec if axis]
        assert len(axes) == len(set(axes))
        if leaf.ndim == 2 and leaf.size > 128:
            assert axes == ["model"]


def toy_batch() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    inputs = random.integers(3, 300, (8, 12)).astype(np.int32)
    targets = random.integers(3, 300, (8, 6)).astype(np.int32)
    targets[:, 4:] = 0
    shifted = np.pad(targets, ((0, 0), (1, 0)))[:, :-1]
    return {
        "encoder_input_tokens": inputs,
        "decoder_target_tokens": targets,
        "decoder_input_tokens": shifted,
        "decoder_loss_weights": (targets > 0).astype(np.int32),
    }


def losses(data: int, model: int, count: int = 5) -> list[float]:
    mesh = make_mesh(data, model)
    trained = toy.model()
    state = train_state.init_state(trained, mesh, seed=0)
    step = steps.train_step(trained, mesh)
    batch, found = steps.place(toy_batch(), mesh), []
    for _ in range(count):
        state, metrics = step(state, batch, jax.random.key(1), jnp.float32(0.01))
        found.append(steps.means(metrics)["loss"])
    return found


@pytest.fixture(scope="module")
def on_one_device() -> list[float]:
    return losses(1, 1)


@pytest.mark.parametrize(("data", "model"), [(8, 1), (2, 4)])
def test_the_mesh_does_not_change_the_losses(data, model, on_one_device):
    assert losses(data, model) == pytest.approx(on_one_device, rel=1e-5)
    assert on_one_device[-1] < on_one_device[0]


def test_batches_live_on_the_data_axis():
    mesh = make_mesh(4, 2)
    placed = steps.place(toy_batch(), mesh)
    assert placed["encoder_input_tokens"].sharding == partitioning.batch_sharding(mesh)
