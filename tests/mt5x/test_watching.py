"""A run is watched: what is logged, what stops it, what is left to look at, and how it goes on."""

import json
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import tensorflow as tf

from mt5x import flops, hardware, optimizers, run_record, steps, train_state
from mt5x.anomaly import SpikeRule
from mt5x.batch_stream import NumberedBatch, Skipped, numbered
from mt5x.checkpoints import best, native
from mt5x.curve import Curve
from mt5x.early_stopping import EarlyStopping
from mt5x.errors import UserError
from mt5x.evaluation import Evaluator
from mt5x.input_pipeline import training_batches
from mt5x.metrics_log import MetricsLog
from mt5x.partitioning import Partitioner
from mt5x.progress import Progress
from mt5x.stopped_run import Anomaly
from mt5x.throughput import Throughput
from mt5x.train_loop import CheckpointConfig, TrainResult, train
from tests.mt5x import toy


@pytest.fixture(autouse=True)
def _tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    toy.register()
    monkeypatch.setattr(run_record.config, "resolved", lambda: "TOY = True")


def run(folder: Path, total: int = 6, **changes: Any) -> TrainResult:
    settings = {
        "model": toy.model(),
        "model_dir": str(folder),
        "train_dataset_cfg": toy.dataset(),
        "learning_rate_fn": optimizers.learning_rate("constant", 0.01),
        "total_steps": total,
        "eval_period": 0,
        "log_period": 2,
        "tensorboard": False,
        **changes,
    }
    return train(**settings)


def logged(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def on_tensorboard(folder: Path) -> dict[tuple[int, str], float]:
    (file,) = folder.glob("events.out.tfevents.*")
    found = {}
    for record in tf.data.TFRecordDataset(str(file)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for one in event.summary.value:
            found[event.step, one.tag] = float(tf.make_ndarray(one.tensor))
    return found


def params_of(result: TrainResult) -> list[np.ndarray]:
    model, mesh = toy.model(), Partitioner().mesh
    state = native.restore(
        result.checkpoint,
        train_state.abstract_state(model),
        train_state.state_shardings(model, mesh),
    )
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state.params)]


def broken_at(step: int):
    """A schedule whose rate is infinite at one step, so that its parameters are no numbers."""
    return lambda now: math.inf if now == step else 0.01


def test_the_steps_after_the_last_whole_period_are_logged_at_the_end(tmp_path):
    evaluated = toy.dataset(split="validation", task_feature_lengths=None)
    run(tmp_path, log_period=4, eval_period=6, infer_eval_dataset_cfg=evaluated)
    *trained, scores = logged(tmp_path)
    assert [entry["step"] for entry in trained] == [4, 6]
    assert all(entry["train/loss"] > 0 for entry in trained)
    # The last line is the evaluation's, where programs look for it.
    assert scores["step"] == 6
    assert {"eval/toy_eval.aa/accuracy", "eval/toy_eval.bb/accuracy"} <= scores.keys()


def test_all_figures_are_logged_every_period(tmp_path, monkeypatch):
    # A peak of its own for the CPU, to see that MFU is there where the device is known.
    monkeypatch.setattr(hardware, "_PEAK_TFLOPS", (("cpu", 0.1),))
    result = run(tmp_path, tensorboard=True)
    entries = logged(tmp_path)
    assert [entry["step"] for entry in entries] == [2, 4, 6]
    names = {
        "step",
        *(f"train/{name}" for name in ("loss", "cross_entropy", "z_loss", "accuracy")),
        "train/target_tokens", "train/learning_rate", "train/weight_norm",
        "train/weight_gradient_norm", "train/weight_update_norm",
        "train/non_padding_fraction/encoder", "train/non_padding_fraction/decoder",
        "timing/steps_per_second", "timing/tokens_per_second", "timing/mfu",
    }  # fmt: skip
    assert all(entry.keys() == names for entry in entries)
    assert on_tensorboard(tmp_path) == {
        (entry["step"], name): pytest.approx(entry[name], rel=1e-6)
        for entry in entries
        for name in names - {"step"}
    }

    batches = list(zip(range(6), training_batches(toy.dataset(), 0), strict=False))[4:]
    real = [[int((b[name] > 0).sum()) for _, b in batches] for name in
            ("encoder_input_tokens", "decoder_target_tokens")]  # fmt: skip
    last = entries[-1]
    for name, tokens, length in zip(("encoder", "decoder"), real, (24, 8), strict=True):
        share = sum(tokens) / (2 * 8 * length)
        assert last[f"train/non_padding_fraction/{name}"] == pytest.approx(share)
    rate = last["timing/steps_per_second"]
    inputs, targets = (sum(one) / 2 for one in real)
    assert last["timing/tokens_per_second"] == pytest.approx((inputs + targets) * rate)
    done = flops.training_flops(toy.model().module.config, inputs, targets, 24, 8)
    assert last["timing/mfu"] == pytest.approx(done * rate / (8 * 0.1e12))
    # The norm of the parameters at the last step is near the mean of the last two.
    norm = math.sqrt(sum(float((leaf.astype(np.float64) ** 2).sum()) for leaf in params_of(result)))
    assert last["train/weight_norm"] == pytest.approx(norm, rel=0.02)


