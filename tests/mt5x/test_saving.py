"""What a run saves and goes on from: its place in the data, evaluations, the best checkpoint."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import seqio

from mt5x import optimizers, run_record
from mt5x.checkpoints import best, native
from mt5x.checkpoints.best import KeepBest
from mt5x.checkpoints.saving import CheckpointDirectory
from mt5x.errors import UserError
from mt5x.evaluation import Evaluator
from mt5x.monitored_metric import languages
from mt5x.train_loop import CheckpointConfig, TrainResult, train
from tests.mt5x import toy

LOSS = "training_eval/toy_eval.aa/loss"


@pytest.fixture(autouse=True)
def _tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    toy.register()
    monkeypatch.setattr(run_record.config, "resolved", lambda: "TOY = True")


def run(folder: Path, steps: int = 4, **changes: Any) -> TrainResult:
    settings = {
        "model": toy.model(),
        "model_dir": str(folder),
        "train_dataset_cfg": toy.dataset(),
        "train_eval_dataset_cfg": toy.dataset(split="validation"),
        "infer_eval_dataset_cfg": toy.dataset(split="validation", task_feature_lengths=None),
        "evaluator": Evaluator(toy.labels_of),
        "learning_rate_fn": optimizers.learning_rate("constant", 0.01),
        "total_steps": steps,
        "eval_period": 2,
        "eval_steps": 1,
        "log_period": 1,
        "tensorboard": False,
        **changes,
    }
    return train(**settings)


def entries(folder: Path) -> list[dict[str, float]]:
    """The log without what is measured by a clock."""
    logged = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [
        {name: value for name, value in one.items() if re.search("step$|loss|eval/", name)}
        for one in logged
    ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    toy.register()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_record.config, "resolved", lambda: "TOY = True")
        return run(tmp_path_factory.mktemp("undisturbed")).checkpoint.parent


class Died(BaseException):
    """The process is gone: nothing of ours handles this."""


@pytest.mark.parametrize("step", [2, 4])
def test_an_evaluation_that_was_cut_off_is_done_on_resuming(tmp_path, undisturbed, step):
    asked: list[str] = []

    def die(task: str) -> tuple[str, ...]:
        asked.append(task)
        # Each evaluation asks for the labels of two tasks.
        if len(asked) == step:
            raise Died
        return toy.LABELS

    every = CheckpointConfig(period=2)
    with pytest.raises(Died):
        run(tmp_path, evaluator=Evaluator(die), checkpoint_cfg=every)
    assert native.find(tmp_path).name == f"checkpoint_{step}"
    assert not any("eval" in name for name in entries(tmp_path)[-1])
    run(tmp_path, checkpoint_cfg=every)
    assert entries(tmp_path) == entries(undisturbed)
    before = (tmp_path / "metrics.jsonl").read_text()
    run(tmp_path, checkpoint_cfg=every)
    assert (tmp_path / "metrics.jsonl").read_text() == before


def test_a_run_goes_on_from_the_place_in_the_data_that_its_checkpoint_holds(tmp_path, undisturbed):
    run(tmp_path, steps=2)
    position = native.data_position(tmp_path / "checkpoint_2")
    assert position is not None
    assert (position.batches, position.first_step) == (2, 0)
    assert (position.mixture_or_task_name, position.split) == ("toy_zeroshot", "train")
    # The run's record is not asked for it.
    record = json.loads((tmp_path / "environment.json").read_text())
    (tmp_path / "environment.json").write_text(json.dumps({**record, "initial_step": 1}))
    run(tmp_path)
    assert entries(tmp_path) == entries(undisturbed)


def test_a_checkpoint_from_before_it_held_the_place_resumes_by_the_run_s_record(
    tmp_path, undisturbed
):
    run(tmp_path, steps=2)
    shutil.rmtree(tmp_path / "checkpoint_2" / "dataset")
    run(tmp_path)
    assert entries(tmp_path) == entries(undisturbed)


def test_other_data_than_the_checkpoint_s_is_refused(tmp_path):
    run(tmp_path, steps=1)
    with pytest.raises(UserError, match=r"BATCH_SIZE=8, and this config has 16; set it back"):
        run(tmp_path, train_dataset_cfg=toy.dataset(batch_size=16))


def ruined_after(step: int):
    return lambda now: 0.01 if now < step else 3.0


def best_of(name: str = LOSS, **changes: Any) -> CheckpointConfig:
    return CheckpointConfig(period=100, keep=1, keep_best=KeepBest(name), **changes)


def test_the_best_is_kept_named_and_noted(tmp_path):
    settings = {
        "eval_period": 1,
        "learning_rate_fn": ruined_after(2),
        "checkpoint_cfg": best_of(),
        "infer_eval_dataset_cfg": None,
    }
    run(tmp_path / "whole", steps=5, **settings)
    result = run(tmp_path / "parts", steps=3, **settings)
    result = run(tmp_path / "parts", steps=5, **settings)
    for folder in (tmp_path / "whole", tmp_path / "parts"):
        losses = {entry["step"]: entry[LOSS] for entry in entries(folder) if LOSS in entry}
        assert sorted(losses) == [1, 2, 3, 4, 5]
        chosen = min(losses, key=lambda step: losses[step])
        assert chosen < 5
        assert native.steps(folder) == {chosen, 5}
        selection = json.loads((folder / "selection.json").read_text())
        assert selection["rule"] == f"best {LOSS} (lowest) on validation"
        assert (selection["step"], selection["value"]) == (chosen, losses[chosen])
        assert selection["checkpoint"] == f"checkpoint_{chosen}"
        assert (folder / "best").resolve() == folder / f"checkpoint_{chosen}"
        assert best.rule_of(str(folder / "best")) == selection["rule"]
    assert result.best == folder / f"checkpoint_{chosen}"
    assert result.checkpoint == folder / "checkpoint_5"
    assert entries(tmp_path / "whole") == entries(tmp_path / "parts")


def test_without_a_rule_the_last_is_the_result(tmp_path):
    result = run(tmp_path, steps=1, eval_period=0)
    selection = json.loads((tmp_path / "selection.json").read_text())
    assert selection == {"rule": "last", "checkpoint": "checkpoint_1", "step": 1}
    assert result.best is None
    assert not (tmp_path / "best").exists()
    assert best.rule_of(str(tmp_path)) == "last"
    assert best.rule_of(str(tmp_path / "checkpoint_1")) == "step 1"
    assert best.rule_of(None) == "last"
    with pytest.raises(UserError, match=r"selection.json does not say how .*best was chosen"):
        best.rule_of(str(tmp_path / "elsewhere" / "best"))


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("eval/toy_eval.aa/acuracy", "did you mean accuracy"),
        ("eval/toy_evl.aa/accuracy", "did you mean toy_eval.aa"),
        ("accuracy", "must be eval/TASK/METRIC"),
    ],
)
def test_an_unknown_figure_is_refused_before_anything_is_written(tmp_path, name, problem):
    with pytest.raises(UserError, match=f"KEEP_BEST_METRIC.*{re.escape(problem)}"):
        run(tmp_path / "run", checkpoint_cfg=best_of(name))
    assert not (tmp_path / "run").exists()


def test_choosing_by_another_language_than_the_trained_ones_is_said(capsys):
    if "toy_named" not in seqio.MixtureRegistry.names():
        plain = seqio.TaskRegistry.get("toy_train")
        seqio.TaskRegistry.add(
            "toy_named_train.aa",
            source=plain.source,
            preprocessors=plain.preprocessors,
            output_features=plain.output_features,
        )
        tasks = ["toy_named_train.aa", "toy_eval.aa", "toy_eval.bb"]
        seqio.MixtureRegistry.add("toy_named", tasks, default_rate=1.0)
    named = {"mixture_or_task_name": "toy_named"}
    trained = toy.dataset(**named)
    scored = toy.dataset(split="validation", **named)
    for language, said in (("aa", False), ("bb", True)):
        rule = KeepBest(f"eval/toy_eval.{language}/accuracy")
        rule.check(Evaluator(toy.labels_of), scored, None, trained)
        assert ("not zero-shot" in capsys.readouterr().err) == said


def test_languages_are_what_a_task_s_name_ends_in():
    assert languages("mlqa_cross_eval.ar.de:short") == {"ar", "de"}
    assert languages("panx_eval.en") == {"en"}
    assert languages("toy_train") == set()


@pytest.mark.parametrize("keep", [0, -1])
def test_keeping_no_checkpoint_is_refused(keep):
    with pytest.raises(UserError, match=f"CHECKPOINTS_TO_KEEP={keep}"):
        CheckpointConfig(keep=keep)


def test_what_was_cut_off_in_being_written_or_deleted_is_removed(tmp_path):
    for name in ("checkpoint_3.orbax-checkpoint-tmp", ".checkpoint_1.deleted"):
        (tmp_path / name / "state").mkdir(parents=True)
    CheckpointDirectory(tmp_path).close()
    assert not list(tmp_path.iterdir())
