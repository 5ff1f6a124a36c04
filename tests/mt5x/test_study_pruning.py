"""Pruning: what nothing unfinished needs goes, and it comes back where it is needed."""

import dataclasses
from pathlib import Path

import gin
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mt5x import config
from mt5x.checkpoints import native
from mt5x.errors import UserError
from mt5x.studies import outstanding, pruning, runner, status, store
from mt5x.studies.expansion import expand
from mt5x.studies.plan import Study
from mt5x.studies.stage import TRAIN, Stage
from scripts import main
from tests.mt5x.toy_study import QQP, Jobs, study_in, table_of


@pytest.fixture(autouse=True)
def _clean_gin():
    yield
    gin.clear_config()


class Saving(Jobs):
    """Training leaves a checkpoint of a thousand bytes, and needs that of its parent."""

    def _train(self, title: str) -> store.Figures:
        folder = Path(config.macro("MODEL_DIR"))
        if config.macro("INITIAL_CHECKPOINT_PATH"):
            native.find(config.macro("INITIAL_CHECKPOINT_PATH"))
        assert not native.steps(folder)
        state = folder / "checkpoint_7" / native.ITEM
        state.mkdir(parents=True)
        (state / "weights").write_bytes(bytes(1000))
        (folder / "best").symlink_to("checkpoint_7")
        return super()._train(title)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return study_in(tmp_path)


def folders(study: Study) -> dict[str, Path]:
    return store.folders_of(study, expand(study))


def found_in(study: Study, *keep: str) -> list[pruning.Prunable]:
    return pruning.prunable(expand(study), folders(study), keep)


def prune(study: Study, *keep: str) -> None:
    pruning.prune(store.root_of(study), found_in(study, *keep))


def test_a_finished_study_needs_no_checkpoint_and_keeps_its_table(study, tmp_path):
    jobs = Saving(tmp_path / "log")
    runner.run(study, jobs.kinds())
    before, count = table_of(tmp_path), len(jobs.ran())
    found = found_in(study)
    assert {one.name: one.size for one in found} == {
        "pretrain-seed0": 1000, "finetune-panx-en-seed0": 1000, "finetune-panx-fi-seed0": 1000,
    }  # fmt: skip
    assert {one.name for one in found_in(study, "pre*", "*-fi-*")} == {"finetune-panx-en-seed0"}
    prune(study, "pretrain*")
    assert native.newest(folders(study)["pretrain-seed0"]) is not None
    tuned = folders(study)["finetune-panx-en-seed0"]
    assert sorted(path.name for path in tuned.iterdir()) == ["pruned.json"]
    page = status.page(expand(study), folders(study))
    assert "2 trained without their checkpoints (pruned)" in page
    assert "all 7 stages are done" in page
    assert found_in(study, "pretrain*") == []
    runner.run(study, jobs.kinds())
    assert len(jobs.ran()) == count
    assert table_of(tmp_path) == before


def test_what_is_added_trains_again_what_it_begins_with_and_nothing_else(study, tmp_path):
    jobs = Saving(tmp_path / "log")
    runner.run(study, jobs.kinds())
    prune(study)
    count = len(jobs.ran())
    more = dataclasses.replace(study, intermediates=[dataclasses.replace(QQP, sizes=(100,))])
    assert "next     pretrain-seed0" in status.page(expand(more), folders(more))
    runner.run(more, jobs.kinds())
    ran = jobs.ran()[count:]
    assert ran[:2] == ["pretrain-seed0", "intermediate-qqp-en-n100-seed0"]
    assert all("after-qqp" in name for name in ran[2:])
    assert len(ran) == 2 + 2 * 2
    # Once is enough, and it may be pruned again.
    runner.run(more, jobs.kinds())
    assert len(jobs.ran()) == count + len(ran)
    assert len(found_in(more)) == 4


def test_what_something_unfinished_needs_stays(study, tmp_path):
    jobs = Saving(tmp_path / "log", fail="evaluate-panx-fi")
    with pytest.raises(runner.StudyFailed):
        runner.run(study, jobs.kinds())
    assert {one.name for one in found_in(study)} == {"pretrain-seed0", "finetune-panx-en-seed0"}
    prune(study)
    runner.run(study, Saving(tmp_path / "log").kinds(), again=True)
    assert jobs.ran().count("finetune-panx-fi-seed0") == 1
    assert jobs.ran().count("pretrain-seed0") == 1


def test_nothing_is_deleted_while_a_stage_is_run(study, tmp_path):
    runner.run(study, Saving(tmp_path / "log").kinds())
    found = found_in(study)
    with (
        store.claim(folders(study)["evaluate-panx-en-seed0"]),
        pytest.raises(UserError, match="is being run and may read what would be deleted"),
    ):
        pruning.prune(store.root_of(study), found)
    assert found_in(study) == found


