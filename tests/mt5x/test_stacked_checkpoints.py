"""umT5's public T5X checkpoints stack their layers in one tensor: read as the tree of layers."""

import numpy as np
import pytest

from mt5x.checkpoints import formats
from mt5x.checkpoints.architecture import config_of, parameter_shapes
from mt5x.checkpoints.convert import convert
from mt5x.checkpoints.t5x_legacy import LegacySink
from mt5x.checkpoints.t5x_orbax import OrbaxSink
from mt5x.checkpoints.tensors import Sink, info_of, writing
from mt5x.errors import UserError
from mt5x.model import T5Config

UMT5 = T5Config(
    vocab_size=40, emb_dim=12, num_heads=2, head_dim=4, mlp_dim=10,
    num_encoder_layers=3, num_decoder_layers=2, relative_bias_per_layer=True,
)  # fmt: skip


def layered() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    shapes = parameter_shapes(UMT5).items()
    return {path: random.normal(size=shape).astype(np.float32) for path, shape in shapes}


def stacked(tensors: dict[str, np.ndarray], heads: bool) -> dict[str, np.ndarray]:
    """As scalable_t5 writes: layers on the second axis; `heads` apart, as in umT5's files."""
    found: dict[str, list[np.ndarray]] = {}
    single = {}
    for path, array in tensors.items():
        stack, middle, *rest = path.split("/")
        if not middle.startswith("layers_"):
            single[path] = array
            continue
        if heads and "attention" in rest[0] and rest[-1] == "kernel":
            out = rest[-2] == "out"
            array = array.reshape((2, 4, 12) if out else (12, 2, 4))
        found.setdefault("/".join([stack, stack, *rest]), []).append(array)
    return single | {path: np.stack(arrays, axis=1) for path, arrays in found.items()}


def write(sink: Sink, tensors: dict[str, np.ndarray]) -> None:
    slots = {f"state/param_states/{path}/v": array for path, array in tensors.items()}
    everything = tensors | slots
    with writing(sink, {path: info_of(array) for path, array in everything.items()}, 7):
        for path, array in everything.items():
            sink.write(path, array)


@pytest.mark.parametrize("heads", [False, True])
@pytest.mark.parametrize("kind", [LegacySink, OrbaxSink])
def test_stacked_layers_are_read_one_by_one(tmp_path, kind, heads):
    tensors = layered()
    write(kind(tmp_path / "checkpoint_7"), stacked(tensors, heads))
    source = formats.open_source(tmp_path / "checkpoint_7")
    assert source.step == 7
    assert source.tensors == {path: info_of(array) for path, array in tensors.items()}
    assert config_of(source.parameters, "here") == UMT5
    for path, array in tensors.items():
        np.testing.assert_array_equal(source.read(path), array)


def test_stacked_layers_become_a_hugging_face_checkpoint(tmp_path):
    tensors = layered()
    write(LegacySink(tmp_path / "checkpoint_7"), stacked(tensors, heads=True))
    convert(tmp_path / "checkpoint_7", tmp_path / "hf")
    written = formats.open_source(tmp_path / "hf")
    assert written.tensors.keys() == tensors.keys()
    for path, array in tensors.items():
        np.testing.assert_array_equal(written.read(path), array)


def test_a_stack_of_nothing_is_named(tmp_path):
    tensors = stacked(layered(), heads=True)
    tensors["encoder/encoder/pre_mlp_layer_norm/scale"] = np.zeros(12, np.float32)
    write(LegacySink(tmp_path / "checkpoint_7"), tensors)
    with pytest.raises(UserError, match="stacks no layers"):
        formats.open_source(tmp_path / "checkpoint_7")
