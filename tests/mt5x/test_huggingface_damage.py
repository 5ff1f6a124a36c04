"""Hugging Face checkpoints that are damaged, unsafe or not ours: one sentence each, nothing run."""

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from mt5x.checkpoints.huggingface import open_source
from mt5x.checkpoints.huggingface.safetensors_file import SafetensorsFile, SafetensorsWriter
from mt5x.checkpoints.huggingface.torch_file import TorchFile
from mt5x.checkpoints.tensors import TensorInfo, info_of
from mt5x.errors import UserError
from tests.mt5x.test_huggingface_checkpoints import NETWORKS, random_tensors, write


@pytest.fixture
def folder(tmp_path) -> Path:
    return write(tmp_path / "hf", random_tensors(NETWORKS["mt5"]))


@pytest.fixture
def pieces(tmp_path) -> Path:
    return write(tmp_path / "hf", random_tensors(NETWORKS["mt5"]), max_file_bytes=4000)


def refusal(location: Path) -> str:
    """The sentence that refuses a checkpoint, when it is opened or when all of it is read."""

    def read_all() -> None:
        source = open_source(str(location))
        for path in source.tensors:
            source.read(path)

    with pytest.raises(UserError) as caught:
        read_all()
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert not sentence.endswith(".")
    return sentence


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewrite(folder: Path, change: Callable[[dict[str, np.ndarray]], Any]) -> None:
    """Writes the tensors anew after `change`."""
    path = folder / "model.safetensors"
    file = SafetensorsFile(path)
    tensors = {name: file.read(name) for name in file.tensors}
    change(tensors)
    path.unlink()
    writer = SafetensorsWriter(path, {name: info_of(array) for name, array in tensors.items()})
    for name, array in tensors.items():
        writer.write(name, array)


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.3, 0.9, 0.99999])
def test_a_truncated_file_is_named(folder, share):
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    sentence = refusal(folder)
    assert "model.safetensors is damaged" in sentence
    assert "cut off" in sentence


def test_a_missing_piece_is_named(pieces):
    first = min(pieces.glob("*.safetensors"))
    first.unlink()
    sentence = refusal(pieces)
    assert first.name in sentence
    assert "1 of the" in sentence


def test_a_piece_without_its_tensor_is_named(pieces):
    first, second = sorted(pieces.glob("*.safetensors"))[:2]
    first.write_bytes(second.read_bytes())
    assert first.name in refusal(pieces)


def test_an_index_that_leads_elsewhere_is_refused(pieces, tmp_path):
    index = pieces / "model.safetensors.index.json"
    first = min(pieces.glob("*.safetensors")).name
    (tmp_path / first).write_bytes((pieces / first).read_bytes())
    index.write_text(index.read_text().replace(first, f"../{first}"))
    assert "outside of its folder" in refusal(pieces)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": 3}', "\x00"])
def test_a_damaged_index_is_named(pieces, text):
    (pieces / "model.safetensors.index.json").write_text(text)
    assert "model.safetensors.index.json cannot be read" in refusal(pieces)


def test_a_wrong_shape_is_named(folder):
    rewrite(folder, lambda tensors: tensors.update({"lm_head.weight": np.zeros((40, 11), "f4")}))
    sentence = refusal(folder)
    assert "decoder/logits_dense/kernel is [11, 40] there" in sentence
    assert "[12, 40]" in sentence


def test_a_missing_tensor_is_named(folder):
    name = "encoder.block.1.layer.0.SelfAttention.q.weight"
    rewrite(folder, lambda tensors: tensors.pop(name))
    assert "encoder/layers_1/attention/query/kernel is absent there" in refusal(folder)


@pytest.mark.parametrize(
    "name",
    [
        "classifier.weight",
        "encoder.block.01.layer.0.layer_norm.weight",
        "encoder.block.0.layer.1.EncDecAttention.q.weight",
        "transformer.shared.weight",
    ],
)
def test_an_unknown_name_is_named(folder, name):
    rewrite(folder, lambda tensors: tensors.update({name: np.zeros((2, 2), "f4")}))
    assert name in refusal(folder)


def test_whole_numbers_are_no_weights(folder):
    rewrite(folder, lambda tensors: tensors.update({"shared.weight": np.zeros((40, 12), np.int8)}))
    assert "shared.weight as int8" in refusal(folder)


