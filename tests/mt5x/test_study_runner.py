"""Runners of a study: failures stop only what needs them, and no stage is run twice."""

import dataclasses
import json
import multiprocessing
import os
import random
import signal
from pathlib import Path

import gin
import pytest

from mt5x import config
from mt5x.errors import UserError
from mt5x.studies import flips, runner, sharing, status, store
from mt5x.studies.expansion import expand
from mt5x.studies.plan import Base, Intermediate, Study, Transfer
from mt5x.studies.results import read_rows
from mt5x.studies.stage import EVALUATE, Stage
from tests.mt5x.toy_study import PANX, QQP, Jobs, study_in, table_of


@pytest.fixture(autouse=True)
def _clean_gin():
    yield
    gin.clear_config()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return study_in(tmp_path)


def names(stages: list[Stage]) -> list[str]:
    return [stage.name for stage in stages]


def test_paths_share_what_they_have_in_common(study, tmp_path):
    declared = dataclasses.replace(study, intermediates=[QQP])
    stages = expand(declared)
    found = names(stages)
    assert [name for name in found if name.startswith("finetune-panx-en")] == [
        "finetune-panx-en-seed0",
        "finetune-panx-en-after-qqp-en-seed0",
        "finetune-panx-en-after-qqp-en-n100-seed0",
    ]
    by_name = {stage.name: stage for stage in stages}
    cut = by_name["intermediate-qqp-en-n100-seed0"]
    assert cut.macros["MIXTURE_OR_TASK_NAME"] == "qqp_train.en:n100"
    tuned = by_name["finetune-panx-fi-after-qqp-en-n100-seed0"]
    assert tuned.parents == (cut.name,)
    assert (cut.macros["STEP_OFFSET"], tuned.macros["STEP_OFFSET"]) == (5, 8)
    scored = by_name["evaluate-panx-fi-after-qqp-en-n100-seed0"]
    assert (scored.condition.intermediate, scored.condition.intermediate_size) == ("qqp", 100)
    # Six models are evaluated: 5 + 3 steps for each of two, and 5 + 3 + 3 for each of four.
    counted = sharing.sharing(stages)
    assert counted.steps == 5 + 2 * 3 + 6 * 3
    assert counted.naive_steps == 5 + 2 * 8 + 4 * 11
    assert counted.steps < counted.naive_steps / 2


def test_shots_noise_and_several_sources(study):
    transfer = dataclasses.replace(
        PANX,
        mixture="panx_from.{source}",
        sources=["en", "en+fi"],
        languages=["en", "fi", "sw"],
        shots=(4, 16),
        few_shot_mixture="panx_train.{language}:n{shots}",
        few_shot_macros={"TRAIN_STEPS_RELATIVE": 2},
        perturbations=("typos10",),
    )
    stages = {one.name: one for one in expand(dataclasses.replace(study, transfers=[transfer]))}
    two = stages["finetune-panx-en+fi-seed0"]
    assert two.macros["MIXTURE_OR_TASK_NAME"] == "panx_from.en_fi"
    shots = [name for name in stages if name.startswith("few_shot-panx-en-")]
    assert shots == [
        f"few_shot-panx-en-{target}-{k}shots-seed0" for k in (4, 16) for target in ("fi", "sw")
    ]
    # A source's own languages get no shots.
    assert "few_shot-panx-en+fi-sw-4shots-seed0" in stages
    assert "few_shot-panx-en+fi-fi-4shots-seed0" not in stages
    few = stages["evaluate-panx-en-sw-4shots-seed0"]
    assert few.macros["EVALUATOR_ONLY"] == ["panx_eval.sw"]
    assert few.condition.shots == 4
    noisy = stages["evaluate-panx-en-typos10-seed0"]
    assert noisy.macros["MIXTURE_OR_TASK_NAME"] == "panx_from.en:typos10"
    assert noisy.macros["EVALUATOR_ONLY"][0] == "panx_eval.en:typos10"
    assert (noisy.condition.perturbation, noisy.condition.strength) == ("typos", 10)
    assert noisy.condition.shots is None
    assert noisy.compared_with == "evaluate-panx-en-seed0"
    assert noisy.compared_with in noisy.parents


def test_sizes_of_the_source(study):
    cut = dataclasses.replace(PANX, mixture="panx_zeroshot.{source}{size}", sizes=(10, None))
    stages = {one.name: one for one in expand(dataclasses.replace(study, transfers=[cut]))}
    few = stages["finetune-panx-en-n10-seed0"]
    assert few.macros["MIXTURE_OR_TASK_NAME"] == "panx_zeroshot.en:n10"
    assert stages["evaluate-panx-en-n10-seed0"].condition.source_size == 10
    assert stages["evaluate-panx-en-seed0"].condition.source_size is None


