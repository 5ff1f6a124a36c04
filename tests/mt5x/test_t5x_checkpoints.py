"""T5X's checkpoints: read as T5X wrote them, written as T5X writes them."""

import json
import tempfile
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest
import tensorstore as ts
from flax.serialization import msgpack_restore, msgpack_serialize
from flax.traverse_util import unflatten_dict
from hypothesis import given, settings

from mt5x import optimizers, train_state
from mt5x.checkpoints import formats, native, placing, restore, saving, zarr_arrays
from mt5x.checkpoints.fresh_slots import WithFreshSlots
from mt5x.checkpoints.restore import RestoreConfig
from mt5x.checkpoints.tensors import TensorInfo
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import make_mesh
from tests.mt5x import toy
from tests.mt5x.checkpoint_files import SINKS, InMemory, assert_same, copy, files, trees
from tests.mt5x.networks import largest_difference, load_golden, logits_of, loss_and_grads

GOLDENS = {
    "unpacked": "unpacked/checkpoint_legacy/checkpoint_3",
    "packed_factored": "packed_factored/checkpoint_legacy/checkpoint_3",
    "t5x_run": "t5x_run/checkpoint_40",
}
LEGACY = ("unpacked", "packed_factored")


@pytest.fixture(params=GOLDENS)
def theirs(request, shared) -> Path:
    return shared / "goldens" / GOLDENS[request.param]


@pytest.mark.parametrize("name", LEGACY)
def test_t5x_s_legacy_checkpoint_is_its_parameters_after_the_third_step(shared, name):
    golden = load_golden(shared / "goldens" / name)
    source = formats.open_source(shared / "goldens" / GOLDENS[name])
    prefix = "params_step3/"
    expected = {k.removeprefix(prefix): v for k, v in golden.arrays.items() if prefix in k}
    assert source.step == 3
    assert source.parameters.keys() == expected.keys()
    for path, array in expected.items():
        np.testing.assert_array_equal(source.read(path), array)


def test_logits_of_t5x_s_run_are_t5x_s(shared):
    golden = load_golden(shared / "goldens" / "t5x_run")
    model = EncoderDecoderModel(golden.model, optimizers.Adafactor())
    path = str(shared / "goldens" / GOLDENS["t5x_run"])
    params, step = restore.parameters(path, model, make_mesh(1, 1))
    assert step == 40
    logits = logits_of(golden.model, params, golden.batch)
    np.testing.assert_allclose(logits, golden.arrays["logits"], rtol=0, atol=1e-5)


def test_the_format_is_found_by_looking(theirs):
    expected = "t5x" if theirs.name == "checkpoint_40" else "t5x_legacy"
    assert formats.detect(theirs) == expected
    assert formats.open_source(theirs.parent).location == str(theirs)


def test_each_is_written_in_each_format_bit_for_bit(theirs, tmp_path):
    source = formats.open_source(theirs)
    for name in SINKS:
        written = formats.open_source(copy(source, name, tmp_path / name / theirs.name))
        assert written.format == name
        assert_same(written, source)


@pytest.mark.parametrize("name", LEGACY)
def test_a_legacy_checkpoint_is_written_with_t5x_s_files(shared, tmp_path, name):
    theirs = shared / "goldens" / GOLDENS[name]
    ours = copy(formats.open_source(theirs), "t5x_legacy", tmp_path / theirs.name)
    assert files(ours) == files(theirs)
    for file in files(theirs):
        if file.endswith(".zarray"):
            assert json.loads((ours / file).read_text()) == json.loads((theirs / file).read_text())
    assert (ours / "checkpoint").read_bytes() == (theirs / "checkpoint").read_bytes()


def test_an_orbax_checkpoint_is_written_with_t5x_s_files(shared, tmp_path):
    theirs = shared / "goldens" / GOLDENS["t5x_run"]
    ours = copy(formats.open_source(theirs), "t5x", tmp_path / theirs.name)
    # The names of the data files are random.
    assert _without_data(ours) == _without_data(theirs)
    for file in ("state/_METADATA", "state/array_metadatas/process_0"):
        assert json.loads((ours / file).read_text()) == json.loads((theirs / file).read_text())
    assert json.loads((ours / "state/_sharding").read_text()).keys() == (
        json.loads((theirs / "state/_sharding").read_text()).keys()
    )
    ours_top, theirs_top = (
        json.loads((folder / "_CHECKPOINT_METADATA").read_text()) for folder in (ours, theirs)
    )
    assert ours_top.keys() == theirs_top.keys()
    assert ours_top["item_handlers"] == theirs_top["item_handlers"]
    assert _zarr_metadata(ours) == _zarr_metadata(theirs)