def test_copies_of_the_embedding_and_what_nothing_reads_are_left(folder):
    def change(tensors: dict[str, np.ndarray]) -> None:
        embedding = tensors.pop("shared.weight")
        tensors["encoder.embed_tokens.weight"] = embedding
        tensors["decoder.embed_tokens.weight"] = embedding
        unused = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
        tensors[unused] = np.zeros((32, 2), "f4")

    expected = random_tensors(NETWORKS["mt5"])["token_embedder/embedding"]
    rewrite(folder, change)
    source = open_source(str(folder))
    assert source.sizes == NETWORKS["mt5"]
    np.testing.assert_array_equal(source.read("token_embedder/embedding"), expected)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "llama"}, "llama"),
        ({"model_type": None, "architectures": None}, "nameless"),
        ({"feed_forward_proj": "gated-silu"}, "gated-silu"),
        ({"relative_attention_num_buckets": 64}, "relative_attention_num_buckets is 64"),
        ({"layer_norm_epsilon": 1e-5}, "layer_norm_epsilon is 1e-05"),
        ({"d_model": "12"}, "d_model must be a positive integer, not '12'"),
        ({"num_heads": None}, "num_heads must be a positive integer, not None"),
        ({"vocab_size": 41}, "token_embedder/embedding is [40, 12] there"),
    ],
)
def test_a_config_of_another_network_is_refused(folder, changes, words):
    change_config(folder, **changes)
    assert words in refusal(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "\xff"])
def test_a_damaged_config_is_named(folder, text):
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    assert "config.json" in refusal(folder)


def test_without_config_or_weights(folder):
    (folder / "model.safetensors").unlink()
    assert "no weights" in refusal(folder)
    (folder / "config.json").unlink()
    assert "no config.json" in refusal(folder)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 12]},
        {"dtype": "F32", "shape": [-2, -2], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [2, 2], "data_offsets": [-16, 0]},
        {"dtype": "F8_E4M3", "shape": [16], "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": "no", "data_offsets": [0, 16]},
        {"dtype": "F32", "shape": [2, 2]},
        {"dtype": "F32", "shape": [2, 2], "data_offsets": ["a", "b"]},
        None,
    ],
)
def test_a_header_that_lies_is_refused(tmp_path, entry):
    header = json.dumps({"x": entry}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    with pytest.raises(UserError, match="is damaged: its header is not as the format says"):
        SafetensorsFile(path)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int64", "bool"])
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (3, 4), (2, 3, 4)])
def test_safetensors_hold_every_type_and_shape(tmp_path, dtype, shape):
    array = np.arange(int(np.prod(shape))).reshape(shape).astype(ml_dtypes.bfloat16).astype(dtype)
    transposed = array.T
    path = tmp_path / "x.safetensors"
    writer = SafetensorsWriter(path, {"a": info_of(array), "b": info_of(transposed)})
    writer.write("b", transposed)
    writer.write("a", array)
    file = SafetensorsFile(path)
    assert file.tensors == {
        "a": TensorInfo(shape, dtype),
        "b": TensorInfo(shape[::-1], dtype),
    }
    np.testing.assert_array_equal(file.read("a"), array)
    np.testing.assert_array_equal(file.read("b"), transposed)
    if dtype != "bfloat16":
        numpy_reader = pytest.importorskip("safetensors.numpy")
        loaded = numpy_reader.load_file(path)
        np.testing.assert_array_equal(loaded["a"], array)
        np.testing.assert_array_equal(loaded["b"], transposed)


