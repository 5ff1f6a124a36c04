"""Jobs on a Cloud TPU slice: the exact commands, and runs through all that goes wrong there."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mt5x.errors import UserError
from mt5x.launch import gcloud, gcloud_commands, tpu
from mt5x.launch.gcloud_commands import TpuSlice
from mt5x.launch.job import Job, JobFailed
from mt5x.launch.tpu import HeldSlice, Package, Patience
from scripts import main
from tests.conftest import REPOSITORY
from tests.mt5x.fake_gcloud import Fake

GOLDEN = Path(__file__).with_name("gcloud_golden.txt")
JOB = Job(
    "panx",
    (
        "train",
        "--gin_file=t5x_configs/models/mt5_base.gin",
        "--gin_file=own.gin",
        "--gin.INITIAL_CHECKPOINT_PATH=gs://t5-data/pretrained_models/t5x/mt5_base/checkpoint_1000000",
        "--gin.MODEL_DIR=gs://my-bucket/runs/panx",
        "--gin.TASK_FEATURE_LENGTHS={'inputs': 256, 'targets': 192}",
        "--tfds_data_dir=gs://my-bucket/tfds",
    ),
)
SLICE = TpuSlice("panx", "us-west4-a", "v5e-8")


@pytest.fixture
def package(tmp_path: Path) -> Package:
    wheel = tmp_path / "mt5x-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mt5x/__init__.py", "")
    for name in ("constraints.txt", "own.gin"):
        (tmp_path / name).write_text("")
    return Package(wheel, tmp_path / "constraints.txt", (tmp_path / "own.gin",))


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Fake]:
    def with_troubles(*troubles: str) -> Fake:
        fake = Fake(tmp_path / "cloud").setup(*troubles)
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        return fake

    return with_troubles


class Clock:
    """Time that passes when it is slept through, and not otherwise."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        # What runs on the workers is real.
        time.sleep(0.02)


def held(package: Package, slice_: TpuSlice = SLICE, **arguments: Any) -> HeldSlice:
    clock = Clock()
    given = {"patience": Patience(), "sleep": clock.sleep, "clock": lambda: clock.now, **arguments}
    return HeldSlice(slice_, package, ["my-bucket"], **given)


def verbs(fake: Fake) -> list[str]:
    """What was called, without looking, in order, repetitions once."""
    named = []
    for call in fake.calls:
        verb = call[3] if call[0] == "compute" else call[1]
        script = next((one for one in call if one.startswith("--command=")), "")
        if verb == "describe" or "mt5x-status" in script:
            continue
        what = {"nohup": "start", "uv venv": "install", "tail -n": "log"}
        named.append(next((name for mark, name in what.items() if mark in script), verb))
    return named


# The commands.


def test_the_commands_are_those_of_the_golden_file(package, tmp_path):
    slices = [
        SLICE,
        TpuSlice(
            "xxl", "us-east5-a", "v5p-64", project="my-project", queued=True, spot=True,
            service_account="me@example.com", network="net", subnetwork="sub", internal_ips=True,
        ),
        TpuSlice("old", "us-central2-b", "v4-16", runtime_version="tpu-ubuntu2204-base-1"),
    ]  # fmt: skip
    fetched = [gcloud_commands.fetch("gs://my-bucket/runs/panx", "runs/panx")]
    lines = []
    for one in slices:
        lines.append(f"## {one.cloud_type}, {'queued' if one.queued else 'at once'}")
        for purpose, command in tpu.steps(one, package, [JOB], fetched):
            lines += [f"# {purpose}", gcloud.shown(command)]
    text = "\n".join(lines).replace(f"{tmp_path}/", "") + "\n"
    if "REWRITE_GCLOUD_GOLDEN" in os.environ:
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_the_job_on_the_workers_is_the_same_but_for_where_buckets_are():
    (quoted,) = re.findall(r"bash -c ('.*') > /dev/null", gcloud_commands.start(JOB))
    (inner,) = shlex.split(quoted)
    job = inner.partition("mt5x-environment/bin/mt5x ")[2].partition(") > log")[0]
    arguments = shlex.split(job)
    mounted = "/tmp/mt5x-buckets/my-bucket/runs/panx"
    expected = [one.replace("gs://my-bucket/runs/panx", mounted) for one in JOB.arguments]
    assert arguments == expected
    assert gcloud_commands.buckets_of(JOB) == ["my-bucket"]
    assert gcloud_commands.folders_of(JOB) == ["gs://my-bucket/runs/panx"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "My_Slice"}, "--name=My_Slice is no name for a TPU"),
        ({"accelerator": "h200"}, "--accelerator=h200 is no TPU slice"),
        ({"accelerator": "v5e-9"}, "there is no TPU slice v5e-9"),
    ],
)
def test_what_gcloud_would_refuse_is_refused_at_once(change, message):
    with pytest.raises(UserError, match=message):
        TpuSlice(**{"name": "a", "zone": "z", "accelerator": "v5e-8", **change})


