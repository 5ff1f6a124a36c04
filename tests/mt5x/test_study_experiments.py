"""Studies that name experiment files: their macros are the training's, the study's go before."""

from pathlib import Path

import gin
import pytest

from mt5x import config
from mt5x.errors import UserError
from mt5x.studies import stage_key
from mt5x.studies.expansion import expand
from mt5x.studies.experiment import macros_of
from mt5x.studies.plan import Base, Intermediate, Study, Transfer
from mt5x.studies.stage import TRAIN, resolve

EXPERIMENTS = sorted(
    str(path.relative_to(config.INSTALLATION_ROOT))
    for path in (config.INSTALLATION_ROOT / "t5x_configs" / "experiments").glob("*.gin")
)
PAWSX = "t5x_configs/experiments/pawsx_zeroshot.gin"
QQP = "t5x_configs/experiments/intermediate_qqp.gin"


@pytest.fixture(autouse=True)
def _clean_gin():
    yield
    gin.clear_config()


def study(**changes):
    transfer = Transfer(
        task="pawsx", languages=["en", "de"], sources=["en"], mixture="pawsx_zeroshot.{source}",
        train_task="pawsx_train.{language}", eval_task="pawsx_eval.{language}", experiment=PAWSX,
        shots=[8], few_shot_mixture="pawsx_train.{language}:n{shots}",
        few_shot_macros={"TRAIN_STEPS_RELATIVE": 50},
    )  # fmt: skip
    settings = {
        "name": "real", "question": "?", "data_dir": "data", "output_dir": "out",
        "transfers": [transfer],
        "intermediates": [Intermediate("qqp", "qqp_train.{language}", experiment=QQP)],
        "model": "t5x_configs/models/mt5_base.gin",
        "checkpoint": "public/{model}/checkpoint_1000000",
    }  # fmt: skip
    return Study(**{**settings, **changes})


@pytest.mark.parametrize("file", EXPERIMENTS)
def test_what_is_read_is_what_gin_reads(file):
    found = macros_of(file)
    config.load([file])
    read = {key[0]: bound["value"] for key, bound in gin.config._CONFIG.items()}
    assert found == read
    assert "MIXTURE_OR_TASK_NAME" in found


def test_reading_leaves_what_is_loaded_alone():
    config.load([PAWSX])
    before = gin.config._CONFIG.copy()
    macros_of(QQP)
    after = gin.config._CONFIG
    assert before == after


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("BATCH_SIZE = @tasks.catalogue()", "says @tasks.catalogue"),
        ("BATCH_SIZE = %OTHER", "says %OTHER"),
        ("train/BATCH_SIZE = 8", "says train/BATCH_SIZE"),
        ("plan.Study.seeds = (0,)", "says plan.Study.seeds"),
        ("plan.Study:\n  seeds = (0,)", "says plan.Study.seeds"),
        ("BATCH_SIZE = (8", "mine.gin: "),
        ("include 'nowhere.gin'", "no experiment file nowhere.gin"),
    ],
)
def test_a_file_that_is_no_experiment_is_refused(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.gin").write_text(text + "\n", encoding="utf-8")
    with pytest.raises(UserError, match=message):
        macros_of("mine.gin")


def test_a_name_that_is_nearly_right_is_told():
    with pytest.raises(UserError, match=r"pawsx_zeroshots.gin; did you mean .*pawsx_zeroshot\.gin"):
        macros_of("t5x_configs/experiments/pawsx_zeroshots.gin")


def test_the_macros_of_the_study_go_before_those_of_the_experiment(tmp_path):
    stages = {one.name: one for one in expand(study(finetuning={"BATCH_SIZE": 32}))}
    steps = {name: one.steps for name, one in stages.items() if one.kind == TRAIN}
    assert steps == {
        "intermediate-qqp-en-seed0": 10_000,
        "finetune-pawsx-en-seed0": 10_000,
        "finetune-pawsx-en-after-qqp-en-seed0": 10_000,
        "few_shot-pawsx-en-de-8shots-seed0": 50,
        "few_shot-pawsx-en-de-8shots-after-qqp-en-seed0": 50,
    }
    for name in steps:
        bound = config.bindings_of(resolve(stages[name]))
        assert bound["BATCH_SIZE"] == "32"
        assert bound["TRAIN_STEPS_RELATIVE"] == str(steps[name])
        lengths = "{'inputs': 512, 'targets': 64}" if "intermediate" in name else (
            "{'inputs': 512, 'targets': 40}"
        )  # fmt: skip
        assert bound["TASK_FEATURE_LENGTHS"] == lengths
    assert set(stage_key.keys(list(stages.values()), tmp_path)) == set(stages)


def test_a_changed_experiment_makes_another_stage(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keys = []
    for batch in (8, 8, 16):
        Path("mine.gin").write_text(
            f"include '{QQP}'\nBATCH_SIZE = {batch}\nTRAIN_STEPS_RELATIVE = 7\n", encoding="utf-8"
        )
        stages = expand(study(intermediates=[Intermediate("a", "qqp", experiment="mine.gin")]))
        assert stages[1].steps == 7
        keys.append(stage_key.keys(stages, tmp_path))
    assert keys[0] == keys[1]
    changed = {name for name in keys[0] if keys[0][name] != keys[2][name]}
    assert changed == {name for name in keys[0] if "-a-en" in name}


def test_each_model_has_a_checkpoint_of_its_name():
    models = ("mt5_base", "mt5_xxl")
    bases = [
        Base(one, f"t5x_configs/models/{one}.gin", "public/{model}/checkpoint_1000000")
        for one in models
    ]
    stages = expand(study(model=None, checkpoint=None, bases=bases, intermediates=[]))
    begun = [one.macros["INITIAL_CHECKPOINT_PATH"] for one in stages if one.kind == TRAIN
             and not one.parents]  # fmt: skip
    assert begun == [f"public/{one}/checkpoint_1000000" for one in models]