def _without_data(folder: Path) -> set[str]:
    return {name for name in files(folder) if "/d/" not in name}


def _zarr_metadata(checkpoint: Path) -> dict[bytes, dict]:
    base = {"driver": "file", "path": f"{checkpoint}/state/"}
    store = ts.KvStore.open({"driver": "ocdbt", "base": base}).result()
    keys = [key for key in store.list().result() if key.endswith(b".zarray")]
    return {key: json.loads(store.read(key).result().value) for key in keys}


def test_what_training_saves_has_t5x_s_files_but_the_position_in_the_data(shared, tmp_path):
    theirs = shared / "goldens" / GOLDENS["t5x_run"]
    golden = load_golden(shared / "goldens" / "t5x_run")
    model = EncoderDecoderModel(golden.model, optimizers.Adafactor())
    state = restore.initial_state(str(theirs), model, make_mesh(1, 1), 0, RestoreConfig())
    directory = saving.CheckpointDirectory(tmp_path)
    directory.save(state, 40)
    directory.close()
    ours = tmp_path / "checkpoint_40"
    assert _without_data(theirs) - _without_data(ours) <= {"dataset", "dataset/commit_success.txt"}
    assert _zarr_metadata(ours) == _zarr_metadata(theirs)
    assert json.loads((ours / "state/_METADATA").read_text()) == (
        json.loads((theirs / "state/_METADATA").read_text())
    )
    assert_same(formats.open_source(ours), formats.open_source(theirs))


def test_orbax_reads_what_the_sink_writes(tmp_path, arrays):
    checkpoint = copy(InMemory(arrays, step=7), "t5x", tmp_path / "checkpoint_7")
    model, mesh = toy.model(), make_mesh(2, 4)
    shapes, shardings = train_state.abstract_state(model), train_state.state_shardings(model, mesh)
    state = native.restore(native.find(checkpoint), shapes, shardings)
    assert int(state.step) == 7
    found = placing.flat(jax.device_get(state.as_checkpoint()))
    for path, array in arrays.items():
        np.testing.assert_array_equal(found[path], array)


@pytest.mark.parametrize("name", SINKS)
@pytest.mark.parametrize("axes", [(1, 1), (2, 4)])
def test_training_starts_from_either_with_its_optimizer(tmp_path, arrays, name, axes, capsys):
    checkpoint = copy(InMemory(arrays, step=7), name, tmp_path / "checkpoint_7")
    state = restore.initial_state(
        str(checkpoint), toy.model(), make_mesh(*axes), 0, RestoreConfig()
    )
    flat = placing.flat(jax.device_get(state.as_checkpoint()))
    assert flat.pop("state/step") == 7
    assert flat.keys() == arrays.keys()
    for path in arrays:
        np.testing.assert_array_equal(flat[path], arrays[path])
    assert "step 7" in capsys.readouterr().err


@pytest.mark.parametrize("name", LEGACY)
def test_adafactor_goes_on_from_t5x_s_state_as_from_ours(shared, name):
    golden = load_golden(shared / "goldens" / name)
    model = EncoderDecoderModel(golden.model, optimizers.Adafactor())
    path = str(shared / "goldens" / GOLDENS[name])
    theirs = restore.initial_state(path, model, make_mesh(1, 1), 0, RestoreConfig())
    update = jax.jit(model.optimizer_def.update)

    def step(params, opt_state):
        _, grads = loss_and_grads(golden.model, params, golden.batch)
        return update(grads, opt_state, params, golden.settings["learning_rate"])

    params = golden.tree("params_step0")
    opt_state = model.optimizer_def.init(params)
    for _ in range(3):
        params, opt_state = step(params, opt_state)
    assert int(theirs.step) == int(opt_state["step"]) == 3
    # Second moments are of very different sizes from tensor to tensor.
    for ours, others in zip(
        jax.tree.leaves(opt_state), jax.tree.leaves(theirs.opt_state), strict=True
    ):
        np.testing.assert_allclose(ours, others, rtol=0, atol=1e-5 * np.abs(others).max())
    fourth, fourth_of_theirs = step(params, opt_state)[0], step(theirs.params, theirs.opt_state)[0]
    assert largest_difference(fourth, fourth_of_theirs) < 1e-5


