"""The baselines of the training step compute what mt5x computes, and the sections run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from mt5x import flops, steps, train_state
from mt5x.benchmarks import huggingface, loss, measurement, step, textbook
from mt5x.errors import UserError
from mt5x.partitioning import make_mesh
from scripts import main, named_model

SHAPE = step.Shape(2, 16, 8, real_inputs=12, real_targets=6)
ONE_LAYER = [f"network.T5Config.num_{stack}_layers=1" for stack in ("encoder", "decoder")]
TINY = ["--model", "mt5_tiny", "--batch_size", "2", "--inputs", "16", "--targets", "8"]
TINY += [f"--gin={binding}" for binding in ONE_LAYER]


@pytest.fixture(scope="module")
def model():
    # Without dropout: the peers draw their own masks.
    return named_model.load("mt5_tiny", [*ONE_LAYER, "DROPOUT_RATE=0.0", "LABEL_SMOOTHING=0.1"])


def test_textbook_takes_the_same_step(model):
    mesh = make_mesh(1, 1)
    batch = step.made_up_batch(step.Shape(2, 16, 8, 12, 6, packed=2), 1408)
    key, rate = jax.random.key(0), np.float32(1e-2)
    other = textbook.model_like(model)
    ours, metrics = steps.train_step(model, mesh)(
        train_state.init_state(model, mesh, 0), steps.place(batch, mesh), key, rate
    )
    theirs, expected = textbook.train_step(other)(
        train_state.init_state(other, mesh, 0), batch, key, rate
    )
    np.testing.assert_allclose(metrics["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(
        metrics["weight_gradient_norm"], expected["weight_gradient_norm"], rtol=1e-5
    )
    jax.tree.map(lambda *_: None, ours, theirs)  # They have one structure.
    slots, others = ours.opt_state["param_states"], theirs.opt_state["param_states"]
    for one, two in zip(jax.tree.leaves(slots), jax.tree.leaves(others), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-3, atol=1e-8)


def test_made_up_rows_are_padded_and_segmented_as_asked():
    batch = step.made_up_batch(step.Shape(3, 12, 8, 10, 6, packed=2), 100)
    assert ((batch["encoder_input_tokens"] > 0).sum(axis=1) == 10).all()
    assert (batch["decoder_loss_weights"].sum(axis=1) == 6).all()
    assert batch["decoder_segment_ids"][0].tolist() == [1, 1, 1, 2, 2, 2, 0, 0]
    starts = batch["decoder_input_tokens"][:, [0, 3]]
    assert (starts == 0).all()
    shifted = batch["decoder_target_tokens"][:, [0, 1, 3, 4]]
    assert (batch["decoder_input_tokens"][:, [1, 2, 4, 5]] == shifted).all()
    assert "decoder_segment_ids" not in step.made_up_batch(SHAPE, 100)


@pytest.mark.skipif(not huggingface.can_run(), reason="needs torch and transformers")
def test_all_variants_are_measured(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(step, "_PRODUCT_SIZE", 128)
    file = tmp_path / "step.json"
    main.main(["benchmark", "step", *TINY, "--repeats", "1", "--json", str(file)])
    rows = json.loads(file.read_text())["rows"]
    assert [row["variant"] for row in rows] == [*step.VARIANTS, step.PRODUCT]
    config = named_model.load("mt5_tiny", ONE_LAYER).module.config
    for row in rows[:3]:
        figures = row["figures"]
        assert figures["tokens/s"] == pytest.approx(2 * 24 / row["median_seconds"])
        assert figures["model GFLOP"] == flops.training_flops(config, 32, 16, 16, 8) / 1e9
    # A product with one-hot vectors is what XLA counts more of.
    assert rows[1]["figures"]["XLA GFLOP"] > 1.5 * rows[0]["figures"]["XLA GFLOP"]
    assert "textbook" in capsys.readouterr().out


def test_loss_is_the_textbook_loss_where_targets_are_padding():
    for real in (3, 8):
        rows = loss.measure(2, 8, 16, 1000, "float32", real, [measurement.OURS, "textbook"], 1)
        assert rows[0].figures["difference"] < 1e-5


def test_a_row_has_no_more_tokens_than_positions():
    with pytest.raises(UserError, match="expected real_targets from 1 to 8"):
        step.Shape(2, 16, 8, real_targets=9)


@pytest.mark.slow
def test_the_script_for_a_gpu_runs(tmp_path):
    settings = {
        "MODELS": "mt5_tiny",
        "LENGTHS": "16/8",
        "BATCH_SIZE": "2",
        "PACKED": "2",
        "REPEATS": "1",
        "IN_A_ROW": "2",
        "AGAINST": "textbook",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    script = Path(main.__file__).parent / "gpu_benchmark.sh"
    subprocess.run(["bash", script, tmp_path], check=True, env={**os.environ, **settings})
    written = [json.loads(file.read_text()) for file in sorted(tmp_path.iterdir())]
    cases = [document["rows"][0]["case"] for document in written]
    assert cases == ["mt5_tiny, 2 x 16/8, 2 packed, bfloat16, Adafactor, 2 in a row"]