def archive(path: Path, pickled: bytes, storages: dict[str, bytes] | None = None) -> Path:
    """A file as torch.save lays it out."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("archive/data.pkl", pickled)
        file.writestr("archive/byteorder", "little")
        for key, data in (storages or {}).items():
            file.writestr(f"archive/data/{key}", data)
    return path


class Calls:
    """Pickles to a call of a function."""

    def __init__(self, function: Any, *arguments: Any):
        self.reduced = (function, arguments)

    def __reduce__(self) -> Any:
        return self.reduced


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "function", [os.system, eval, exec, os.mkdir, Path.touch, shutil.copytree, np.save]
)
def test_a_pickle_that_runs_a_command_is_refused_and_runs_nothing(
    tmp_path, function, protocol, inside
):
    trace, empty = tmp_path / "trace", tmp_path / "empty"
    empty.mkdir()
    arguments: dict[Any, tuple[Any, ...]] = {
        os.system: (f"touch {trace}",),
        eval: (f"__import__('os').mkdir({str(trace)!r})",),
        exec: (f"import os; os.mkdir({str(trace)!r})",),
        os.mkdir: (str(trace),),
        Path.touch: (trace,),
        shutil.copytree: (str(empty), str(trace)),
        np.save: (str(trace), 1),
    }
    call = Calls(function, *arguments[function])
    pickled = pickle.dumps({"shared.weight": call} if inside else call, protocol)
    pickle.loads(pickled)  # to be sure that it would
    (made,) = tmp_path.glob("trace*")
    made.rmdir() if made.is_dir() else made.unlink()
    path = archive(tmp_path / "pytorch_model.bin", pickled)
    with pytest.raises(UserError, match="is refused: its pickle wants") as caught:
        TorchFile(path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("trace*"))


@pytest.mark.parametrize(
    "pickled",
    [
        b"",
        b"garbage",
        pickle.dumps([1, 2]),
        pickle.dumps({"shared.weight": 3}),
        pickle.dumps({3: 4}),
        # A call of what is known with nonsense, and a state set on it.
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb.",
        b"\x80\x02ctorch\nFloatStorage\n)R.",
        b"\x80\x02ctorch\nFloatStorage\n)\x81.",
    ],
)
def test_a_pickle_of_no_state_dictionary_is_refused(tmp_path, pickled):
    path = archive(tmp_path / "pytorch_model.bin", pickled)
    with pytest.raises(UserError, match="is damaged"):
        TorchFile(path)


def torch_file(tmp_path: Path, tensors: dict[str, Any]) -> Path:
    torch = pytest.importorskip("torch")
    path = tmp_path / "pytorch_model.bin"
    torch.save(tensors, path)
    return path


def test_torch_tensors_are_read_as_torch_reads_them(tmp_path):
    torch = pytest.importorskip("torch")
    whole = torch.arange(60, dtype=torch.float32).reshape(6, 10)
    tensors = {
        "whole": whole,
        "rows": whole[2:4],
        "columns": whole[:, 3:7],
        "transposed": whole.T,
        "every second": whole[::2, 1::3],
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 4),
        "half": torch.arange(5, dtype=torch.float16),
        "whole numbers": torch.arange(5),
        "parameter": torch.nn.Parameter(torch.ones(2, 3)),
        "brain": torch.arange(5, dtype=torch.bfloat16),
    }
    file = TorchFile(torch_file(tmp_path, tensors))
    assert file.tensors.keys() == tensors.keys()
    for name, tensor in tensors.items():
        expected = tensor.detach()
        found = file.read(name)
        assert str(expected.dtype) == f"torch.{found.dtype.name}"
        np.testing.assert_array_equal(
            found.astype(np.float64), expected.to(torch.float64).numpy(), err_msg=name
        )
    assert file.same_data("whole", "whole")
    assert not file.same_data("whole", "rows")


def test_state_dictionaries_with_attributes_are_read(tmp_path):
    torch = pytest.importorskip("torch")
    state = torch.nn.Linear(3, 2).state_dict()
    assert hasattr(state, "_metadata")
    file = TorchFile(torch_file(tmp_path, state))
    np.testing.assert_array_equal(file.read("weight"), state["weight"].numpy())


def test_a_damaged_torch_file_is_named(tmp_path):
    torch = pytest.importorskip("torch")
    path = torch_file(tmp_path, {"x": torch.arange(4096, dtype=torch.float32)})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="is cut off, or was not written by torch"):
        TorchFile(path)
    # One bit inside the storage: the archive's checksum tells.
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    with pytest.raises(UserError, match="x cannot be read"):
        TorchFile(path).read("x")


def test_a_file_of_an_old_torch_is_named(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "pytorch_model.bin"
    torch.save({"x": torch.zeros(3)}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(UserError, match=r"not written by torch 1\.6 or later"):
        TorchFile(path)


@pytest.mark.parametrize(
    ("offset", "size", "stride", "words"),
    [
        (0, (5,), (1,), "larger than its storage"),
        (2, (3,), (1,), "does not lie inside its storage"),
        (0, (2, 2), (3, 1), "does not lie inside its storage"),
        (-1, (2,), (1,), "does not lie inside its storage"),
        (3, (2,), (-1,), "does not lie inside its storage"),
        (0, (2,), (1, 1), "larger than its storage"),
    ],
)
def test_a_tensor_outside_of_its_storage_is_refused(tmp_path, offset, size, stride, words):
    torch = pytest.importorskip("torch")

    class Storage:
        pass

    class Tensor:
        def __reduce__(self) -> Any:
            rebuild = torch._utils._rebuild_tensor_v2
            return rebuild, (Storage(), offset, size, stride, False, {})

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            stored = isinstance(obj, Storage)
            return ("storage", torch.FloatStorage, "0", "cpu", 4) if stored else None

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump({"x": Tensor()})
    path = archive(tmp_path / "pytorch_model.bin", buffer.getvalue(), {"0": bytes(16)})
    with pytest.raises(UserError, match=words):
        TorchFile(path)