@pytest.mark.parametrize(
    "sizes", [(1, 1), pytest.param((2, 2), marks=pytest.mark.slow)], ids=["8x1x1", "2x2x2"]
)
def test_norms_are_those_of_numpy_on_every_mesh(sizes):
    model, mesh = toy.model(), Partitioner(*sizes).mesh
    state = train_state.init_state(model, mesh, 0)
    before = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(state.params)]
    batch = steps.place(next(training_batches(toy.dataset(), 0)), mesh)
    key, rate = jax.random.key(0), np.float32(0.01)
    state, metrics = steps.train_step(model, mesh)(state, batch, key, rate)
    after = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(state.params)]
    expected = {
        "weight_norm": sum((leaf**2).sum() for leaf in after),
        "weight_update_norm": sum(((a - b) ** 2).sum() for a, b in zip(after, before, strict=True)),
    }
    means = steps.means(metrics)
    for name, squares in expected.items():
        assert means[name] == pytest.approx(math.sqrt(squares), rel=1e-4)
    assert 0 < means["weight_gradient_norm"] < math.inf


def test_a_run_whose_parameters_are_no_numbers_stops_and_goes_on_without_the_batch(tmp_path):
    save: dict[str, Any] = {"checkpoint_cfg": CheckpointConfig(period=2)}
    with pytest.raises(UserError) as stopped:
        run(tmp_path, learning_rate_fn=broken_at(4), **save)
    file = tmp_path / "stopped_at_5.jsonl"
    assert str(stopped.value) == (
        f"the parameter norm is nan at step 5, on batch 4 of the data (its examples are in {file})"
        "; run again to go on from the last good checkpoint, checkpoint_4: --gin.SKIP_BATCHES='[4]'"
        " leaves the data out; if it comes again, begin a run with a lower learning rate"
    )
    assert native.find(tmp_path).name == "checkpoint_4"
    assert [entry["step"] for entry in logged(tmp_path)] == [2, 4]

    batch = dict(enumerate(zip(range(5), training_batches(toy.dataset(), 0), strict=False)))[4][1]
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert {row["batch"] for row in rows} == {4}
    assert len(rows) == sum(int(ids.max()) for ids in batch["encoder_segment_ids"])
    for row in rows:
        number = int(row["inputs"].split()[1])
        assert row["inputs"] == f"is {number:03} even"
        assert row["targets"] == toy.LABELS[number % 2 == 0]
        ids, segments = (
            batch[f"encoder_{name}"][row["row"]] for name in ("input_tokens", "segment_ids")
        )
        assert row["inputs_ids"] == ids[segments == row["example"]].tolist()

    # Gone on without the batch, the run is that which left it out from the start.
    skipped = run(tmp_path, skip_batches=[4], **save)
    assert skipped.step == 6
    other = run(tmp_path / "other", skip_batches=[(4, 4)], **save)
    for one, same in zip(params_of(skipped), params_of(other), strict=True):
        assert one.tobytes() == same.tobytes()


def test_a_state_that_is_no_number_is_not_saved_and_what_led_to_it_is_logged(tmp_path):
    save: dict[str, Any] = {"checkpoint_cfg": CheckpointConfig(period=1), "log_period": 100}
    with pytest.raises(UserError, match="last good checkpoint, checkpoint_3"):
        run(tmp_path, learning_rate_fn=broken_at(3), **save)
    assert native.find(tmp_path).name == "checkpoint_3"
    (entry,) = logged(tmp_path)
    assert entry["step"] == 3
    assert math.isfinite(entry["train/loss"])


