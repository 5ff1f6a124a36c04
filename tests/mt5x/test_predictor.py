"""Prediction without gin: the model found from its checkpoint, and nothing of TensorFlow loaded."""

import dataclasses
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import seqio

from mt5x import (
    found_model,
    optimizers,
    prediction,
    run_record,
    steps,
    train_state,
    vocabularies,
)
from mt5x.checkpoints import convert, saving
from mt5x.decoding import DecodeConfig
from mt5x.errors import UserError
from mt5x.model import Transformer
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import make_mesh
from mt5x.predictor import Predictor
from tests.conftest import REPOSITORY
from tests.mt5x import toy

TEXTS = ["is 001 even", "is 002 even, and is it long?", "", "ünïcödé " * 9, "is 1"]
CONFIG_GIN = """\
DTYPE = 'float32'
VOCABULARY = 'byt5'
network.T5Config.dtype = %DTYPE
network.T5Config.mlp_activations = ('silu', 'linear')
vocabulary.of_process.spec = %VOCABULARY
"""


def save_run(folder: Path, model: EncoderDecoderModel) -> Any:
    """Writes a checkpoint of fresh parameters, spread out so that decodes differ."""
    state = train_state.init_state(model, make_mesh(1, 1), seed=0)
    grown = jax.tree.map(lambda x: x, state.params)
    grown["decoder"]["logits_dense"]["kernel"] *= 3.0
    state = dataclasses.replace(state, params=grown)
    checkpoints = saving.CheckpointDirectory(folder)
    checkpoints.save(state, 7)
    checkpoints.close()
    return grown


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[Path, EncoderDecoderModel, Any]:
    """A run's folder as training leaves it, of a model with an activation that is not mT5's."""
    folder = tmp_path_factory.mktemp("run")
    model = toy.model()
    config = dataclasses.replace(
        model.module.config, mlp_activations=("silu", "linear"), dropout_rate=0.0
    )
    model = dataclasses.replace(model, module=Transformer(config))
    params = save_run(folder, model)
    (folder / "config.gin").write_text(CONFIG_GIN)
    return folder, model, params


@pytest.fixture(scope="module")
def predictor(run) -> Predictor:
    return Predictor(run[0], batch_size=8)


def test_the_model_is_found(run):
    folder, model, _ = run
    found = found_model.find_model(folder)
    assert found.module.config == model.module.config
    assert isinstance(found.vocabulary, vocabularies.ByteVocabulary)
    assert found_model.find_model(folder / "checkpoint_7").module == model.module
    half = found_model.find_model(folder, dtype="bfloat16").module.config
    assert half.dtype.name == "bfloat16"


def test_predictions_are_those_of_the_engine(run, predictor):
    _, model, params = run
    inputs = [[*toy.VOCABULARY.encode(text), 1] for text in TEXTS]
    mesh = make_mesh(1, 1)
    placed = jax.device_put(params, train_state.state_shardings(model, mesh).params)
    expected = prediction.predict_texts(model, placed, mesh, inputs, toy.VOCABULARY, 8, 16)
    assert predictor.predict(TEXTS, max_length=16) == expected
    assert len(set(expected)) > 1


def test_all_decodes_come_best_first(predictor):
    settings = {"kind": "beam", "num_decodes": 3, "max_length": 6}
    all_of_them = predictor.predict(TEXTS, return_all_decodes=True, **settings)
    assert [len(texts) for texts in all_of_them] == [3] * len(TEXTS)
    assert predictor.predict(TEXTS, **settings) == [texts[0] for texts in all_of_them]
    for row in predictor.decodes(TEXTS, **settings):
        scores = [decode.score for decode in row]
        assert scores == sorted(scores, reverse=True)


def test_samples_do_not_depend_on_the_batch(run, predictor):
    settings = {"kind": "sample", "num_decodes": 2, "max_length": 6, "top_p": 0.95}
    together = predictor.predict(TEXTS * 5, return_all_decodes=True, **settings)
    larger = Predictor(run[0], batch_size=32)
    assert larger.predict(TEXTS * 5, return_all_decodes=True, **settings) == together
    other = predictor.predict(TEXTS * 5, return_all_decodes=True, seed=1, **settings)
    assert other != together
    # The same text at another place draws anew.
    assert together[:5] != together[5:10]