def test_an_undisturbed_run_calls_what_the_dry_run_shows(cloud, package, tmp_path):
    fake = cloud()
    with held(package) as one:
        one.run(JOB)
        one.fetch("gs://my-bucket/runs/panx", tmp_path / "fetched")
    assert verbs(fake) == ["create", "scp", "install", "start", "rsync", "delete"]
    fetched = [gcloud_commands.fetch("gs://my-bucket/runs/panx", str(tmp_path / "fetched"))]
    shown = [list(command[1:]) for _, command in tpu.steps(SLICE, package, [JOB], fetched)]
    once: list[list[str]] = []
    for call in fake.calls:
        if call not in once:
            once.append(call)
    assert sorted(once) == sorted(shown)
    assert (tmp_path / "fetched" / "step").read_text() == "100\n"
    assert fake.state == "NOT_FOUND"


# Troubles.


@pytest.mark.parametrize("queued", [False, True], ids=["node", "queued"])
def test_after_a_preemption_the_job_goes_on_from_its_checkpoint(cloud, package, queued):
    fake = cloud("slow", "preemption")
    with held(package, TpuSlice("panx", "us-west4-a", "v5e-8", queued=queued, spot=True)) as one:
        one.run(JOB)
    again = ["create", "scp", "install", "start"]
    assert verbs(fake) == [*again, "delete", *again, "delete"]
    assert {*(fake.bucket / "resumed_from").read_text().split()} <= {"50", "100"}
    assert "50" in (fake.bucket / "resumed_from").read_text().split()
    assert fake.state == "NOT_FOUND"


