"""Hugging Face checkpoints against transformers itself: read, written, there and back."""

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from mt5x import decoding
from mt5x.checkpoints import formats
from mt5x.checkpoints.architecture import config_of, parameter_shapes
from mt5x.checkpoints.huggingface import HuggingFaceSink, open_source
from mt5x.checkpoints.huggingface.names import from_huggingface, to_huggingface
from mt5x.checkpoints.tensors import TensorInfo, info_of, writing
from mt5x.model import T5Config, Transformer
from tests.mt5x.make_huggingface_golden import (
    DECODE_LENGTH,
    Arrays,
    Reference,
    compute,
    make_batch,
    model_with,
    random_weights,
)
from tests.mt5x.networks import initial_params, logits_of
from tests.mt5x.test_huggingface_parity import require_peers

TOLERANCE = 1e-4
LENGTHS = (9, 7)  # of source and target

# Square matrices, so that a kernel that was not transposed fits and computes something else.
SIZES = {
    "vocab_size": 64, "d_model": 16, "num_heads": 2, "d_kv": 8, "d_ff": 16, "num_layers": 2,
    "num_decoder_layers": 2,
}  # fmt: skip
BYT5_SIZES = SIZES | {"vocab_size": 384, "num_layers": 3, "num_decoder_layers": 1}

# (transformers' class, sizes, whether the logits are tied, how it is saved).
CASES: dict[str, tuple[str, dict[str, int], bool, str]] = {
    "mt5": ("MT5", SIZES, False, "safetensors"),
    "mt5 in torch's format": ("MT5", SIZES, False, "bin"),
    "umt5": ("UMT5", SIZES, False, "safetensors"),
    "umt5 in torch's format, in pieces": ("UMT5", SIZES, False, "pieces of bin"),
    "byt5 in pieces": ("T5", BYT5_SIZES, False, "pieces"),
    "mt5 with tied logits": ("MT5", SIZES, True, "safetensors"),
    "umt5 with tied logits": ("UMT5", SIZES, True, "safetensors"),
    "byt5 with tied logits in torch's format": ("T5", BYT5_SIZES, True, "bin"),
}

NETWORKS = {
    "mt5": T5Config(vocab_size=40, emb_dim=12, num_heads=2, head_dim=4, mlp_dim=10,
                    num_encoder_layers=3, num_decoder_layers=2),
    "umt5": T5Config(vocab_size=40, emb_dim=12, num_heads=2, head_dim=4, mlp_dim=10,
                     num_encoder_layers=2, num_decoder_layers=3, relative_bias_per_layer=True),
    "tied": T5Config(vocab_size=40, emb_dim=12, num_heads=3, head_dim=4, mlp_dim=10,
                     num_encoder_layers=1, num_decoder_layers=1, logits_via_embedding=True),
    "not gated": T5Config(vocab_size=40, emb_dim=12, num_heads=3, head_dim=4, mlp_dim=10,
                          num_encoder_layers=1, num_decoder_layers=1, mlp_activations=("relu",)),
    "byt5": T5Config(vocab_size=384, emb_dim=12, num_heads=3, head_dim=4, mlp_dim=10,
                     num_encoder_layers=3, num_decoder_layers=1),
}  # fmt: skip

greedy = jax.jit(decoding.greedy_decode, static_argnums=(0, 3))


def random_tensors(config: T5Config, seed: int = 0) -> Arrays:
    random = np.random.default_rng(seed)
    shapes = parameter_shapes(config)
    return {p: random.normal(size=s).astype(np.float32) for p, s in sorted(shapes.items())}


def write(folder: Path, tensors: Arrays, max_file_bytes: int = 10**9) -> Path:
    announced = {path: info_of(array) for path, array in tensors.items()}
    with writing(HuggingFaceSink(folder, max_file_bytes), announced, None) as sink:
        for path, array in tensors.items():
            sink.write(path, array)
    return folder


def save(model: Any, folder: Path, how: str) -> None:
    """As transformers saves, or as its versions before safetensors did."""
    torch = pytest.importorskip("torch")
    small = {"max_shard_size": "8KB"} if "pieces" in how else {}
    model.save_pretrained(folder, **small)
    if "bin" not in how:
        assert (folder / "model.safetensors").is_file() != bool(small)
        return
    state = model.state_dict()
    for written in folder.glob("model*"):
        written.unlink()
    if not small:
        torch.save(state, folder / "pytorch_model.bin")
        return
    names = sorted(state)
    pieces = {f"pytorch_model-{i + 1:05}-of-00003.bin": names[i::3] for i in range(3)}
    for file, some in pieces.items():
        torch.save({name: state[name] for name in some}, folder / file)
    weight_map = {name: file for file, some in pieces.items() for name in some}
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


@dataclasses.dataclass(frozen=True)
class Case:
    """What transformers computes, and our network read from the files that it saved."""

    references: dict[str, Reference]
    folder: Path
    model: Transformer
    params: Any


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory) -> Case:
    require_peers()
    kind, sizes, tied, how = CASES[request.param]
    folder = tmp_path_factory.mktemp("saved")
    weights = random_weights(sizes, seed=3, kind=kind, tied=tied)
    save(model_with(sizes, weights, kind, tied), folder, how)
    references = {
        name: compute(sizes, weights, make_batch(4, 64, *LENGTHS, padded=padded), kind, tied)
        for name, padded in (("padded", True), ("unpadded", False))
    }
    source = open_source(str(folder))
    tree = unflatten_dict({path: source.read(path) for path in source.tensors}, sep="/")
    return Case(references, folder, Transformer(source.sizes), tree)