def test_without_a_checkpoint_a_stopped_run_says_so(tmp_path):
    with pytest.raises(UserError, match="no checkpoint was saved before it, so run again"):
        run(tmp_path, learning_rate_fn=broken_at(1))


FINE: dict[str, Any] = dict.fromkeys(
    ("loss", "weight_gradient_norm", "weight_norm",
     "non_padding_fraction/encoder", "non_padding_fraction/decoder"), (2.0, 1.0),
)  # fmt: skip


def test_nan_that_the_optimizer_leaves_out_stops_nothing_and_spoils_no_mean(tmp_path):
    log = MetricsLog(tmp_path, 0, tensorboard=False)
    speed = Throughput(toy.model().module.config, jax.devices())
    silent = Progress("train", 2, shown=False)
    curve = Curve(log, silent, speed, 2, SpikeRule(), skips_nan_updates=True)
    batch = NumberedBatch(0, next(training_batches(toy.dataset(), 0)))
    curve.add(1, FINE, 0.01, batch)
    curve.add(2, FINE | {"loss": (math.nan, 1.0)}, 0.01, batch)
    curve.flush()
    log.close()
    (entry,) = logged(tmp_path)
    assert entry["train/loss"] == 2.0


def test_a_loss_that_leaps_up_for_good_stops_the_run(tmp_path):
    # Parameters thrown far away at step 8: the loss is a number still, and no longer a good one.
    with pytest.raises(UserError) as stopped:
        run(
            tmp_path, 40,
            learning_rate_fn=lambda now: 30.0 if now == 8 else 1e-9,
            loss_spikes=SpikeRule(factor=1.1, floor=0.1, steps=3, window=5),
            checkpoint_cfg=CheckpointConfig(period=3),
        )  # fmt: skip
    file = tmp_path / "stopped_at_12.jsonl"
    message = str(stopped.value)
    assert ", from step 10 to 12, on batches 8 to 11 of the data" in message
    # The state of step 9 is the one that was thrown away, that of step 10 comes from it.
    assert "delete checkpoint_9, saved since (checkpoint_6 is the last good one)" in message
    assert "--gin.SKIP_BATCHES='[(8, 11)]'" in message
    assert "LOSS_SPIKE_FACTOR=None" in message
    assert {json.loads(line)["batch"] for line in file.read_text().splitlines()} == {8, 9}
    assert logged(tmp_path)[-1]["step"] == 11


def test_a_number_that_a_high_loss_runs_into_is_told_with_where_that_began(tmp_path):
    log = MetricsLog(tmp_path, 0, tensorboard=False)
    speed = Throughput(toy.model().module.config, jax.devices())
    rule = SpikeRule(steps=9, window=3)
    curve = Curve(log, Progress("train", 6, shown=False), speed, 100, rule)
    features = next(training_batches(toy.dataset(), 0))
    for step, loss in enumerate([2.0, 2.0, 2.0, 9.0, 9.0, math.inf], start=1):
        metrics: Any = FINE | {"loss": (loss, 1.0)}
        curve.add(step, metrics, 0.01, NumberedBatch(step - 1, features))
    with pytest.raises(Anomaly) as stopped:
        curve.flush()
    log.close()
    found = stopped.value
    assert str(found) == "the loss is inf after the loss was above 5 (median before: 2)"
    assert (found.step, found.begin, found.last_good_step) == (6, 4, 2)
    assert ([one.number for one in found.batches], found.data) == ([2, 3], (2, 5))


def test_batches_that_are_left_out_keep_the_others_numbers():
    skipped = Skipped.of([1, (3, 5)])
    data = [{"x": np.asarray(n)} for n in range(9)]
    found = [(one.number, int(one.features["x"])) for one in numbered(iter(data), 0, skipped)]
    assert found == [(n, n) for n in (0, 2, 6, 7, 8)]
    assert [skipped.position(used) for used in range(5)] == [0, 2, 6, 7, 8]
    wrongs: list[Any] = [[-1], ["3-4"], [(1, 2, 3)], [(4, 2)], [1.5], [True]]
    for wrong in wrongs:
        with pytest.raises(UserError, match="SKIP_BATCHES is a list of batch numbers"):
            Skipped.of(wrong)


