"""Training repeats bit for bit: twice, and stopped and resumed."""

import dataclasses
import os
import signal
from pathlib import Path

import jax
import numpy as np
import pytest

from mt5x import optimizers, run_record, train_state
from mt5x.checkpoints import native
from mt5x.errors import UserError
from mt5x.evaluation import Evaluator
from mt5x.interruption import Interrupted
from mt5x.partitioning import Partitioner
from mt5x.train_loop import CheckpointConfig, TrainResult, train
from tests.mt5x import toy


@pytest.fixture(autouse=True)
def _tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    toy.register()
    monkeypatch.setattr(run_record.config, "resolved", lambda: "TOY = True")


def run(folder: Path, steps: int = 6, **changes) -> TrainResult:
    settings = {
        "model": toy.model(),
        "model_dir": str(folder),
        "train_dataset_cfg": toy.dataset(),
        "learning_rate_fn": optimizers.learning_rate("constant", 0.01),
        "total_steps": steps,
        "eval_period": 0,
        "tensorboard": False,
        **changes,
    }
    return train(**settings)


def params_of(result: TrainResult) -> dict[str, np.ndarray]:
    model, mesh = toy.model(), Partitioner().mesh
    state = native.restore(
        result.checkpoint,
        train_state.abstract_state(model),
        train_state.state_shardings(model, mesh),
    )
    leaves = jax.tree_util.tree_flatten_with_path(state.as_checkpoint())[0]
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def assert_same_bits(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].tobytes() == b[name].tobytes(), name


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> dict[str, np.ndarray]:
    toy.register()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_record.config, "resolved", lambda: "TOY = True")
        return params_of(run(tmp_path_factory.mktemp("uninterrupted")))


def test_the_same_seed_gives_the_same_parameters(tmp_path, uninterrupted):
    assert_same_bits(params_of(run(tmp_path)), uninterrupted)


def test_another_seed_gives_others(tmp_path, uninterrupted):
    other = params_of(run(tmp_path, random_seed=1))
    assert any(other[name].tobytes() != uninterrupted[name].tobytes() for name in other)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_stopped_by_a_signal_resumes_as_if_it_had_not_been(tmp_path, uninterrupted, number):
    calls = []

    def schedule(step: int) -> float:
        calls.append(step)
        if step == 2 and len(calls) == 3:
            os.kill(os.getpid(), number)
        return 0.01

    with pytest.raises(Interrupted) as stopped:
        run(tmp_path, learning_rate_fn=schedule)
    assert stopped.value.code == 143
    assert native.find(tmp_path).name == "checkpoint_3"
    assert_same_bits(params_of(run(tmp_path, learning_rate_fn=schedule)), uninterrupted)
    assert calls == list(range(6))


def test_resuming_a_finished_run_does_nothing(tmp_path):
    first = run(tmp_path, steps=2)
    written = {file: file.stat().st_mtime_ns for file in first.checkpoint.rglob("*")}
    assert run(tmp_path, steps=2) == first
    assert written == {file: file.stat().st_mtime_ns for file in first.checkpoint.rglob("*")}


def test_relative_steps_count_from_the_initial_checkpoint(tmp_path):
    first = run(tmp_path / "first", steps=2)
    start = CheckpointConfig(initial_path=str(tmp_path / "first"))
    second = run(tmp_path / "second", total_steps=None, relative_steps=3, checkpoint_cfg=start)
    assert (first.step, second.step) == (2, 5)


def test_total_steps_within_the_initial_checkpoint_are_refused(tmp_path):
    run(tmp_path / "first", steps=2)
    start = CheckpointConfig(initial_path=str(tmp_path / "first"))
    with pytest.raises(UserError, match="TRAIN_STEPS_RELATIVE"):
        run(tmp_path / "second", steps=2, checkpoint_cfg=start)


def test_a_batch_that_the_devices_do_not_divide_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match=r"BATCH_SIZE=12.*use 8 or 16"):
        run(tmp_path / "run", train_dataset_cfg=toy.dataset(batch_size=12))
    assert not (tmp_path / "run").exists()


def test_another_config_does_not_take_over_a_model_dir(tmp_path, monkeypatch):
    run(tmp_path, steps=1)
    monkeypatch.setattr(run_record.config, "resolved", lambda: "TOY = False")
    with pytest.raises(UserError, match="TOY is True there and False here"):
        run(tmp_path, steps=2)


def test_a_checkpoint_of_other_shapes_names_three_differences(tmp_path):
    run(tmp_path / "first", steps=1)
    wider = toy.model()
    module = dataclasses.replace(wider.module.config, emb_dim=32)
    wider = dataclasses.replace(wider, module=type(wider.module)(module))
    start = CheckpointConfig(initial_path=str(tmp_path / "first"))
    with pytest.raises(UserError, match=r"does not fit.*;.*;.*; and \d+ more"):
        run(tmp_path / "second", steps=3, model=wider, checkpoint_cfg=start)


def test_evaluation_counts_each_example_once_in_every_language(tmp_path):
    evaluate = {
        "eval_period": 1,
        "eval_steps": 1,
        "evaluator": Evaluator(toy.labels_of),
        "infer_eval_dataset_cfg": toy.dataset(split="validation", task_feature_lengths=None),
        "train_eval_dataset_cfg": toy.dataset(split="validation"),
    }
    run(tmp_path, steps=1, **evaluate)
    for language in toy.LANGUAGES:
        file = tmp_path / "inference_eval" / f"toy_eval.{language}-000001-predictions.jsonl"
        assert len(file.read_text().splitlines()) == 13
