"""One table decides where arrays live, and the mesh does not change what is computed."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from mt5x import partitioning, steps, train_state
from mt5x.errors import UserError
from mt5x.models import EncoderDecoderModel
from mt5x.optimizers import Adafactor, AdamW
from mt5x.partitioning import LOGICAL_AXIS_RULES, Partitioner, make_mesh, spec_of
from tests.mt5x import toy

RULES = dict(LOGICAL_AXIS_RULES)
ROWS = ("data", "fsdp")


def spec(names, shape, data=2, fsdp=2, model=4) -> P:
    return spec_of(names, shape, {"data": data, "fsdp": fsdp, "model": model}, RULES)


def test_matrices_are_split_over_the_model_axis_and_fully():
    assert spec(("embed", "mlp"), (16, 32)) == P("fsdp", "model")
    assert spec(("vocab", "embed"), (384, 16)) == P("model", "fsdp")


def test_activations_are_split_by_rows_heads_and_hidden_features():
    assert spec(("batch", "length", None), (8, 5, 16)) == P(ROWS, None, None)
    assert spec(("batch", "length", "mlp"), (8, 5, 32)) == P(ROWS, None, "model")
    assert spec(("batch", "length", "vocab"), (8, 5, 384)) == P(ROWS, None, "model")


def test_a_parameter_in_use_is_whole_but_for_the_model_axis():
    assert spec(partitioning.gathered(("embed", "mlp")), (16, 32)) == P(None, "model")


def test_a_dimension_that_does_not_divide_stays_whole():
    assert spec(("embed", "mlp"), (16, 30)) == P("fsdp", None)
    assert spec(("batch", "length"), (2, 5)) == P(None, None)


@pytest.mark.parametrize("names", [("vocab", "mlp"), ("batch", "embed")])
def test_two_dimensions_on_one_mesh_axis_are_an_error(names):
    with pytest.raises(ValueError, match=r"two dimensions of .* claim the mesh axis"):
        spec(names, (8, 8))


def test_an_unknown_logical_axis_is_an_error():
    with pytest.raises(ValueError, match="'width' is not in"):
        spec(("width",), (8,))


def test_partitions_that_do_not_divide_the_devices_are_refused():
    with pytest.raises(UserError, match=r"num_partitions=3 .* choose one of \[1, 2, 4, 8\]"):
        _ = Partitioner(num_partitions=3).mesh
    with pytest.raises(UserError, match=r"fsdp_partitions=8 .* choose one of \[1, 2, 4\]"):
        _ = Partitioner(num_partitions=2, fsdp_partitions=8).mesh
    with pytest.raises(UserError, match="num_partitions=0"):
        _ = Partitioner(num_partitions=0).mesh


def test_the_mesh_has_the_devices_that_remain_as_data():
    mesh = Partitioner(num_partitions=2, fsdp_partitions=2).mesh
    assert dict(mesh.shape) == {"data": 2, "fsdp": 2, "model": 2}


def test_a_batch_must_divide_into_microbatches_on_every_device():
    partitioner = Partitioner(num_partitions=2, fsdp_partitions=2)
    partitioner.check_batch_size(8, num_microbatches=2)
    with pytest.raises(UserError, match=r"BATCH_SIZE=6 .* 4 devices; use 4 or 8"):
        partitioner.check_batch_size(6)
    with pytest.raises(UserError, match=r"4 microbatches on 4 devices; use 16 or 32"):
        partitioner.check_batch_size(20, num_microbatches=4)
    with pytest.raises(UserError, match="NUM_MICROBATCHES=0 must be 1 or more"):
        partitioner.check_batch_size(8, num_microbatches=0)


@pytest.mark.parametrize(
    ("sizes", "expected"), [((2, 4, 1), {"model"}), ((1, 2, 4), {"model", "fsdp"})]
)
def test_no_parameter_claims_a_mesh_axis_twice_and_large_ones_are_split(sizes, expected):
    mesh = make_mesh(*sizes)
    shapes = train_state.abstract_state(toy.model()).params
    shardings = train_state.state_shardings(toy.model(), mesh).params
    for leaf, sharding in zip(jax.tree.leaves(shapes), jax.tree.leaves(shardings), strict=True):
        axes = [axis for axis in sharding.spec if axis and mesh.shape[axis] > 1]
        assert len(axes) == len(set(axes))
        if leaf.ndim == 2 and leaf.size > 128:
            assert set(axes) == expected


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


TOY = toy.model()


def losses(*sizes: int, count: int = 20, trained: EncoderDecoderModel = TOY) -> list[float]:
    """Losses of `count` steps on a mesh of these sizes: data, model, fsdp."""
    mesh = make_mesh(*sizes)
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


MESHES = [(8, 1), (4, 2), (2, 4), (1, 8), (1, 1, 8), (2, 1, 4), (2, 2, 2)]


@pytest.mark.parametrize("sizes", MESHES, ids=lambda s: "x".join(map(str, s)))
def test_the_mesh_does_not_change_the_losses(sizes, on_one_device):
    np.testing.assert_allclose(losses(*sizes), on_one_device, rtol=1e-5)
    assert on_one_device[-1] < on_one_device[0]


# So small that the toy's kernels are factored, and v_row and v_col split.
FACTORED = Adafactor(min_dim_size_to_factor=8)
VARIANTS = {
    "factored": dataclasses.replace(toy.model(), optimizer_def=FACTORED),
    "adamw": dataclasses.replace(toy.model(), optimizer_def=AdamW()),
    "frozen": dataclasses.replace(
        toy.model(), optimizer_def=FACTORED, freeze=("encoder/.*", "token_embedder/.*")
    ),
}


@pytest.mark.parametrize("variant", ["factored", "adamw"])
def test_nor_does_it_where_the_optimizer_s_state_is_split(variant):
    trained = VARIANTS[variant]
    expected = losses(1, 1, trained=trained)
    np.testing.assert_allclose(losses(2, 2, 2, trained=trained), expected, rtol=1e-5)
    assert expected[-1] < expected[0]


@pytest.mark.exhaustive
@pytest.mark.parametrize("variant", VARIANTS)
def test_nor_does_any_other_mesh(variant):
    trained = VARIANTS[variant]
    expected = losses(1, 1, trained=trained)
    for sizes in MESHES:
        found = losses(*sizes, trained=trained)
        np.testing.assert_allclose(found, expected, rtol=1e-5, err_msg=str(sizes))


def test_slots_live_where_their_axes_of_the_parameter_do():
    mesh = make_mesh(2, 2, 2)
    for variant, expected in (
        ("factored", {"v_row": P("fsdp"), "v_col": P("model"), "v": P(), "m": P()}),
        ("adamw", {"mu": P("fsdp", "model"), "nu": P("fsdp", "model")}),
    ):
        places = train_state.state_shardings(VARIANTS[variant], mesh).opt_state["param_states"]
        slots = places["encoder"]["layers_0"]["mlp"]["wi_0"]["kernel"]
        assert {name: place.spec for name, place in slots.items()} == expected
        scale = places["encoder"]["encoder_norm"]["scale"].values()
        assert all(place.is_fully_replicated for place in scale)
    # Its larger dimension, and so the columns, comes first here.
    places = train_state.state_shardings(VARIANTS["factored"], mesh).opt_state["param_states"]
    table = places["token_embedder"]["embedding"]
    assert (table["v_row"].spec, table["v_col"].spec) == (P("fsdp"), P("model"))


def test_batches_live_on_the_axes_of_the_batch():
    mesh = make_mesh(2, 2, 2)
    placed = steps.place(toy_batch(), mesh)
    assert placed["encoder_input_tokens"].sharding == partitioning.batch_sharding(mesh)
    assert placed["encoder_input_tokens"].addressable_shards[0].data.shape == (2, 12)