def test_scores_of_targets_and_labels_agree(predictor):
    labels = ["yes", "no", "perhaps not"]
    of_labels = predictor.score_labels(TEXTS, labels)
    assert of_labels.shape == (5, 3)
    assert of_labels.dtype == np.float32
    for number, label in enumerate(labels):
        np.testing.assert_allclose(
            predictor.score(TEXTS, [label] * 5), of_labels[:, number], atol=1e-4
        )
    assert (of_labels < 0).all()


def test_vectors(run, predictor):
    vectors = predictor.embed(TEXTS)
    assert vectors.shape == (5, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(predictor.embed(TEXTS[:1])[0], vectors[0], atol=1e-5)


def test_nothing_in_nothing_out(predictor):
    assert predictor.predict([]) == []
    assert predictor.score([], []).shape == (0,)
    assert predictor.score_labels([], ["a", "b"]).shape == (0, 2)
    assert predictor.embed([]).shape == (0, 16)


def test_batches_share_compiled_steps(predictor):
    predictor.predict(["one"], max_length=5)
    step: Any = steps.decode_step(*predictor._common[::2], DecodeConfig().compiled_for(5))
    assert step._cache_size() == 1
    for count in (1, 3, 8, 9, 20):
        predictor.predict(["a text"] * count, max_length=5)
        predictor.predict(["a text"] * count, max_length=5, seed=count)
    assert step._cache_size() == 1
    predictor.predict(["a longer text " * 5], max_length=5)
    assert step._cache_size() == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: p.predict("one text"), r"expected a list of texts.*\[text\]"),
        (lambda p: p.score(["a"], ["b", "c"]), "got 1 texts and 2 targets"),
        (lambda p: p.score_labels(["a"], []), "at least one label"),
        (lambda p: p.predict(["a"], kind="beem"), "must be greedy, beam or sample, not 'beem'"),
        (lambda p: p.predict(["a"], temperature=2.0), "temperature=2.0 is for kind 'sample'"),
        (lambda p: p.predict(["a"], kind="sample", temperature=0), "above 0, not 0"),
        (lambda p: p.predict(["a"], kind="sample", top_p=1.5), "at most 1, not 1.5"),
        (lambda p: p.predict(["a"], kind="sample", top_k=0), "at least 1, not 0"),
        (lambda p: p.predict(["a"], num_decodes=2), "must be 1 where kind is 'greedy'"),
    ],
)
def test_mistakes_are_told(predictor, call, message):
    with pytest.raises(UserError, match=message):
        call(predictor)


def test_an_unknown_argument_is_a_type_error(predictor):
    with pytest.raises(TypeError, match="no argument 'beams'"):
        predictor.predict(["a"], beams=4)


# --- vocabularies ---


def test_pieces_are_those_of_seqio(piece_model):
    ours, theirs = vocabularies.load(piece_model), seqio.SentencePieceVocabulary(str(piece_model))
    for text in ("lake and river", "garden  house!", "zebra é", ""):
        assert ours.encode(text) == theirs.encode(text)
        assert ours.decode(ours.encode(text)) == theirs.decode(theirs.encode(text))
    beyond = [5, 9, ours.vocab_size, 100_000]
    assert ours.decode(beyond) == theirs.decode(beyond)


def test_bytes_are_those_of_seqio():
    ours, theirs = vocabularies.load("byt5"), seqio.ByteVocabulary()
    for text in ("plain", "ünïcödé ✓", ""):
        assert ours.encode(text) == theirs.encode(text)
    for ids in ([100, 101, 198], [2, 0, 100], list(range(3, 259)), [231, 189]):
        assert ours.decode(ids) == theirs.decode(ids)
    assert ours.decode([100, 300]) == "a"


def test_a_run_keeps_its_vocabulary(piece_model, tmp_path, monkeypatch):
    """With the sentinels that SeqIO added, which stand in the run's own copy."""
    monkeypatch.setattr(run_record.config, "resolved", lambda: "VOCABULARY = 'elsewhere'\n")
    vocabulary = seqio.SentencePieceVocabulary(str(piece_model), extra_ids=10)
    sizes = dataclasses.replace(toy.model().module.config, vocab_size=128, dropout_rate=0.0)
    model = EncoderDecoderModel(Transformer(sizes), optimizers.Adafactor(), vocabulary)
    run_record.open_run(tmp_path, model, make_mesh(1, 1), 0)
    save_run(tmp_path, model)
    found = found_model.find_model(tmp_path)
    assert found.vocabulary.vocab_size == vocabulary.vocab_size
    assert found.vocabulary.encode("lake and river") == vocabulary.encode("lake and river")
    assert found.module.config == sizes


