"""A study's stages as jobs of other machines: the same records and table as in-process."""

import dataclasses
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gin
import pytest

from mt5x.errors import UserError
from mt5x.launch.job import Ended, Job, JobFailed, tell
from mt5x.launch.on_cluster import OnCluster
from mt5x.launch.on_slice import OnSlice
from mt5x.studies import accelerators, handed_over, store
from mt5x.studies.plan import Study
from mt5x.studies.results import ResultRow, read_rows, write_rows
from mt5x.studies.store import Figures
from scripts import main
from tests.conftest import REPOSITORY
from tests.mt5x.toy_study import PANX, study_in


@pytest.fixture(autouse=True)
def _clean_gin():
    yield
    gin.clear_config()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return study_in(tmp_path, transfers=[dataclasses.replace(PANX, languages=["fi", "en"])])


def baseline(title: str) -> Figures:
    return {"en": {"score": 50.0, "num_examples": 10, "step": 0}}


HERE = {"majority_baseline": baseline}


def write_outputs(job: Job, folder: Path) -> None:
    """What `mt5x evaluate` and `mt5x lm-stats` leave in their folders."""
    folder.mkdir(parents=True, exist_ok=True)
    if job.arguments[0] == "evaluate":
        for value, language in ((40.0, "en"), (60.0, "fi")):
            scores = {"step": 2, "num_examples": 7, "span_f1": value}
            (folder / f"panx_eval.{language}-000002-metrics.json").write_text(json.dumps(scores))
    if job.arguments[0] == "lm-stats":
        (out,) = (one.partition("=")[2] for one in job.arguments if one.startswith("--out="))
        row = ResultRow("lm-stats", "lm_statistics", 0, "mc4", None, "en", "validation",
                        "lm_nll", 3.5, 12, 1)  # fmt: skip
        write_rows(folder / Path(out).name, [row])


class Machines:
    """Stands in for other machines: notes jobs, and leaves what they would have left."""

    data_dir: str | None = None
    accelerator: accelerators.Accelerator | None = None

    def __init__(self, fail_at: str | None = None) -> None:
        self.jobs: list[Job] = []
        self._fail_at = fail_at

    def place(self, folder: Path) -> str:
        return str(folder)

    def run(self, jobs: Sequence[Job], folders: Mapping[str, Path], ended: Ended) -> None:
        for job in jobs:
            if self._fail_at and job.name.startswith(self._fail_at):
                tell([JobFailed(job, "exit code 2", "")], {})
            self.jobs.append(job)
            write_outputs(job, folders[job.name])
            ended(job)


def test_stages_are_commands_in_order_and_their_outputs_the_table(study):
    machines = Machines()
    rows = read_rows(handed_over.run(study, HERE, machines))
    assert [job.arguments[0] for job in machines.jobs] == [
        "train", "lm-stats", "train", "evaluate", "train", "evaluate",
    ]  # fmt: skip
    pretrain, statistics, tune, test, *_ = machines.jobs
    assert (pretrain.after, statistics.after, tune.after) == ((), *2 * ((pretrain.name,),))
    assert test.after == (tune.name,)
    # The flags of `mt5x evaluate`, readable as they are.
    folder = store.folders_of(study, [])
    assert not folder
    assert f"--tfds_data_dir={study.data_dir}" in test.arguments
    assert "--gin_file=t5x_configs/runs/evaluate.gin" in test.arguments
    (checkpoint,) = (one for one in test.arguments if one.startswith("--gin.CHECKPOINT_PATH="))
    assert checkpoint.endswith(f"/stages/{tune.name}'")
    found = {(row.stage, row.target, row.metric): row.value for row in rows}
    assert found["evaluate-panx-fi-seed0", "fi", "span_f1"] == 60.0
    assert found["lm_statistics", "en", "lm_nll"] == 3.5
    assert found["majority_baseline", "en", "score"] == 50.0
    # Nothing is done twice.
    again = Machines()
    handed_over.run(study, HERE, again)
    assert again.jobs == []


def test_what_was_pruned_and_is_needed_is_another_job(study):
    first, more = Machines(), Machines()
    handed_over.run(study, HERE, first)
    tuned = next(job.name for job in first.jobs if job.name.startswith("finetune-panx-en"))
    store.give_up_output(store.root_of(study) / tuned)
    few = dataclasses.replace(
        study.transfers[0],
        sources=["en"],
        shots=(2,),
        few_shot_mixture="panx_train.{language}:n{shots}",
        few_shot_macros={"TRAIN_STEPS_RELATIVE": 1},
    )
    handed_over.run(dataclasses.replace(study, transfers=[few]), HERE, more)
    again, shots, _ = more.jobs
    # A queue that knows the job of the first time does not take it for this one.
    assert again.name == f"{tuned}-again1"
    assert shots.after == (again.name,)