@given(source=trees())
@settings(max_examples=12)
def test_any_tree_goes_there_and_back(source):
    with tempfile.TemporaryDirectory() as folder:
        for name in SINKS:
            copied = copy(source, name, Path(folder) / name / f"checkpoint_{source.step}")
            assert_same(formats.open_source(copied), source)
        legacy = formats.open_source(Path(folder) / "t5x_legacy")
        again = copy(legacy, "t5x", Path(folder) / "again")
        assert_same(formats.open_source(again), source)


@given(source=trees())
@settings(max_examples=5)
def test_the_index_of_any_tree_is_what_flax_reads(source):
    with tempfile.TemporaryDirectory() as folder:
        raw = (copy(source, "t5x_legacy", Path(folder) / "c") / "checkpoint").read_bytes()
    tree = msgpack_restore(raw)
    assert tree["version"] == 3
    named = dict.fromkeys(source.parameters, 0)
    described = jax.tree.map(
        lambda leaf: 0, tree["optimizer"]["target"], is_leaf=lambda n: "driver" in n
    )
    assert described == unflatten_dict(named, sep="/")


def test_public_checkpoints_note_the_folder_beside_the_store_and_its_dtype(tmp_path, arrays):
    """As older TensorStore described them in Google Cloud Storage."""
    half = {
        path: array if path.startswith("state/") else array.astype(ml_dtypes.bfloat16)
        for path, array in arrays.items()
    }
    checkpoint = copy(InMemory(half, step=9), "t5x_legacy", tmp_path / "checkpoint_9")
    index = msgpack_restore((checkpoint / "checkpoint").read_bytes())
    _move_paths(index["optimizer"])
    (checkpoint / "checkpoint").write_bytes(msgpack_serialize(index))
    assert_same(formats.open_source(checkpoint), InMemory(half, step=9))
    state = restore.initial_state(str(checkpoint), toy.model(), make_mesh(1, 1), 0, RestoreConfig())
    assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {np.dtype(np.float32)}


def _move_paths(node) -> None:
    if not isinstance(node, dict):
        return
    if "kvstore" in node:
        node["path"] = node["kvstore"].pop("path").rstrip("/")
        node["kvstore"] = {"driver": "gcs", "bucket": "t5x-dummy-bucket"}
        return
    for child in node.values():
        _move_paths(child)


def test_orbax_checkpoints_from_before_ocdbt_are_read(tmp_path, arrays):
    checkpoint = tmp_path / "checkpoint_5"
    (checkpoint / "state").mkdir(parents=True)
    (checkpoint / "state" / "_METADATA").write_text('{"tree_metadata": {}}')
    named = {
        path if path.startswith("state/") else f"target/{path}": a for path, a in arrays.items()
    }
    for name, array in {**named, "state/step": np.asarray(5, np.int32)}.items():
        folder = f"{checkpoint}/state/{name.replace('/', '.')}/"
        zarr_arrays.write({"driver": "file", "path": folder}, array, "gzip", ts.Context())
    assert_same(formats.open_source(checkpoint), InMemory(arrays, step=5))


@pytest.mark.parametrize("shape", [(250112, 512), (1024, 2816), (3, 5), (7,), (10007, 4096), ()])
def test_chunks_divide_the_tensor_and_hold_at_most_64_mebibytes(shape):
    chunks = zarr_arrays.chunk_shape(TensorInfo(shape, "float32"))
    assert all(size % chunk == 0 for size, chunk in zip(shape, chunks, strict=True))
    assert np.prod(chunks) * 4 <= 64 * 2**20
    if np.prod(shape) * 4 <= 64 * 2**20:
        assert tuple(chunks) == shape


def test_a_tensor_of_several_chunks_comes_back(tmp_path):
    large = np.random.default_rng(0).integers(0, 9, (2**13, 2**12)).astype(np.float32)
    source = InMemory({"p/kernel": large}, step=1)
    for name in SINKS:
        checkpoint = copy(source, name, tmp_path / name)
        assert_same(formats.open_source(checkpoint), source)
    assert len(list((tmp_path / "t5x_legacy" / "target.p.kernel").glob("[0-9]*"))) == 2


@pytest.mark.parametrize("name", SINKS)
def test_fresh_slots_are_those_of_a_run_that_begins(tmp_path, arrays, name):
    alone = InMemory({k: v for k, v in arrays.items() if not k.startswith("state/")}, step=None)
    checkpoint = copy(WithFreshSlots(alone), name, tmp_path / "checkpoint_0")
    state = restore.initial_state(str(checkpoint), toy.model(), make_mesh(1, 1), 0, RestoreConfig())
    begun = toy.model().optimizer_def.init(state.params)
    jax.tree.map(np.testing.assert_array_equal, state.opt_state, begun)