def test_a_model_is_evaluated_as_it_is_where_nothing_is_tuned(study):
    retrieval = Transfer(
        task="tatoeba",
        languages=["de"],
        mixture=None,
        train_task=None,
        eval_task="tatoeba_eval.{language}",
        evaluated="tatoeba_eval",
        split="test",
    )
    declared = dataclasses.replace(study, transfers=[retrieval], intermediates=[QQP])
    stages = {one.name: one for one in expand(declared)}
    plain, after = (
        stages["evaluate-tatoeba-seed0"],
        stages["evaluate-tatoeba-after-qqp-en-n100-seed0"],
    )
    assert plain.parents == ("pretrain-seed0",)
    assert after.parents == ("intermediate-qqp-en-n100-seed0",)
    assert after.source is None


def test_a_released_checkpoint_and_several_bases(study):
    bases = [
        Base("small", "t5x_configs/models/mt5_small.gin", checkpoint="gs://here/small"),
        Base("base", "t5x_configs/models/mt5_base.gin", checkpoint="gs://here/base"),
    ]
    declared = dataclasses.replace(study, model=None, pretraining=None, bases=bases)
    stages = {one.name: one for one in expand(declared)}
    tuned = stages["finetune-panx-en-base-seed0"]
    assert tuned.macros["INITIAL_CHECKPOINT_PATH"] == "gs://here/base"
    assert tuned.parents == ()
    assert stages["evaluate-panx-en-small-seed0"].condition.model == "small"
    assert sum(one.kind == "majority_baseline" for one in stages.values()) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": None}, "needs a model or several bases"),
        ({"pretraining": None}, "needs a checkpoint"),
        ({"without_intermediate": False}, "has no path"),
        ({"transfers": [dataclasses.replace(PANX, perturbations=("typos",))]}, "no kind and str"),
        (
            {"transfers": [PANX, dataclasses.replace(PANX, macros={"BATCH_SIZE": 2})]},
            "two different stages called finetune-panx-en-seed0",
        ),
    ],
)
def test_a_declaration_that_cannot_be_is_refused_in_a_sentence(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        expand(study_in(tmp_path, **changes))


def test_sizes_need_a_place_in_the_mixture():
    with pytest.raises(UserError, match=r"write '\{size\}' into its mixture"):
        Intermediate("qqp", "qqp_train.{language}", sizes=(10,))


def test_one_seed_of_pretraining_for_all(study):
    declared = dataclasses.replace(study, seeds=(0, 1, 2), pretraining_seed=7)
    found = names(expand(declared))
    assert found.count("pretrain-seed7") == 1
    assert not {"pretrain-seed0", "pretrain-seed1"} & set(found)
    assert "finetune-panx-fi-seed2" in found


def test_another_study_runs_only_what_is_new_to_it(study, tmp_path):
    jobs = Jobs(tmp_path / "log")
    runner.run(dataclasses.replace(study, intermediates=[QQP]), jobs.kinds())
    before = jobs.ran()
    other = dataclasses.replace(
        study,
        name="other",
        output_dir=str(tmp_path / "other"),
        transfers=[dataclasses.replace(PANX, perturbations=("typos10",))],
        intermediates=[dataclasses.replace(QQP, sizes=(None, 50))],
    )
    rows = read_rows(runner.run(other, jobs.kinds()))
    assert sorted(set(jobs.ran()) - set(before)) == sorted(jobs.ran()[len(before) :])
    new = jobs.ran()[len(before) :]
    assert all("n50" in name or "typos10" in name for name in new)
    assert len(new) == 1 + 2 * 2 + 2 * 3
    # The rows are this study's, also of what the other ran.
    assert {row.study for row in rows} == {"other"}


def test_a_stage_is_found_under_whatever_name_it_was_run(study, tmp_path):
    jobs = Jobs(tmp_path / "log")
    runner.run(study, jobs.kinds())
    count = len(jobs.ran())
    renamed = dataclasses.replace(study, transfers=[dataclasses.replace(PANX, task="entities")])
    rows = read_rows(runner.run(renamed, jobs.kinds()))
    assert len(jobs.ran()) == count
    assert "entities" in {row.task for row in rows}


def test_a_failure_stops_only_what_needs_it_and_is_told(study, tmp_path, capsys):
    jobs = Jobs(tmp_path / "log", fail="finetune-panx-en")
    with pytest.raises(runner.StudyFailed) as raised:
        runner.run(study, jobs.kinds())
    told = str(raised.value)
    assert "1 stage failed, and 1 that need what it gives were not run" in told
    assert "finetune-panx-en-seed0: no memory for finetune-panx-en" in told
    assert "alone: mt5x train --gin_file=t5x_configs/models/mt5_tiny.gin" in told
    assert "evaluate-panx-fi-seed0" in jobs.ran()
    assert "evaluate-panx-en-seed0" not in jobs.ran()
    rows = read_rows(Path(study.output_dir) / "results.jsonl")
    assert {row.source for row in rows if row.task == "panx"} == {None, "fi"}
    stages = expand(study)
    page = status.page(stages, store.folders_of(study, stages))
    assert "failed   finetune-panx-en-seed0: no memory" in page
    assert "5 of 7 stages are done" in page
    # Run again, it is not tried; retried, it is.
    with pytest.raises(runner.StudyFailed):
        runner.run(study, Jobs(tmp_path / "log").kinds())
    assert "finetune-panx-en-seed0" not in jobs.ran()
    runner.run(study, Jobs(tmp_path / "log").kinds(), again=True)
    assert sorted(jobs.ran()) == sorted(names(stages))
    assert "all 7 stages are done" in status.page(stages, store.folders_of(study, stages))


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (UserError("a file\nis missing"), "a file is missing"),
        (MemoryError(), "out of memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: 5 GiB"), "out of memory .*`mt5x plan` says what fits"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)
