"""What a conversion takes along, and makes up for: vocabulary, activations, Adafactor's state."""

import io
from pathlib import Path

import jax
import numpy as np
import pytest

from mt5x import found_model, optimizers, vocabularies
from mt5x.checkpoints import convert, formats
from mt5x.checkpoints.architecture import parameter_shapes
from mt5x.checkpoints.t5x_orbax import OrbaxSink
from mt5x.checkpoints.tensors import info_of, writing
from mt5x.errors import UserError
from mt5x.model import T5Config
from scripts.main import main

SIZES = T5Config(
    vocab_size=384, emb_dim=16, num_heads=2, head_dim=8, mlp_dim=24,
    num_encoder_layers=1, num_decoder_layers=1,
)  # fmt: skip
TEXTS = ["lake and river", "garden  house!", "zebra é", "street"]


def run_folder(folder: Path, gin: str = "", slots: dict[str, np.ndarray] | None = None) -> Path:
    """A run with one checkpoint of step 7."""
    random = np.random.default_rng(0)
    arrays = {
        path: random.normal(size=shape).astype(np.float32)
        for path, shape in parameter_shapes(SIZES).items()
    } | (slots or {})
    folder.mkdir()
    infos = {path: info_of(array) for path, array in arrays.items()}
    sink = OrbaxSink(folder / "checkpoint_7")
    with writing(sink, infos, 7):
        for path, array in arrays.items():
            sink.write(path, array)
    (folder / "config.gin").write_text(gin)
    return folder


def converted(source: Path, destination: Path, to: str | None = None) -> convert.Conversion:
    return convert.convert(source, destination, to, stream=io.StringIO())


def test_a_sentencepiece_vocabulary_goes_there_and_back(tmp_path, piece_model):
    run = run_folder(tmp_path / "run", "VOCABULARY = 'sample'\n")
    (run / "sentencepiece.model").write_bytes(piece_model.read_bytes())
    there = converted(run, tmp_path / "hf")
    assert there.vocabulary == "spiece.model"
    back = converted(tmp_path / "hf", tmp_path / "back")
    assert back.vocabulary == "sentencepiece.model"
    for path in (tmp_path / "hf" / "spiece.model", back.destination / "sentencepiece.model"):
        assert path.read_bytes() == piece_model.read_bytes()
    ours = vocabularies.load(piece_model)
    for place in (run, tmp_path / "hf", tmp_path / "back"):
        found = found_model.find_model(place).vocabulary
        assert [found.encode(text) for text in TEXTS] == [ours.encode(text) for text in TEXTS]
    # Beside T5X's own files it is no obstacle to reading them, nor between T5X's formats.
    legacy = converted(tmp_path / "back", tmp_path / "old", "t5x_legacy")
    assert (legacy.destination / "sentencepiece.model").is_file()
    assert formats.open_source(tmp_path / "old").step == 0


def test_transformers_tokenizes_as_we_do(tmp_path, piece_model):
    transformers = pytest.importorskip("transformers")
    run = run_folder(tmp_path / "run")
    (run / "sentencepiece.model").write_bytes(piece_model.read_bytes())
    bytes_run = run_folder(tmp_path / "bytes", "VOCABULARY = 'byt5'\n")
    for source, name in ((run, "pieces_hf"), (bytes_run, "bytes_hf")):
        converted(source, tmp_path / name)
        theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / name)
        ours = found_model.find_model(tmp_path / name).vocabulary
        for text in TEXTS:
            assert theirs(text)["input_ids"] == [*ours.encode(text), ours.eos_id]
        assert (theirs.pad_token_id, theirs.eos_token_id) == (0, 1)


def test_bytes_are_told_by_their_tokenizer(tmp_path):
    run = run_folder(tmp_path / "run", "VOCABULARY = 'byt5'\n")
    assert converted(run, tmp_path / "hf").vocabulary == "tokenizer_config.json"
    assert converted(tmp_path / "hf", tmp_path / "back").vocabulary == "tokenizer_config.json"
    for place in (tmp_path / "hf", tmp_path / "back"):
        assert found_model.find_model(place).vocabulary.encode("ab") == [100, 101]


def test_none_is_no_obstacle_and_is_said(tmp_path, capsys):
    run = run_folder(tmp_path / "run", "VOCABULARY = 'gone.model'\n")
    assert main(["convert", str(run), str(tmp_path / "hf")]) == 0
    assert "no vocabulary lies beside it, so none was copied" in capsys.readouterr().out
    assert not list((tmp_path / "hf").glob("*.model"))


@pytest.mark.parametrize("activations", ["('silu', 'linear')", "%ACTIVATIONS"])
def test_activations_that_hugging_face_s_files_do_not_name_are_refused(tmp_path, activations):
    gin = f"ACTIVATIONS = ('silu', 'linear')\nnetwork.T5Config.mlp_activations = {activations}\n"
    run = run_folder(tmp_path / "run", gin)
    with pytest.raises(UserError, match=r"mlp_activations=\('silu', 'linear'\), and .*gated-gelu"):
        converted(run, tmp_path / "hf")
    assert not (tmp_path / "hf").exists()
    assert converted(run, tmp_path / "old", "t5x_legacy").step == 7


def slots_of(optimizer: optimizers.Optimizer, but: str = "none") -> dict[str, np.ndarray]:
    """Slots of every parameter but those below `but`, all of them 2."""
    shapes = {
        path: jax.ShapeDtypeStruct(shape, np.float32)
        for path, shape in parameter_shapes(SIZES).items()
        if not path.startswith(but)
    }
    states = jax.eval_shape(optimizer.init, shapes)["param_states"]
    return {
        f"state/param_states/{path}/{name}": np.full(slot.shape, 2, np.float32)
        for path, slots in states.items()
        for name, slot in slots.items()
    }


@pytest.mark.parametrize("to", ["t5x", "t5x_legacy"])
def test_t5x_is_given_adafactor_s_state_where_there_is_none(tmp_path, to):
    adafactor = slots_of(optimizers.Adafactor())
    shapes = {path: array.shape for path, array in adafactor.items()}
    for name, slots in (
        ("frozen", slots_of(optimizers.Adafactor(), but="encoder/")),
        ("adamw", slots_of(optimizers.AdamW())),
    ):
        run = run_folder(tmp_path / name, slots=slots)
        done = converted(run, tmp_path / f"{name}_{to}", to)
        found = formats.open_source(done.destination)
        assert {path: info.shape for path, info in found.slots.items()} == shapes
        assert found.step == 7
        assert done.left_out == (len(slots) if name == "adamw" else 0)
        for path in shapes:
            kept = name == "frozen" and not path.startswith("state/param_states/encoder/")
            assert (found.read(path) == (2 if kept else 0)).all(), path
