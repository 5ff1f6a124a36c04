"""Jobs through submitit: in order, found again, requeued; failures told; what sbatch is given."""

import json
import os
import pickle
import re
import shlex
import signal
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mt5x.errors import UserError
from mt5x.launch import slurm
from mt5x.launch.job import Job, JobFailed, in_order, tail
from mt5x.launch.slurm import Command, Queue, Resources
from scripts import main
from tests.conftest import REPOSITORY

# Stands in for `mt5x` in the jobs: writes that it was here; a failing one fails as `mt5x` does.
STAND_IN = """
import os, pathlib, signal, sys, time
name, kind, *_ = sys.argv[1:]
here = pathlib.Path(os.environ["STAND_IN"])
with open(here / "order", "a") as order:
    order.write(name + "\\n")
print(f"{name} is at work", flush=True)
if kind == "fails" and not (here / "mended").exists():
    print("mt5x: error: no task panxx")
    sys.exit(2)
if kind == "waits":
    while not (here / "go").exists():
        time.sleep(0.01)
if kind == "saves" and not (here / "saved").exists():
    def save(*_):
        (here / "saved").touch()
        sys.exit(143)
    signal.signal(signal.SIGTERM, save)
    (here / "ready").touch()
    time.sleep(60)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which `python -m scripts.main` is the stand-in."""
    scripts = tmp_path / "stand_in" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "__init__.py").touch()
    (scripts / "main.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", f"{scripts.parent}:{REPOSITORY}")
    monkeypatch.setenv("STAND_IN", str(tmp_path))
    # What runs in a job runs in its folder, where no `scripts` is.
    monkeypatch.chdir(tmp_path)
    return tmp_path


def local(here: Path) -> Queue:
    return Queue(here / "queue", cluster="local", sleep=lambda seconds: time.sleep(0.05))


def job(name: str, kind: str = "works", after: Sequence[str] = ()) -> Job:
    return Job(name, (name, kind), tuple(after))


def order(here: Path) -> list[str]:
    return (here / "order").read_text().split()


def test_each_job_begins_when_those_before_it_have_ended_well(here):
    jobs = [job("third", after=["first", "second"]), job("second", after=["first"]), job("first")]
    local(here).run(jobs)
    assert order(here) == ["first", "second", "third"]


def test_jobs_that_cannot_be_put_in_order_are_refused():
    with pytest.raises(UserError, match="the job b waits for c, which is not there"):
        in_order([job("a"), job("b", after=["c"])])
    with pytest.raises(UserError, match="the job a waits for itself, by way of others"):
        in_order([job("a", after=["b"]), job("b", after=["a"])])
    with pytest.raises(UserError, match="two jobs have the same name"):
        in_order([job("a"), job("a")])


def test_a_failure_is_told_by_job_with_its_log_and_how_to_run_it_alone(here):
    with pytest.raises(JobFailed) as error:
        local(here).run([job("panx", "fails")])
    assert str(error.value).startswith("panx failed: exit code 2; its log ends with\n")
    assert "  panx is at work\n  mt5x: error: no task panxx\n" in str(error.value)
    assert str(error.value).endswith("to run it alone: mt5x panx fails")


@pytest.mark.slow
def test_a_failure_stops_what_depends_on_it_alone_and_is_put_right_by_the_same_command(here):
    jobs = [
        job("bad", "fails"),
        job("child", after=["bad"]),
        job("grandchild", after=["child"]),
        job("other"),
    ]
    with pytest.raises(UserError) as error:
        local(here).run(jobs)
    assert sorted(order(here)) == ["bad", "other"]
    told = str(error.value)
    assert told.startswith("1 of the jobs failed\nbad failed: exit code 2")
    assert told.endswith("not run: child, which needs bad\nnot run: grandchild, which needs child")
    (here / "mended").touch()
    local(here).run(jobs)
    assert sorted(order(here)) == ["bad", "bad", "child", "grandchild", "other"]


