"""`mt5x study`: its actions on the command line, workers side by side, and the study files."""

import json
import os
import random
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import gin
import pytest
import seqio

import tasks  # noqa: F401 - registers the mixtures.
from mt5x import config
from mt5x.errors import UserError
from mt5x.studies import picture, plan, sharing, stage_key, workers
from mt5x.studies.expansion import expand
from mt5x.studies.plan import Study
from mt5x.studies.results import read_rows
from mt5x.studies.stage import EVALUATE, TRAIN
from scripts import main
from tasks.sample_world import writing
from tasks.sample_world.world import Settings

FOLDER = Path(config.INSTALLATION_ROOT) / "t5x_configs" / "studies"
# Included by others, and no studies by themselves.
SHARED = ("sample_world", "targets", "ten_languages", "real/real_world")
# How often the slow test kills a study that is running.
KILLS = 10
STUDIES = sorted(
    {f"{folder}{path.stem}" for folder in ("", "real/") for path in (FOLDER / folder).glob("*.gin")}
    - {*SHARED}
)
SIX = (
    "intermediate_size", "intermediate_language", "source_languages", "nine_intermediate_tasks",
    "adversarial", "language_pairs",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _clean_gin():
    yield
    gin.clear_config()


def study_of(name: str) -> Study:
    gin.clear_config()
    config.load([f"t5x_configs/studies/{name}.gin"])
    found: Study = config.call(plan.Study)
    return found


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_stages_whose_mixtures_are_there(name):
    study = study_of(name)
    assert study.name == Path(name).name
    trained, evaluated = set(), set()
    for stage in expand(study):
        if stage.kind == TRAIN:
            trained.add(stage.macros["MIXTURE_OR_TASK_NAME"])
        if stage.kind == EVALUATE:
            mixture = stage.macros["MIXTURE_OR_TASK_NAME"]
            evaluated.add((mixture, tuple(stage.macros["EVALUATOR_ONLY"]), stage.macros["SPLIT"]))
    for mixture in trained:
        assert "train" in {s for t in seqio.get_subtasks(found(mixture)) for s in t.splits}
    for mixture, only, split in evaluated:
        splits = {task.name: task.splits for task in seqio.get_subtasks(found(mixture))}
        assert all(split in splits[task] for task in only), (mixture, only)


def found(mixture: str):
    return seqio.get_mixture_or_task(mixture)


@pytest.mark.parametrize("name", SIX)
def test_the_six_say_their_command_and_begin_with_one_pretraining(name):
    text = (FOLDER / f"{name}.gin").read_text(encoding="utf-8")
    assert f"mt5x study run t5x_configs/studies/{name}.gin" in text
    stages = expand(study_of(name))
    assert sum(stage.name.startswith("pretrain") for stage in stages) == 1


def test_the_nine_tasks_take_half_the_steps_that_they_would_without_sharing():
    counted = sharing.sharing(expand(study_of("nine_intermediate_tasks")))
    assert counted.steps < counted.naive_steps / 2


def test_the_study_of_noise_finds_what_the_nine_tasks_did(tmp_path):
    keys = {}
    for name in ("nine_intermediate_tasks", "adversarial"):
        stages = expand(study_of(name))
        keys[name] = stage_key.keys(stages, tmp_path)
    nine, noise = keys["nine_intermediate_tasks"], keys["adversarial"]
    common = {name for name in noise if nine.get(name) == noise[name]}
    assert common == {
        "pretrain-seed0", "majority_baseline-xnli-seed0",
        "finetune-xnli-en-seed0", "evaluate-xnli-en-seed0",
    }  # fmt: skip
    assert set(nine.values()) & set(noise.values()) == {noise[name] for name in common}


def test_a_plan_is_a_table_a_sum_and_a_picture(tmp_path, capsys):
    out = tmp_path / "out"
    file = "t5x_configs/studies/adversarial.gin"
    assert main.main(["study", "plan", file, f"--gin.Study.output_dir={out}"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^evaluate-xnli-en-typos10-after-panx-es-seed0 +after fine", shown, re.M)
    assert re.search(r"79 jobs and [\d,]+ training steps; without sharing [\d,]+ jobs", shown)
    drawn = ET.fromstring((out / "plan.svg").read_text(encoding="utf-8"))
    labels = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "intermediate panx" in labels
    assert "evaluate xnli, homoglyphs" in labels
    assert "5 x, 1,250 steps" in labels


def test_boxes_stand_behind_all_that_they_need():
    for name in SIX:
        boxes = {box.label: box for box in picture.boxes(expand(study_of(name)))}
        for box in boxes.values():
            assert all(boxes[parent].column < box.column for parent in box.parents)


TINY = """
from __gin__ import dynamic_registration
from mt5x.studies import plan
include 't5x_configs/studies/sample_world.gin'

plan.Study:
  name = 'tiny'
  question = 'Does it run?'
  data_dir = '{folder}/world'
  output_dir = '{folder}/out'
  transfers = [@panx/plan.Transfer()]
  pretraining = {{
    'MIXTURE_OR_TASK_NAME': 'mc4_span_corruption',
    'TASK_FEATURE_LENGTHS': {{'inputs': 32, 'targets': 9}},
    'PACK': False, 'BATCH_SIZE': 8, 'TRAIN_STEPS': 4, 'CHECKPOINT_PERIOD': 2,
  }}
panx/plan.Transfer:
  languages = ['en', 'fi']
  sources = ['en', 'fi']
  mixture = 'panx_zeroshot.{{source}}'
  macros = {{
    'TASK_FEATURE_LENGTHS': {{'inputs': 16, 'targets': 12}}, 'BATCH_SIZE': 8,
    'TRAIN_STEPS_RELATIVE': 4, 'CHECKPOINT_PERIOD': 2, 'STEP_OFFSET': 4,
  }}
  perturbations = ['typos30']
"""


@pytest.fixture(scope="module")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "world"
    writing.write(Settings(size="small"), folder, lambda name, done, total: None)
    return folder


@pytest.fixture
def tiny(tmp_path: Path, small_world: Path) -> Path:
    (tmp_path / "world").symlink_to(small_world)
    file = tmp_path / "tiny.gin"
    file.write_text(TINY.format(folder=tmp_path))
    return file


def test_nothing_to_report_is_said(tiny, capsys):
    assert main.main(["study", "report", str(tiny)]) == 2
    assert "no stage of the study tiny is done" in capsys.readouterr().err
    assert main.main(["study", "status", str(tiny)]) == 0
    shown = capsys.readouterr().out
    assert "0 of 8 stages are done" in shown
    assert "next     pretrain-seed0" in shown


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "scripts.main", "study", *arguments]


def table_of(folder: Path) -> str:
    text = (folder / "out" / "results.jsonl").read_text(encoding="utf-8")
    # Whoever works on the checkout meanwhile changes nothing else.
    return re.sub(r'"git_commit": ("[^"]*"|null)', "", text)


def killed_until_done(file: Path, moments: random.Random, taken: float) -> list[float]:
    """Runs a study, killed at random moments, until one run is left alone; when it was killed."""
    killed: list[float] = []
    while True:
        process = subprocess.Popen(
            command("run", str(file)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        moment = moments.uniform(0.2, 0.7) * taken
        try:
            assert process.wait(timeout=moment) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            killed.append(round(moment, 1))
        else:
            return killed


@pytest.mark.slow
def test_killed_at_any_moment_and_by_several_at_once_a_study_ends_alike(tmp_path, small_world):
    """A real study left alone, one killed again and again, and one of two workers: one table."""

    def study_in(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "world").symlink_to(small_world)
        (folder / "tiny.gin").write_text(TINY.format(folder=folder))
        return folder

    alone = study_in("alone")
    begin = time.monotonic()
    subprocess.run(command("run", str(alone / "tiny.gin")), check=True, capture_output=True)
    taken = time.monotonic() - begin
    rows = read_rows(alone / "out" / "results.jsonl")
    noisy = [row for row in rows if row.perturbation == "typos"]
    assert {row.metric for row in noisy} == {"span_f1", "flips"}
    page = (alone / "out/report/index.html").read_text(encoding="utf-8")
    assert "What noise costs" in page

    moments = random.Random(0)
    killed: list[float] = []
    while len(killed) < KILLS:
        folder = study_in(f"killed_{len(killed)}")
        killed += killed_until_done(folder / "tiny.gin", moments, taken)
        assert table_of(folder) == table_of(alone), f"killed after {killed} s"
    print(f"left alone it took {taken:.1f} s; killed after {killed} s")

    together = study_in("together")
    done = subprocess.run(
        command("run", str(together / "tiny.gin"), "--workers=2"),
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert table_of(together) == table_of(alone)


@pytest.mark.parametrize("count", [0, 10_000])
def test_more_workers_than_cores_are_refused(count, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(UserError, match=r"there are .* here, one each at least"):
        workers.devices(count)


def test_each_worker_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert [variables for _, variables in workers.devices(2)] == [
        {"CUDA_VISIBLE_DEVICES": "2"}, {"CUDA_VISIBLE_DEVICES": "5"},
    ]  # fmt: skip
    with pytest.raises(UserError, match="there are 2 GPUs here"):
        workers.devices(3)


def test_workers_have_the_cores_between_them(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    cores = len(os.sched_getaffinity(0))
    count = min(2, cores)
    said = "import os; print(sorted(os.sched_getaffinity(0)))"
    workers.run([sys.executable, "-c", said], count, tmp_path)
    shares = [json.loads((tmp_path / f"worker-{n}.log").read_text()) for n in range(count)]
    assert sorted(core for share in shares for core in share) == sorted(os.sched_getaffinity(0))


def test_a_worker_that_fails_is_told_when_all_have_ended(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    code = "import sys; print('mt5x: 1 stage failed', file=sys.stderr); sys.exit(2)"
    with pytest.raises(UserError, match=r"1 stage failed \(whole in .*worker-0.log\)"):
        workers.run([sys.executable, "-c", code], 1, tmp_path)