def test_a_job_that_stands_still_is_ended_and_goes_on(cloud, package):
    fake = cloud("slow")
    patience = Patience(stall_minutes=2)

    def sleep_and_clear(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now > 60:
            # What made it stand still has passed.
            (fake.folder / "troubles" / "slow").unlink(missing_ok=True)

    clock = Clock()
    one = held(package, patience=patience, sleep=sleep_and_clear, clock=lambda: clock.now)
    with one:
        one.run(JOB)
    assert verbs(fake) == ["create", "scp", "install", "start", "log", "start", "delete"]
    assert "50" in (fake.bucket / "resumed_from").read_text().split()
    assert clock.now >= 120


def test_failing_calls_are_made_again(cloud, package):
    fake = cloud("stockout", "describe_fails", "provisioning", "ssh_fails", "delete_fails")
    with held(package) as one:
        one.run(JOB)
    assert verbs(fake) == ["create", "create", "scp", "install", "start", "delete", "delete"]
    assert not list((fake.folder / "troubles").iterdir())
    assert fake.state == "NOT_FOUND"


def test_a_mistake_in_the_job_is_told_at_once_with_its_log_and_how_to_run_it_alone(cloud, package):
    fake = cloud("user_error")
    with pytest.raises(JobFailed) as error, held(package) as one:
        one.run(JOB)
    sentence = str(error.value)
    assert sentence.startswith("panx failed: something in it is to be put right")
    assert "  mt5x: error: no task panxx" in sentence
    assert sentence.endswith(f"to run it alone: {JOB.command}")
    assert verbs(fake).count("start") == 1
    assert fake.state == "NOT_FOUND"


def test_a_job_that_crashes_again_and_again_is_given_up(cloud, package):
    fake = cloud("crash")
    told = "panx failed: it ended with exit:139, 3 times"
    with pytest.raises(JobFailed, match=told), held(package) as one:
        one.run(JOB)
    assert verbs(fake).count("start") == 3
    assert fake.state == "NOT_FOUND"


def test_a_slice_that_is_lost_again_and_again_is_given_up(cloud, package):
    fake = cloud("slow", "preemption")
    told = "panx was lost 1 times, the last time because it is PREEMPTED"
    patience = Patience(lost_slices=0)
    with pytest.raises(UserError, match=told), held(package, patience=patience) as one:
        one.run(JOB)
    assert fake.state == "NOT_FOUND"


def test_a_queue_is_not_waited_in_for_ever(cloud, package):
    cloud().state = "CREATING"
    patience = Patience(wait_hours=2, poll_seconds=1800)
    told = "panx is still CREATING after 2 hours"
    with pytest.raises(UserError, match=told), held(package, patience=patience) as one:
        one.run(JOB)


def test_a_job_is_found_again_when_this_machine_comes_back(cloud, package):
    fake = cloud("slow")

    class PowerCut(Exception):
        pass

    def cut(seconds: float) -> None:
        time.sleep(0.02)
        if (fake.bucket / "step").exists():
            raise PowerCut

    gone = held(package, keep=True, sleep=cut)
    with pytest.raises(PowerCut), gone:
        gone.run(JOB)
    (fake.folder / "troubles" / "slow").unlink()
    before = len(fake.calls)

    def end_it(seconds: float) -> None:
        # The job that was started before ends well.
        for pid in fake.folder.glob("workers/*/mt5x-jobs/panx/pid"):
            (pid.parent / "exit").write_text("0\n")

    with held(package, sleep=end_it) as one:
        one.run(JOB)
    assert "create" not in [call[3] for call in fake.calls[before:]]
    assert verbs(fake) == ["create", "scp", "install", "start", "scp", "install", "delete"]


def test_a_slice_that_cannot_be_deleted_is_named_with_the_command(package):
    def deaf(command: gcloud_commands.Command, seconds: float) -> gcloud.Answer:
        broken = gcloud.Answer(1, err="ERROR: permission denied")
        return gcloud.Answer(0, out="READY") if "describe" in command else broken

    with pytest.raises(UserError) as error, held(package, gcloud=deaf) as one:
        one.run(JOB)
    assert "panx was NOT deleted and costs money: ERROR: permission denied" in str(error.value)
    assert "gcloud compute tpus tpu-vm delete panx --zone=us-west4-a --quiet" in str(error.value)


# A test run in the background of a script has Ctrl-C ignored, and hands that down.
HEARS_CTRL_C = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from scripts.main import main
sys.exit(main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_the_command_deletes_the_slice(cloud, package, tmp_path, number):
    fake = cloud("slow")
    arguments = [
        "launch", "tpu", "--name=panx", "--zone=us-west4-a", "--accelerator=v5e-8",
        f"--wheel={package.wheel}", "--poll_seconds=0.05", "--", *JOB.arguments,
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", HEARS_CTRL_C, *arguments],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    deadline = time.monotonic() + 60
    while not (fake.bucket / "step").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert fake.state == "NOT_FOUND"
    assert verbs(fake) == ["create", "scp", "install", "start", "delete"]


def test_what_another_call_would_not_change_is_told_at_once(package):
    calls = []

    def logged_out(command: gcloud_commands.Command, seconds: float) -> gcloud.Answer:
        calls.append(command)
        return gcloud.Answer(1, err="ERROR: You do not currently have an active account selected.")

    told = "gcloud does not say how panx is: ERROR: You do not currently have an active account"
    with pytest.raises(UserError, match=told), held(package, gcloud=logged_out) as one:
        one.run(JOB)
    # And there is nothing to delete.
    assert calls == [SLICE.describe()]


def test_a_call_that_does_not_answer_is_given_up():
    answer = gcloud.call(("sleep", "60"), 0.05)
    assert answer.code == gcloud.TIMED_OUT
    assert answer.reason == "it did not answer in time"


def test_without_gcloud_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="gcloud is not installed here"):
        gcloud.call(SLICE.describe(), 1)


# The command line.


def launch(package: Package, *arguments: str) -> int:
    slice_ = ["--name=panx", "--zone=us-west4-a", "--accelerator=v5e-8"]
    return main.main(["launch", "tpu", *slice_, f"--wheel={package.wheel}", *arguments])


def test_a_dry_run_prints_every_command_and_runs_none(package, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert launch(package, "--dry-run", "--fetch=runs/panx", "--", *JOB.arguments) == 0
    printed = capsys.readouterr().out.splitlines()
    constraints = Package(package.wheel, REPOSITORY / "constraints.txt")
    fetched = [gcloud_commands.fetch("gs://my-bucket/runs/panx", "runs/panx")]
    steps = tpu.steps(SLICE, constraints, [JOB], fetched)
    expected = [line for why, step in steps for line in (f"# {why}", gcloud.shown(step))]
    assert printed == expected


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (
            [],
            "after -- is to come the job, train, evaluate, study, with its flags, and not nothing",
        ),
        (["--", "trane"], "and not trane; did you mean train?"),
        (["--", "train", "--gin.MODEL_DIR=runs/x"], "is not in a bucket: set it to gs://BUCKET"),
        (["--copy=none.gin", "--", *JOB.arguments], "there is no file none.gin to copy"),
    ],
)
def test_a_job_that_cannot_be_launched_is_refused(package, capsys, job, message):
    assert launch(package, "--dry-run", *job) == 2
    assert message in capsys.readouterr().err


def test_the_guide_s_launches_are_ones_that_run(package, capsys):
    text = (REPOSITORY / "docs" / "cloud_tpu.md").read_text(encoding="utf-8")
    launches = re.findall(r"^```sh\nmt5x (launch .+?)\n```", text, re.MULTILINE | re.DOTALL)
    assert len(launches) == 3
    for line in launches[:2]:
        arguments = shlex.split(line.replace("\\\n", " "))
        flags = ["--dry-run", f"--wheel={package.wheel}"]
        assert main.main([*arguments[:2], *flags, *arguments[2:]]) == 0
        assert "gcloud storage rsync gs://MY_BUCKET/runs/panx" in capsys.readouterr().out