def test_vocabularies_that_do_not_serve_are_told(run, piece_model, tmp_path):
    folder, _, _ = run
    with pytest.raises(UserError, match=r"no vocabulary at nowhere.model"):
        Predictor(folder, vocabulary="nowhere.model")
    (tmp_path / "broken.model").write_bytes(b"no pieces")
    with pytest.raises(UserError, match=r"broken.model is not a SentencePiece model"):
        Predictor(folder, vocabulary=tmp_path / "broken.model")
    small = dataclasses.replace(toy.model().module.config, vocab_size=20)
    save_run(tmp_path, EncoderDecoderModel(Transformer(small), optimizers.Adafactor()))
    with pytest.raises(UserError, match=r"none lies beside it.*give vocabulary='byt5'"):
        Predictor(tmp_path)
    (tmp_path / "config.gin").write_text("VOCABULARY = 'mt5'\n")
    with pytest.raises(UserError, match="its vocabulary is 'mt5', which is not beside it"):
        Predictor(tmp_path)
    with pytest.raises(UserError, match=r"has 259 ids and the network of .* 20"):
        Predictor(tmp_path, vocabulary="byt5")
    with pytest.raises(UserError, match="no checkpoint at"):
        Predictor(tmp_path / "nothing")


def test_a_predictor_loads_no_tensorflow(run):
    program = f"""
import sys
from mt5x.predictor import Predictor
predictor = Predictor({str(run[0])!r}, batch_size=8)
predictor.predict(["is 001 even"], max_length=4)
predictor.score_labels(["is 001 even"], ["yes", "no"])
heavy = {{"tensorflow", "tensorflow_text", "seqio", "tasks", "torch"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_checkpoint_of_t5x_predicts(unpacked_golden):
    """T5X's own legacy checkpoint, whose vocabulary only the user knows."""
    golden = unpacked_golden
    location = golden.folder / "checkpoint_legacy" / "checkpoint_3"
    with pytest.raises(UserError, match="none lies beside it"):
        Predictor(location)
    predictor = Predictor(location, vocabulary="byt5", batch_size=8)
    (model, params, _) = predictor._common
    assert model.module.config.emb_dim == golden.settings["emb_dim"]
    np.testing.assert_allclose(
        params["encoder"]["encoder_norm"]["scale"],
        golden.arrays["params_step3/encoder/encoder_norm/scale"],
    )
    assert len(predictor.predict(["a", "b"], max_length=4)) == 2


def test_a_checkpoint_of_hugging_face_predicts(run, tmp_path):
    """Without its run's record both have mT5's activation functions."""
    checkpoint = tmp_path / "checkpoint_7"
    shutil.copytree(run[0] / "checkpoint_7", checkpoint)
    convert.convert(checkpoint, tmp_path / "converted", to="huggingface", stream=io.StringIO())
    tokenizer = {"tokenizer_class": "ByT5Tokenizer"}
    (tmp_path / "converted" / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    expected = Predictor(checkpoint, vocabulary="byt5", batch_size=8)
    found = Predictor(tmp_path / "converted", batch_size=8)
    assert found.predict(TEXTS, max_length=5) == expected.predict(TEXTS, max_length=5)
    np.testing.assert_allclose(found.embed(TEXTS), expected.embed(TEXTS), atol=1e-5)


def test_a_decode_config_keys_a_step():
    assert DecodeConfig(kind="beam") == DecodeConfig(kind="beam", num_decodes=4)
    assert hash(DecodeConfig(kind="beam")) == hash(DecodeConfig(kind="beam", num_decodes=4))
    assert DecodeConfig(kind="sample", top_k=3) != DecodeConfig(kind="sample", top_k=4)
    assert DecodeConfig(seed=3).compiled_for(8) == DecodeConfig(max_length=8)
    assert DecodeConfig(max_length=5).compiled_for(8).max_length == 5