def test_jobs_are_found_again_when_the_launcher_has_died(here):
    class Killed(Exception):
        pass

    def killed(seconds: float) -> None:
        if (here / "order").exists():
            raise Killed

    dying = Queue(here / "queue", cluster="local", sleep=killed)
    jobs = [job("one", "waits"), job("two", after=["one"])]
    with pytest.raises(Killed):
        dying.run(jobs)
    (controller,) = dying._jobs.values()
    (here / "go").touch()
    local(here).run(jobs)
    local(here).run(jobs)
    assert order(here) == ["one", "two"]
    controller.wait()
    # Another command under the same name is another job.
    local(here).run([job("one", "otherwise")])
    assert order(here) == ["one", "two", "one"]


def test_a_job_may_wait_for_one_that_was_handed_over_before(here):
    local(here).run([job("one")])
    local(here).run([job("two", after=["one"])])
    assert order(here) == ["one", "two"]


def test_a_job_that_is_killed_has_failed(here):
    def kill(seconds: float) -> None:
        time.sleep(0.05)
        if (here / "order").exists() and not (here / "killed").exists():
            (here / "killed").touch()
            pid = int(json.loads((here / "queue" / "jobs.json").read_text())["one"]["id"])
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(JobFailed, match=r"one failed: job [0-9]+ is INTERRUPTED"):
        Queue(here / "queue", cluster="local", sleep=kill).run([job("one", "waits")])
    # What the controller had started.
    (here / "go").touch()


def test_before_its_time_is_over_a_job_saves_and_goes_on_in_another_go(here):
    def nearly_over(seconds: float) -> None:
        time.sleep(0.05)
        if (here / "ready").exists() and not (here / "told").exists():
            (here / "told").touch()
            # SLURM's signal goes to the task, here a child of submitit's controller.
            controller = queue._jobs["one"].job_id
            children = Path(f"/proc/{controller}/task/{controller}/children").read_text().split()
            os.kill(int(children[0]), signal.SIGUSR2)

    queue = Queue(here / "queue", cluster="local", sleep=nearly_over)
    queue.run([job("one", "saves")])
    assert (here / "saved").exists()
    assert order(here) == ["one", "one"]


def test_a_command_is_sent_without_its_process():
    command = Command(["train"])
    command._process = object()  # type: ignore[assignment]
    assert command.__getstate__() == {"_arguments": ("train",), "_process": None}


def test_of_a_progress_bar_the_log_keeps_the_end():
    assert tail("step 1\rstep 2\rstep 3\ndone\n") == "  step 3\n  done"
    assert tail("") == "  (nothing)"