def test_what_ended_well_before_a_failure_is_kept(study):
    failing, rest = Machines(fail_at="evaluate-panx-fi"), Machines()
    with pytest.raises(JobFailed, match=r"evaluate-panx-fi-seed0-[0-9a-f]+ failed: exit code 2"):
        handed_over.run(study, HERE, failing)
    handed_over.run(study, HERE, rest)
    assert [job.arguments[0] for job in rest.jobs] == ["evaluate", "train", "evaluate"]
    # Of what is done nothing is waited for.
    assert [len(job.after) for job in rest.jobs] == [0, 0, 1]


class Held:
    """Stands in for `tpu.HeldSlice`."""

    def __init__(self, fail_at: str = "-") -> None:
        self.ran: list[Job] = []
        self.fetched: list[tuple[str, Path]] = []
        self._fail_at = fail_at

    def __enter__(self) -> "Held":
        return self

    def __exit__(self, *exception: object) -> None:
        self.ran.append(Job("deleted", ()))

    def run(self, job: Job) -> None:
        if job.name.startswith(self._fail_at):
            raise JobFailed(job, "exit code 139", "Segmentation fault")
        self.ran.append(job)

    def fetch(self, folder: str, local: Path) -> None:
        self.fetched.append((folder, local))
        write_outputs(self.ran[-1], local)


def on_slice(held: Any, name: str = "v5e-8") -> OnSlice:
    accelerator = accelerators.named(name)
    return OnSlice(lambda: held, "gs://bucket/toy/", "gs://bucket/tfds", accelerator)


def test_on_a_slice_the_folders_are_in_the_bucket_and_what_was_written_is_fetched(study):
    held = Held()
    rows = read_rows(handed_over.run(study, HERE, on_slice(held)))
    assert len({row.stage for row in rows}) == 4
    train = held.ran[0]
    assert f"--gin.MODEL_DIR='gs://bucket/toy/{train.name}'" in train.arguments
    assert "--tfds_data_dir=gs://bucket/tfds" in train.arguments
    out = store.root_of(study)
    assert held.fetched[0] == (f"gs://bucket/toy/{train.name}", out / train.name)
    assert held.ran[-1].name == "deleted"
    assert len(held.ran) == 7


def test_on_a_slice_a_failure_stops_what_depends_on_it_alone(study):
    held = Held(fail_at="finetune-panx-fi")
    with pytest.raises(UserError) as error:
        handed_over.run(study, HERE, on_slice(held))
    assert "finetune-panx-fi-seed0-" in str(error.value)
    assert "Segmentation fault" in str(error.value)
    assert "\nnot run: evaluate-panx-fi-seed0-" in str(error.value)
    names = [job.name for job in held.ran]
    assert any(name.startswith("evaluate-panx-en") for name in names)
    assert names[-1] == "deleted"


def test_stages_are_made_to_fit_and_what_cannot_is_refused_before_anything_runs(study):
    odd = dataclasses.replace(study, finetuning={**study.finetuning, "BATCH_SIZE": 14})
    held = Held()
    handed_over.run(odd, HERE, on_slice(held))
    tunings = [job for job in held.ran if job.name.startswith("finetune")]
    assert len(tunings) == 2
    # 14 rows over eight chips.
    assert all("--gin.NUM_PARTITIONS=4" in job.arguments for job in tunings)
    pretraining = {**study.pretraining, "BATCH_SIZE": 8}
    huge = dataclasses.replace(
        study, model="t5x_configs/models/mt5_xxl.gin", pretraining=pretraining
    )
    untouched = Held()
    with pytest.raises(UserError, match=r"pretrain-seed0 \(.*does not fit v5e-4"):
        handed_over.run(huge, HERE, on_slice(untouched, "v5e-4"))
    assert untouched.ran == []


def test_lm_statistics_are_not_sent_to_several_hosts(study):
    message = r"lm_statistics-seed0-\w+ runs on one host, and here are 8"
    with pytest.raises(UserError, match=message):
        handed_over.run(study, HERE, on_slice(Held(), "v5p-64"))
    queue: Any = None
    with pytest.raises(UserError, match="runs on one host, and here are 2"):
        handed_over.run(study, HERE, OnCluster(queue, nodes=2))