def test_causes_are_a_line(error, cause):
    import re

    assert re.match(cause, runner.cause_of(error))


def run_in_process(folder: str, seconds: float) -> None:
    declared = study_in(Path(folder), intermediates=[QQP])
    runner.run(declared, Jobs(Path(folder) / "log", seconds).kinds())


def started(folder: Path, seconds: float) -> multiprocessing.process.BaseProcess:
    process = multiprocessing.get_context("spawn").Process(
        target=run_in_process, args=(str(folder), seconds)
    )
    process.start()
    return process


def left_alone(folder: Path) -> None:
    process = started(folder, 0.0)
    process.join(120)
    assert process.exitcode == 0


def test_two_runners_never_run_a_stage_twice_nor_lose_a_row(tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    for folder in (alone, together):
        (folder / "data").mkdir(parents=True)
    left_alone(alone)
    runners = [started(together, 0.15) for _ in range(2)]
    for process in runners:
        process.join(120)
        assert process.exitcode == 0
    ran = (together / "log").read_text().split()
    assert sorted(ran) == sorted((alone / "log").read_text().split())
    assert len(ran) == len(set(ran))
    assert table_of(together) == table_of(alone)


def test_killed_at_any_moment_it_ends_with_the_same_table(tmp_path):
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    for folder in (alone, killed):
        (folder / "data").mkdir(parents=True)
    left_alone(alone)
    moments = random.Random(0)
    kills = 0
    while True:
        process = started(killed, 0.2)
        process.join(moments.uniform(2.5, 4.5) if kills < 3 else 120)
        if process.exitcode is not None:
            break
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        kills += 1
    assert process.exitcode == 0
    assert kills
    assert table_of(killed) == table_of(alone)


def predictions(folder: Path, task: str, said: list[str], gold: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    lines = (
        json.dumps({"inputs": "", "targets": wanted, "prediction": one})
        for one, wanted in zip(said, gold, strict=True)
    )
    (folder / f"{task}-000012-predictions.jsonl").write_text("\n".join(lines) + "\n")


def test_flips_are_counted_by_class(tmp_path):
    clean, noisy = tmp_path / "clean", tmp_path / "noisy"
    gold = ["yes", "yes", "no", "no"]
    predictions(clean, "xnli_eval.sw", ["yes", "no", "no", "no"], gold)
    predictions(noisy, "xnli_eval.sw:typos10", ["no", "no", "no", "yes"], gold)
    figures = {"sw": {"accuracy": 25.0, "num_examples": 4, "step": 12}}
    found = flips.with_flips(figures, noisy, clean)
    assert found["sw"] == figures["sw"] | {"flips": 50.0, "flips_yes": 50.0, "flips_no": 50.0}
    # Free text has no classes.
    many = [str(number) for number in range(9)]
    predictions(clean, "tydiqa_eval.sw", many, many)
    predictions(noisy, "tydiqa_eval.sw:typos10", ["x", *many[1:]], many)
    (clean / "xnli_eval.sw-000012-predictions.jsonl").unlink()
    (noisy / "xnli_eval.sw:typos10-000012-predictions.jsonl").unlink()
    assert flips.with_flips({"sw": {}}, noisy, clean) == {"sw": {"flips": pytest.approx(100 / 9)}}
    predictions(noisy, "tydiqa_eval.sw:typos10", many[:5], many[:5])
    with pytest.raises(UserError, match="not of the same examples"):
        flips.with_flips({"sw": {}}, noisy, clean)


def test_an_evaluation_of_noise_tells_its_flips(study, tmp_path):
    transfer = dataclasses.replace(PANX, perturbations=("typos10",))
    declared = dataclasses.replace(study, transfers=[transfer])

    class Writes(Jobs):
        def _measure(self, title: str) -> store.Figures:
            if "] evaluate-panx" in title:
                noisy = "typos10" in title
                folder = Path(config.macro("EVAL_OUTPUT_DIR"))
                folder.mkdir(parents=True)
                task = "panx_eval.en:typos10" if noisy else "panx_eval.en"
                predictions(folder, task, ["LOC: x" if noisy else "ORG: x"], ["ORG: x"])
            return super()._measure(title)

        def kinds(self) -> dict[str, runner.Job]:
            return super().kinds() | {EVALUATE: self._measure}

    rows = read_rows(runner.run(declared, Writes(tmp_path / "log").kinds()))
    flipped = [row for row in rows if row.metric == "flips"]
    assert {(row.source, row.value, row.perturbation, row.strength) for row in flipped} == {
        ("en", 100.0, "typos", 10), ("fi", 100.0, "typos", 10),
    }  # fmt: skip
