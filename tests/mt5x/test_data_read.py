"""What a stage is named by of the data: the sets that it reads, and no other."""

import dataclasses
import json
from pathlib import Path

import gin
import pytest
import seqio

import tasks  # noqa: F401 - registers the mixtures.
from mt5x import config
from mt5x.studies import plan, stage_key
from mt5x.studies.expansion import expand
from mt5x.studies.stage import Stage

LANGUAGES = ("en", "fi", "sw")


@pytest.fixture(autouse=True)
def _clean_gin():
    yield
    gin.clear_config()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        *(f"wikiann/{code}/1.0.0" for code in LANGUAGES), "c4/multilingual/3.1.0", "glue/qqp/2.0.0",
        "paws_x_wiki/en/1.0.0", "paws_x_wiki/de/1.0.0",
    ):  # fmt: skip
        write(tmp_path, name, "1")
    (tmp_path / "world.json").write_text(json.dumps({"form": 2, "seed": 0}))
    return tmp_path


def write(folder: Path, name: str, says: str) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "dataset_info.json").write_text(json.dumps({"says": says}))


def with_splits(folder: Path, name: str, **sizes: int) -> None:
    splits = [{"name": split, "numBytes": str(size)} for split, size in sizes.items()]
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "dataset_info.json").write_text(json.dumps({"splits": splits}))


STUDY = """
from __gin__ import dynamic_registration
from mt5x.studies import plan
include 't5x_configs/studies/sample_world.gin'

plan.Study:
  name = 'a'
  question = '?'
  output_dir = 'out'
  lm_statistics = {'LANGUAGES': ['en'], 'TASK_FEATURE_LENGTHS': {'inputs': 32, 'targets': 9}}
  intermediates = [@plan.Intermediate()]
  transfers = [@panx/plan.Transfer(), @pawsx/plan.Transfer()]

plan.Intermediate:
  name = 'qqp'
  mixture = 'qqp_train.{language}{size}'
  sizes = (100, None)
  macros = {'TASK_FEATURE_LENGTHS': {'inputs': 32, 'targets': 9}, 'TRAIN_STEPS_RELATIVE': 1}

panx/plan.Transfer:
  languages = ['en', 'fi']
  mixture = 'panx_train.{source}:n50'
  evaluated = 'panx_eval'
pawsx/plan.Transfer.languages = ['en']
pawsx/plan.Transfer.perturbations = ['typos10']
"""


@pytest.fixture
def stages(tmp_path_factory: pytest.TempPathFactory) -> list[Stage]:
    file = tmp_path_factory.mktemp("gin") / "study.gin"
    file.write_text(STUDY)
    config.load([str(file)])
    return expand(config.call(plan.Study))


def changed(stages: list[Stage], folder: Path, name: str) -> set[str]:
    """The stages that are others when one data set is written anew."""
    before = stage_key.keys(stages, folder)
    write(folder, name, "2")
    after = stage_key.keys(stages, folder)
    return {one for one in before if before[one] != after[one]}


def test_a_data_set_that_no_stage_reads_changes_none(stages, folder):
    assert not changed(stages, folder, "xtreme_pawsx/de/1.0.0")
    assert not changed(stages, folder, "wikiann/sw/1.0.0")
    assert not changed(stages, folder, "paws_x_wiki/en/2.0.0")


def test_what_is_read_changes_those_that_read_it_and_what_comes_after(stages, folder):
    every = {one.name for one in stages}
    finnish = changed(stages, folder, "wikiann/fi/1.0.0")
    evaluated = ("evaluate-panx", "majority_baseline-panx")
    assert finnish == {name for name in every if name.startswith(evaluated)}
    english = changed(stages, folder, "wikiann/en/1.0.0")
    assert english == {name for name in every if "panx" in name}
    # All of the mixture's tasks are read where it is trained on: German is evaluated on the way.
    german = changed(stages, folder, "paws_x_wiki/de/1.0.0")
    assert german == {x for x in every if x.startswith(("finetune-pawsx", "evaluate-pawsx"))}
    qqp = changed(stages, folder, "glue/qqp/2.0.0")
    assert qqp == {name for name in every if "qqp" in name}
    text = changed(stages, folder, "c4/multilingual/3.1.0")
    assert text == every - {x for x in every if x.startswith("majority_baseline")}


def test_of_a_data_set_the_splits_that_are_read_count(stages, folder):
    evaluated = next(one for one in stages if one.name.startswith("evaluate-panx-en-seed"))
    (alone,) = stages_alone(evaluated)
    keys = []
    for sizes in (
        {"train": 1, "validation": 1, "test": 1}, {"train": 2, "validation": 1, "test": 1},
        {"train": 1, "validation": 1, "test": 1, "more": 1},
        {"train": 1, "validation": 2, "test": 1},
        # One is missing: all of the record counts.
        {"train": 1, "validation": 2}, {"train": 2, "validation": 2},
    ):  # fmt: skip
        with_splits(folder, "wikiann/fi/1.0.0", **sizes)
        keys.append(stage_key.keys([alone], folder)[alone.name])
    # Validation and test are its tasks' splits.
    assert keys[0] == keys[1] == keys[2]
    assert len({keys[0], *keys[3:]}) == 4


def stages_alone(*several: Stage) -> list[Stage]:
    macros = {"CHECKPOINT_PATH": "a"}
    return [dataclasses.replace(x, parents=(), macros={**x.macros, **macros}) for x in several]


def test_the_noise_on_a_task_is_on_its_data(stages, folder):
    noisy = {one.name for one in stages if "typos" in one.name}
    assert noisy
    assert noisy < changed(stages, folder, "paws_x_wiki/en/1.0.0")


def test_another_world_is_other_data_and_another_form_of_it_is_not(stages, folder):
    before = stage_key.keys(stages, folder)
    (folder / "world.json").write_text(json.dumps({"form": 3, "seed": 0}))
    assert stage_key.keys(stages, folder) == before
    (folder / "world.json").write_text(json.dumps({"form": 3, "seed": 1}))
    after = stage_key.keys(stages, folder)
    assert not {*before.values()} & {*after.values()}


def test_where_it_cannot_be_told_all_data_count(stages, folder):
    """A task that reads no TFDS data set, and a name that there is not."""
    first = next(one for one in stages if one.name.startswith("finetune-panx-en-seed"))
    seqio.TaskRegistry.add(
        "test_data_read_by_hand",
        source=seqio.FunctionDataSource(
            lambda split, shuffle_files, seed=None: None, splits=["train"]
        ),
        preprocessors=[],
        output_features={},
    )
    try:
        for name in ("test_data_read_by_hand", "panx_trian.en", "panx_train.en:n0"):
            one = trained_on(first, name)
            assert changed([one], folder, f"new/{name.replace(':', '_')}/1.0.0") == {one.name}
    finally:
        seqio.TaskRegistry.remove("test_data_read_by_hand")


def trained_on(stage: Stage, mixture: str) -> Stage:
    macros = {**stage.macros, "MIXTURE_OR_TASK_NAME": mixture, "INITIAL_CHECKPOINT_PATH": "a"}
    return dataclasses.replace(stage, macros=macros, parents=())