# SLURM's own commands, stood in for.


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`sbatch` that keeps what it is given, `sacct` that says what is in the file `state`."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    programs = {
        "srun": "exit 0",
        "scancel": f"echo $1 >> {tmp_path}/cancelled",
        "sbatch": f"n=$(ls {tmp_path}/given 2>/dev/null | wc -l); n=$((n + 1)); "
        f"mkdir -p {tmp_path}/given; cp $1 {tmp_path}/given/$n; echo Submitted batch job $n",
        "sacct": f"echo 'JobID|State|NodeList'; cat {tmp_path}/state",
    }
    for name, line in programs.items():
        (bin_ / name).write_text(f"#!/bin/bash\n{line}\n")
        (bin_ / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    slurm.SlurmJob.watcher.clear()
    slurm.SlurmJob.watcher._registered.clear()

    def say(states: str) -> None:
        (tmp_path / "state").write_text(states)

    return say


def given(tmp_path: Path, number: int) -> set[str]:
    lines = (tmp_path / "given" / str(number)).read_text().splitlines()
    return {line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")}


RESOURCES = Resources(
    minutes=90, nodes=2, gpus_per_node=8, cpus_per_task=16, mem_gb=200, partition="gpu",
    account="nlp", qos="long", constraint="h100", setup=("module load cuda",),
)  # fmt: skip


def test_sbatch_is_given_resources_dependencies_and_a_name_of_its_own(tmp_path, cluster):
    cluster("")
    queue = Queue(tmp_path / "queue", RESOURCES)
    queue.hand_over([job("tune"), job("test", after=["tune"])])
    first, second = given(tmp_path, 1), given(tmp_path, 2)
    asked = {
        "account=nlp", "constraint=h100", "cpus-per-task=16", "gpus-per-node=8", "mem=200GB",
        "nodes=2", "ntasks-per-node=1", "partition=gpu", "qos=long", "time=90", "requeue",
        "kill-on-invalid-dep=yes", "signal=USR2@300", "dependency=singleton",
    }  # fmt: skip
    assert asked <= first
    assert "dependency=afterok:1,singleton" in second
    names = [next(line for line in one if line.startswith("job-name=")) for one in (first, second)]
    assert names[0].startswith("job-name=mt5x-tune-")
    assert names[1].startswith("job-name=mt5x-test-")
    assert "module load cuda" in (tmp_path / "given" / "1").read_text()
    # Found again, and not handed over twice.
    Queue(tmp_path / "queue", RESOURCES).hand_over([job("tune"), job("test", after=["tune"])])
    assert len(list((tmp_path / "given").iterdir())) == 2


def test_several_nodes_are_joined_into_one_run(tmp_path, cluster):
    cluster("")
    queue = Queue(tmp_path / "queue", RESOURCES)
    queue.hand_over([Job("tune", ("train", "--gin_file=a.gin"))])
    sent: Any = queue._jobs["tune"].submission().function
    assert sent._arguments[-1] == "--multiprocess_gpu"


def test_a_state_of_slurm_s_that_is_an_end_is_told(tmp_path, cluster):
    cluster("1|OUT_OF_MEMORY|n1\n2|CANCELLED by 1000|n1\n")
    queue = Queue(tmp_path / "queue", sleep=lambda seconds: None)
    with pytest.raises(UserError) as error:
        queue.run([job("tune"), job("test", after=["tune"])])
    assert "tune failed: job 1 is OUT_OF_MEMORY" in str(error.value)
    assert "not run: test, which needs tune" in str(error.value)
    assert (tmp_path / "cancelled").read_text() == "2\n"


def test_without_slurm_it_is_said_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="srun is not in PATH"):
        Queue(tmp_path / "queue").run([job("a")])


# The command line.


def test_the_command_line_runs_a_job_here(here, capsys):
    arguments = ["--cluster=local", "--poll_seconds=0.05", "--folder=queue"]
    assert main.main(["launch", "slurm", "--name=a", *arguments, "--", "train", "works"]) == 0
    assert order(here) == ["train"]
    told = capsys.readouterr()
    assert told.out == "a is done\n"
    assert "its log is" in told.err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--name=a/b"], "--name=a/b is to be letters"),
        (["--name=a", "--minutes=0"], "--minutes=0 must be 1 or more"),
        (["--name=a", "--cluster=local", "--detach"], "--detach needs a cluster"),
        (["--name=a", "--cluster=local", "--after=b"], "waits for b, which is not there"),
        ([], "arguments are required: --name"),
    ],
)
def test_what_cannot_be_is_refused(here, capsys, flags, message):
    assert _code(["launch", "slurm", *flags, "--", "train"]) == 2
    assert message in capsys.readouterr().err


def _code(arguments: list[str]) -> int:
    try:
        return main.main(arguments)
    except SystemExit as leaving:
        return int(leaving.code or 0)


def test_the_guide_s_launches_are_taken(tmp_path, cluster, monkeypatch, capsys):
    cluster("1|COMPLETED|n1\n2|FAILED|n1\n")
    monkeypatch.chdir(tmp_path)
    text = (REPOSITORY / "docs" / "slurm.md").read_text(encoding="utf-8")
    launches = re.findall(r"^```sh\nmt5x (launch .+?)\n```", text, re.MULTILINE | re.DOTALL)
    detached, waiting, _ = (shlex.split(line.replace("\\\n", " ")) for line in launches)
    assert main.main(detached) == 0
    assert "dependency=singleton" in given(tmp_path, 1)
    # The one that is waited for has ended well.
    paths = Queue(tmp_path / "runs/slurm")._found(Job("panx", ())).paths
    paths.result_pickle.write_bytes(pickle.dumps(("success", None)))
    assert main.main([*waiting[:2], "--poll_seconds=0", *waiting[2:]]) == 2
    assert "dependency=afterok:1,singleton" in given(tmp_path, 2)
    assert "panx-test failed: job 2 is FAILED" in capsys.readouterr().err
