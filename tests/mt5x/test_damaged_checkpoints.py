"""T5X's checkpoints, damaged: each damage is told at once, in one sentence."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorstore as ts
from flax.serialization import msgpack_restore, msgpack_serialize

from mt5x import train_state
from mt5x.checkpoints import formats, native, restore, zarr_arrays
from mt5x.checkpoints.restore import RestoreConfig
from mt5x.checkpoints.tensors import info_of, writing
from mt5x.errors import UserError
from mt5x.partitioning import make_mesh
from tests.mt5x import toy
from tests.mt5x.checkpoint_files import SINKS, InMemory, arrays_of, copy, files


def _legacy(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Path:
    return copy(InMemory(arrays, step=1), "t5x_legacy", tmp_path / "checkpoint_1")


def _orbax(tmp_path: Path, arrays: dict[str, np.ndarray]) -> Path:
    return copy(InMemory(arrays, step=1), "t5x", tmp_path / "checkpoint_1")


def _refused(checkpoint: Path, match: str) -> None:
    """Reading it all ends in one sentence that names the checkpoint."""
    with pytest.raises(UserError, match=match) as error:
        arrays_of(formats.open_source(checkpoint))
    assert "checkpoint_1" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_a_cut_index_is_told(tmp_path, arrays, length):
    checkpoint = _legacy(tmp_path, arrays)
    raw = (checkpoint / "checkpoint").read_bytes()
    (checkpoint / "checkpoint").write_bytes(raw[:length])
    _refused(checkpoint, "its index, checkpoint, cannot be read")


def test_an_index_that_is_no_tree_is_told(tmp_path, arrays):
    checkpoint = _legacy(tmp_path, arrays)
    for content in ([1, 2], {"version": 3}, {"version": 3, "optimizer": {"target": None}}):
        (checkpoint / "checkpoint").write_bytes(msgpack_serialize(content))
        _refused(checkpoint, "checkpoint")


def test_another_version_and_tensorflow_s_checkpoints_are_told(tmp_path, arrays):
    checkpoint = _legacy(tmp_path, arrays)
    index = msgpack_restore((checkpoint / "checkpoint").read_bytes())
    (checkpoint / "checkpoint").write_bytes(msgpack_serialize({**index, "version": 2}))
    _refused(checkpoint, "version 2")
    (checkpoint / "checkpoint").write_bytes(b'model_checkpoint_path: "model.ckpt-1000000"')
    _refused(checkpoint, "TensorFlow checkpoint")


KERNEL = "target.encoder.layers_0.mlp.wi_0.kernel"


def test_a_missing_array_is_told(tmp_path, arrays):
    checkpoint = _legacy(tmp_path, arrays)
    shutil.rmtree(checkpoint / KERNEL)
    _refused(checkpoint, "encoder/layers_0/mlp/wi_0/kernel cannot be read.*does not exist")


def test_a_missing_chunk_is_not_taken_for_zeros(tmp_path, arrays):
    checkpoint = _legacy(tmp_path, arrays)
    (checkpoint / KERNEL / "0.0").unlink()
    _refused(checkpoint, "encoder/layers_0/mlp/wi_0/kernel cannot be read")


@pytest.mark.parametrize("length", [0, 10, 1000])
def test_a_cut_chunk_is_told(tmp_path, arrays, length):
    checkpoint = _legacy(tmp_path, arrays)
    chunk = checkpoint / KERNEL / "0.0"
    chunk.write_bytes(chunk.read_bytes()[:length])
    _refused(checkpoint, "encoder/layers_0/mlp/wi_0/kernel cannot be read")


def test_an_array_of_another_shape_than_the_index_says_is_told(tmp_path, arrays):
    checkpoint = _legacy(tmp_path, arrays)
    shutil.rmtree(checkpoint / KERNEL)
    kvstore = {"driver": "file", "path": f"{checkpoint / KERNEL}/"}
    zarr_arrays.write(kvstore, np.ones((2, 3), np.float32), "gzip", ts.Context())
    _refused(checkpoint, r"float32 \[2, 3\] where its index says float32 \[16, 32\]")


def test_every_file_of_an_orbax_store_is_missed(tmp_path, arrays):
    whole = _orbax(tmp_path / "whole", arrays)
    stored = [
        path
        for path in (whole / "state").rglob("*")
        if path.is_file() and (path.name == "manifest.ocdbt" or path.parent.name == "d")
    ]
    refused = set()
    for path in stored:
        for damage in ("missing", "cut"):
            broken = tmp_path / damage / "checkpoint_1"
            shutil.rmtree(broken, ignore_errors=True)
            shutil.copytree(whole, broken)
            file = broken / path.relative_to(whole)
            if damage == "missing":
                file.unlink()
            else:
                file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
            try:
                found = arrays_of(formats.open_source(broken))
            except UserError:
                _refused(broken, "checkpoint")
                refused.add(path)
            else:
                # Nobody needs this file: a part's manifest, or a node that a later one replaced.
                np.testing.assert_equal(found, arrays_of(formats.open_source(whole)))
    assert len(refused) >= 3


def test_a_run_s_own_damaged_checkpoint_is_told_on_resuming(tmp_path, arrays):
    checkpoint = _orbax(tmp_path, arrays)
    model, mesh = toy.model(), make_mesh(1, 1)
    shapes, shardings = train_state.abstract_state(model), train_state.state_shardings(model, mesh)
    (checkpoint / "state" / "manifest.ocdbt").unlink()
    with pytest.raises(UserError, match=r"is damaged: .*delete it to go on") as error:
        native.restore(native.find(checkpoint), shapes, shardings)
    assert "\n" not in str(error.value)


def test_starting_from_a_cut_store_is_told(tmp_path, arrays):
    checkpoint = _orbax(tmp_path, arrays)
    data = max((checkpoint / "state").rglob("d/*"), key=lambda file: file.stat().st_size)
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(UserError, match="is damaged"):
        restore.initial_state(str(checkpoint), toy.model(), make_mesh(1, 1), 0, RestoreConfig())


def test_an_orbax_store_without_what_its_tree_names_is_told(tmp_path, arrays):
    checkpoint = _orbax(tmp_path, arrays)
    metadata = json.loads((checkpoint / "state/_METADATA").read_text())
    key = {"key_metadata": [{"key": "target", "key_type": 2}, {"key": "lost", "key_type": 2}]}
    metadata["tree_metadata"]["('target', 'lost')"] = key
    (checkpoint / "state/_METADATA").write_text(json.dumps(metadata))
    _refused(checkpoint, "target/lost is in its tree and not in its store")
    (checkpoint / "state/_METADATA").write_text("{")
    _refused(checkpoint, "_METADATA cannot be read")


def test_no_checkpoint_is_told(tmp_path):
    with pytest.raises(UserError, match="no checkpoint at"):
        formats.open_source(tmp_path)


def test_a_tensor_that_is_not_there_has_near_names(arrays):
    with pytest.raises(UserError, match="did you mean encoder/layers_0/mlp/wi_0/kernel"):
        InMemory(arrays).read("encoder/layers_0/mlp/wi_0/kernle")


def test_a_store_that_cannot_be_reached_is_one_sentence(monkeypatch):
    monkeypatch.setenv("TENSORSTORE_GCS_HTTP_URL", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot read gs://.*check the network") as error:
        formats.open_source("gs://t5-data/pretrained_models/t5x/mt5_small/checkpoint_1000000")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", SINKS)
def test_what_fails_in_the_middle_leaves_nothing(tmp_path, arrays, name):
    source = InMemory(arrays, step=1)

    def fail() -> None:
        with writing(SINKS[name](tmp_path / "c"), source.tensors, 1) as sink:
            path = next(iter(arrays))
            sink.write(path, arrays[path])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_sink_wants_what_was_announced_once_and_all_of_it(tmp_path):
    array = np.ones((2, 2), np.float32)
    announced = {"p/kernel": info_of(array), "q/kernel": info_of(array)}
    sink = SINKS["t5x_legacy"](tmp_path / "c")
    sink.begin(announced, 0)
    with pytest.raises(ValueError, match="not announced"):
        sink.write("p/kernel", array[:1])
    sink.write("p/kernel", array)
    with pytest.raises(ValueError, match="twice"):
        sink.write("p/kernel", array)
    with pytest.raises(ValueError, match="never written"):
        sink.finish()
    assert not (tmp_path / "c").exists()


def test_what_exists_is_never_overwritten(tmp_path, arrays):
    checkpoint = _legacy(tmp_path, arrays)
    before = files(checkpoint)
    with pytest.raises(UserError, match="exists already"):
        _legacy(tmp_path, arrays)
    assert files(checkpoint) == before