def test_a_deletion_that_was_cut_off_is_ended_later(study, tmp_path, monkeypatch):
    jobs = Saving(tmp_path / "log")
    runner.run(study, jobs.kinds())

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr("mt5x.checkpoints.deletion.delete", killed)
        with pytest.raises(KeyboardInterrupt):
            prune(study, "finetune*")
    assert [one.name for one in found_in(study, "finetune*")] == ["pretrain-seed0"]
    # What is left of it is not taken for the checkpoint of the training that comes after.
    more = dataclasses.replace(study, intermediates=[QQP])
    runner.run(more, jobs.kinds())
    assert jobs.ran().count("pretrain-seed0") == 2


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A gin file of the study, all of which is done."""
    file = tmp_path / "toy.gin"
    file.write_text(
        f"""
from __gin__ import dynamic_registration
from mt5x.studies import plan
plan.Study:
  name = 'toy'
  question = '?'
  model = 't5x_configs/models/mt5_tiny.gin'
  data_dir = '{tmp_path}/data'
  output_dir = '{tmp_path}/out'
  transfers = [@plan.Transfer()]
  pretraining = {{'TRAIN_STEPS': 5, 'MIXTURE_OR_TASK_NAME': 'mc4_span_corruption',
    'TASK_FEATURE_LENGTHS': {{'inputs': 8, 'targets': 8}}}}
  finetuning = {{'TRAIN_STEPS_RELATIVE': 3, 'TASK_FEATURE_LENGTHS': {{'inputs': 8, 'targets': 8}}}}
plan.Transfer:
  task = 'panx'
  languages = ['en', 'fi']
  mixture = 'panx_zeroshot.{{source}}'
  train_task = 'panx_train.{{language}}'
  eval_task = 'panx_eval.{{language}}'
"""
    )
    config.load([str(file)])
    runner.run(config.call(Study), Saving(tmp_path / "log").kinds())
    return file


def test_the_command_lists_and_deletes_only_when_told_to(finished, capsys):
    assert main.main(["study", "prune", str(finished), "--keep", "pre*"]) == 0
    told = capsys.readouterr().out
    assert "finetune-panx-en-seed0      0.000 GB" in told
    assert "in 2 stages; add --yes to delete them" in told
    assert main.main(["study", "prune", str(finished), "--yes"]) == 0
    assert "deleted; the results stay" in capsys.readouterr().out
    assert main.main(["study", "prune", str(finished), "--yes"]) == 0
    assert "no checkpoint is there" in capsys.readouterr().out


STATES = (store.DONE, store.PRUNED, store.RUNNING, store.FAILED, store.WAITING)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Stage], dict[str, str]]:
    stages: list[Stage] = []
    states: dict[str, str] = {}
    for place in range(draw(st.integers(1, 8))):
        parents = draw(st.sets(st.sampled_from(sorted(states)), max_size=2)) if states else ()
        name = f"stage{place}"
        stages.append(Stage(name, TRAIN, (), {}, tuple(sorted(parents)), 0, "task"))
        states[name] = draw(st.sampled_from(STATES))
    return stages, states


@given(graphs())
def test_what_is_to_do_is_what_can_be_and_is_needed(graph):
    stages, states = graph
    by_name = {one.name: one for one in stages}
    found = {one.name for one in outstanding.to_do(stages, states)}

    def possible(name: str) -> bool:
        if states[name] in (store.DONE, store.RUNNING):
            return True
        return states[name] != store.FAILED and all(map(possible, by_name[name].parents))

    for one in stages:
        waits_for_it = any(
            one.name in other.parents and other.name in found and states[other.name] != "running"
            for other in stages
        )
        expected = {
            store.DONE: False,
            store.FAILED: False,
            store.RUNNING: True,
            store.WAITING: possible(one.name),
            store.PRUNED: possible(one.name) and waits_for_it,
        }
        assert (one.name in found) == expected[states[one.name]], one.name


def test_all_that_is_to_do_is_done_in_the_end():
    # A chain of which only the ends are known: all between is done again, parents first.
    names = ["s0", "s1", "s2", "s3"]
    parents = [(), ("s0",), ("s1",), ("s2",)]
    stages = [
        Stage(name, TRAIN, (), {}, before, 0, "task")
        for name, before in zip(names, parents, strict=True)
    ]
    states = dict.fromkeys(names, store.PRUNED) | {"s3": store.WAITING}
    assert [one.name for one in outstanding.to_do(stages, states)] == names