@pytest.mark.parametrize(
    ("name", "hosts"),
    [("v5e-4", 1), ("v5e-8", 1), ("v5e-16", 4), ("v5p-8", 1), ("v4-16", 2), ("h100-8", 1)],
)
def test_the_hosts_of_a_slice(name, hosts):
    assert accelerators.named(name).hosts == hosts


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--", "study", "run", "x.gin"], "a study needs --bucket=gs://BUCKET/FOLDER"),
        (["--", "study", "plan", "x.gin"], "`study plan` needs no other machine"),
        (["--", "study", "fly", "x.gin"], "invalid choice: 'fly'"),
    ],
)
def test_a_study_that_cannot_be_launched_is_refused(capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(REPOSITORY)
    where = ["launch", "tpu", "--name=a", "--zone=z", "--accelerator=v5e-8"]
    monkeypatch.setattr("scripts.study.load", lambda args: None)
    try:
        code = main.main([*where, *arguments])
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    assert code == 2
    assert message in capsys.readouterr().err


BOTH_WAYS = """
import dataclasses, sys
from analysis import lm_job
from mt5x import config, evaluation
from mt5x.studies import handed_over, jobs, plan, runner
from mt5x.studies.results import read_rows
from scripts import main
from tasks import data_dir

class ThisProcess:
    data_dir = accelerator = None
    def place(self, folder):
        return str(folder)
    def run(self, jobs, folders, ended):
        for job in jobs:
            assert main.main(list(job.arguments)) == 0, job.command
            ended(job)

assert main.main(["sample-data", "--out=world", "--size=small"]) == 0
data_dir.use("world")
config.load(["study.gin"])
study = config.call(plan.Study)
kinds = {
    "train": jobs.train, "evaluate": jobs.evaluate,
    "majority_baseline": jobs.majority_baseline, "lm_statistics": lm_job.as_stage,
}
there = dataclasses.replace(study, output_dir="there", stages_dir="there/stages")
tables = [runner.run(study, kinds), handed_over.run(there, kinds, ThisProcess())]
first, second = ([dataclasses.replace(row, provenance={}) for row in read_rows(table)]
                 for table in tables)
assert len(first) > 6
assert first == second, (first, second)
"""

STUDY = """
from __gin__ import dynamic_registration
from mt5x.studies import plan
include 't5x_configs/studies/quickstart.gin'

plan.Study:
  data_dir = 'world'
  output_dir = 'here'
  transfers = [@panx/plan.Transfer()]
  pretraining = {
    'MIXTURE_OR_TASK_NAME': 'mc4_span_corruption',
    'TASK_FEATURE_LENGTHS': {'inputs': 32, 'targets': 9},
    'PACK': False, 'BATCH_SIZE': 8, 'TRAIN_STEPS': 2,
  }
  finetuning = {
    'KEEP_BEST_METRIC': 'eval/panx_eval.{source}/span_f1', 'EVAL_PERIOD': 2, 'EVAL_STEPS': 1,
    'EVALUATOR_NUM_EXAMPLES': 8,
  }
  lm_statistics = {
    'TASK_FEATURE_LENGTHS': {'inputs': 32, 'targets': 9}, 'LANGUAGES': ['fi', 'en'],
  }
panx/plan.Transfer:
  languages = ['fi']
  macros = {
    'TASK_FEATURE_LENGTHS': {'inputs': 64, 'targets': 40}, 'BATCH_SIZE': 8,
    'TRAIN_STEPS_RELATIVE': 2,
  }
"""


@pytest.mark.slow
def test_commands_give_the_table_that_the_stages_give_in_process(tmp_path):
    (tmp_path / "study.gin").write_text(STUDY)
    done = subprocess.run(
        [sys.executable, "-c", BOTH_WAYS], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("guide", ["slurm.md", "cloud_tpu.md"])
def test_the_guides_launches_of_studies_are_taken(guide, monkeypatch, tmp_path):
    text = (REPOSITORY / "docs" / guide).read_text(encoding="utf-8")
    launches = re.findall(r"^```sh\nmt5x (launch .+?)\n```", text, re.MULTILINE | re.DOTALL)
    arguments = shlex.split(launches[-1].replace("\\\n", " "))
    taken: list[Any] = []

    def note(study: Study, elsewhere: Any) -> tuple[Path, Path]:
        taken.extend((study, elsewhere))
        return Path("results.jsonl"), Path("report")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scripts.study.run_study", note)
    assert main.main(arguments) == 0
    assert taken[0].name == "quickstart"
    assert isinstance(taken[1], OnSlice if guide == "cloud_tpu.md" else OnCluster)
    if guide == "cloud_tpu.md":
        assert taken[1].place(Path("out/stages/a-1")) == "gs://MY_BUCKET/transfer/a-1"
        assert taken[1].data_dir == "gs://MY_BUCKET/tfds"