EVALUATE: dict[str, Any] = {
    "eval_period": 1,
    "eval_steps": 1,
    "evaluator": Evaluator(toy.labels_of),
    "train_eval_dataset_cfg": toy.dataset(mixture_or_task_name="toy_eval.aa", split="validation"),
}


def stopping(patience: int) -> EarlyStopping:
    # A loss that is not going to fall by a nat in a step.
    return EarlyStopping("training_eval/toy_eval.aa/loss", patience=patience, min_delta=1.0)


def test_a_run_that_no_longer_improves_ends_early_and_stays_so(tmp_path):
    whole = run(tmp_path / "whole", 6, early_stopping=stopping(2), **EVALUATE)
    assert (whole.step, whole.checkpoint.name) == (3, "checkpoint_3")
    assert whole.stopped_early is not None
    assert "has not improved in 2 evaluations; its best was" in whole.stopped_early
    written = (tmp_path / "whole" / "metrics.jsonl").read_text()
    assert run(tmp_path / "whole", 6, early_stopping=stopping(2), **EVALUATE) == whole
    assert (tmp_path / "whole" / "metrics.jsonl").read_text() == written

    # That a figure decided goes with the results, as with the best checkpoint.
    figure = "training_eval/toy_eval.aa/loss (lowest) on validation"
    assert best.rule_of(str(tmp_path / "whole")) == f"last, training ended by {figure}"

    # In two parts it ends where it ends in one.
    first = run(tmp_path / "parts", 2, early_stopping=stopping(2), **EVALUATE)
    assert (first.step, first.stopped_early) == (2, None)
    parts = run(tmp_path / "parts", 6, early_stopping=stopping(2), **EVALUATE)
    assert (parts.step, parts.stopped_early) == (3, whole.stopped_early)
    for one, same in zip(params_of(whole), params_of(parts), strict=True):
        assert one.tobytes() == same.tobytes()


def test_a_wrong_figure_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match="LOG_PERIOD=0 must be 1 step or more"):
        run(tmp_path / "run", log_period=0)
    wrong = EarlyStopping("training_eval/toy_eval.aa/los")
    with pytest.raises(UserError, match=r"EARLY_STOPPING_METRIC.*did you mean loss"):
        run(tmp_path / "run", early_stopping=wrong, **EVALUATE)
    with pytest.raises(UserError, match="set EVAL_PERIOD and EVAL_STEPS above 0"):
        run(tmp_path / "run", early_stopping=stopping(2), **{**EVALUATE, "eval_period": 0})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("history", "ends"),
    [
        ({}, False),
        ({1: 5.0, 2: 4.0, 3: 3.0}, True),
        ({1: 5.0, 2: 6.0, 3: 5.0}, False),
        ({1: 5.0, 2: 5.4, 3: 5.5}, True),
        ({1: math.nan, 2: math.nan}, True),
        ({3: 1.0, 2: 5.0, 1: 9.0}, True),
    ],
)
def test_patience_counts_evaluations_without_improvement(history, ends):
    rule = EarlyStopping("eval/task/f1", patience=2, min_delta=0.5)
    assert (rule.verdict(lambda name: history) is not None) == ends


def test_a_rule_without_meaning_is_refused():
    wrongs: list[dict[str, Any]] = [{"patience": 0}, {"min_delta": -1.0}, {"metric": "f1"}]
    for wrong in wrongs:
        with pytest.raises(UserError, match="EARLY_STOPPING_"):
            EarlyStopping(**{"metric": "eval/task/f1", **wrong})
    assert EarlyStopping().verdict(lambda name: {}) is None


def test_a_run_that_would_end_by_a_language_it_does_not_train_on_is_told(capsys):
    toy.register()
    trained = toy.dataset(mixture_or_task_name="toy_eval.aa", split="validation")
    for language, told in (("bb", True), ("aa", False)):
        rule = EarlyStopping(f"training_eval/toy_eval.{language}/loss")
        rule.check(Evaluator(toy.labels_of), None, toy.dataset(split="validation"), trained)
        assert ("EARLY_STOPPING_METRIC" in capsys.readouterr().err) == told