@pytest.mark.parametrize("batch", ["padded", "unpadded"])
def test_logits_are_those_of_transformers(case, batch):
    reference = case.references[batch]
    logits = np.asarray(logits_of(case.model, case.params, reference.batch))
    real = reference.batch["decoder_target_tokens"] > 0
    assert real.all() == (batch == "unpadded")
    expected = reference.logits[real]
    assert expected.std() > 0.1
    np.testing.assert_allclose(logits[real], expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("batch", ["padded", "unpadded"])
def test_greedy_decodes_are_those_of_transformers(case, batch):
    reference = case.references[batch]
    source = reference.batch["encoder_input_tokens"]
    ids, _ = greedy(case.model, case.params, source, DECODE_LENGTH, reference.eos_id)
    np.testing.assert_array_equal(ids, reference.greedy_ids)


def test_what_we_write_is_what_transformers_wrote(case, tmp_path):
    """There and back bit for bit, and transformers computes the same from our files."""
    transformers = pytest.importorskip("transformers")
    flat = flatten_dict(case.params, sep="/")
    ours = write(tmp_path / "ours", flat)
    again = open_source(str(ours))
    assert again.tensors.keys() == flat.keys()
    for path, array in flat.items():
        np.testing.assert_array_equal(again.read(path), array)
    assert config_of(again.tensors, "ours") == again.sizes == case.model.config

    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(ours)
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(case.folder).state_dict()
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), theirs[name].numpy(), err_msg=name)


def test_files_of_untied_models_come_back_byte_for_byte(case, tmp_path):
    file = case.folder / "model.safetensors"
    if not file.is_file() or "lm_head.weight" not in case.references["padded"].weights:
        pytest.skip("saved in another form, or with tied logits")
    written = write(tmp_path / "ours", flatten_dict(case.params, sep="/"))
    assert (written / "model.safetensors").read_bytes() == file.read_bytes()


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_are_the_network_s_own(name):
    config = NETWORKS[name]
    params = jax.eval_shape(partial(initial_params, Transformer(config), seed=0))
    shapes = {path: leaf.shape for path, leaf in flatten_dict(params, sep="/").items()}
    assert parameter_shapes(config) == shapes
    infos = {path: TensorInfo(shape, "float32") for path, shape in shapes.items()}
    assert config_of(infos, "here") == config


@pytest.mark.parametrize("name", NETWORKS)
def test_every_name_has_one_name_there_and_comes_back(name):
    config = NETWORKS[name]
    there = {path: to_huggingface(path) for path in parameter_shapes(config)}
    assert len(set(there.values())) == len(there)
    for path, mapped in there.items():
        assert mapped is not None, path
        assert from_huggingface(mapped[0], config.relative_bias_per_layer) == (path, mapped[1])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("max_file_bytes", [10**9, 4000])
def test_written_and_read_without_transformers(name, max_file_bytes, tmp_path):
    tensors = random_tensors(NETWORKS[name])
    folder = write(tmp_path / "hf", tensors, max_file_bytes)
    assert formats.detect(folder) == "huggingface"
    assert len(list(folder.glob("*.safetensors"))) == 1 or max_file_bytes == 4000
    assert (folder / "model.safetensors.index.json").is_file() == (max_file_bytes == 4000)
    source = open_source(str(folder))
    assert source.sizes == NETWORKS[name]
    assert source.tensors == {path: info_of(array) for path, array in tensors.items()}
    for path, array in tensors.items():
        np.testing.assert_array_equal(source.read(path), array)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"model_type": None, "architectures": ["UMT5ForConditionalGeneration"]}, "umt5"),
        ({"num_decoder_layers": None}, "umt5"),
        ({"feed_forward_proj": None, "dense_act_fn": "relu", "is_gated_act": False}, "umt5"),
        # Converted by an early script as an mT5: its tensors say what it is.
        ({"model_type": "mt5", "architectures": ["MT5ForConditionalGeneration"]}, "umt5"),
    ],
)
def test_config_files_as_the_public_ones_are(changes, kind, tmp_path):
    config = dataclasses.replace(NETWORKS[kind], num_encoder_layers=2, num_decoder_layers=2)
    tensors = random_tensors(config)
    folder = write(tmp_path / "hf", tensors)
    entries = json.loads((folder / "config.json").read_text()) | changes
    entries = {name: value for name, value in entries.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(entries))
    assert open_source(str(folder)).sizes == config


@pytest.mark.parametrize(("kind", "divided"), [("mt5", False), ("umt5", True), ("byt5", True)])
def test_a_matrix_that_transformers_divides_is_divided(kind, divided, tmp_path):
    """transformers 5 saves `tie_word_embeddings` true, and then scales umT5's and T5's logits."""
    tensors = random_tensors(NETWORKS[kind])
    folder = write(tmp_path / "hf", tensors)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tie_word_embeddings": True}))
    expected = tensors["decoder/logits_dense/kernel"]
    expected = expected * np.float32(12**-0.5) if divided else expected
    found = open_source(str(folder)).read("decoder/logits_dense/kernel")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("version", "scaled"), [("4.40.1", True), ("5.23.0", False)])
def test_tied_logits_of_mt5_are_those_of_the_version_that_saved_them(version, scaled, tmp_path):
    tensors = random_tensors(NETWORKS["tied"])
    folder = write(tmp_path / "hf", tensors)
    path = folder / "config.json"
    changes = {"model_type": "mt5", "transformers_version": version}
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    source = open_source(str(folder))
    assert source.sizes.logits_via_embedding == scaled
    if not scaled:
        kernel = source.read("decoder/logits_dense/kernel")
        np.testing.assert_array_equal(kernel, tensors["token_embedder/embedding"].T)
