"""One of two processes is lost, or asked to stop: both end soon, and the restart goes on."""

import json
import signal
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mt5x.checkpoints import native
from tests.mt5x.host_processes import free_address, output, processes, wait_until

pytestmark = pytest.mark.slow

STEPS = 40
LOST = "process {} of this run has ended or cannot be reached"


def started(
    model_dir: Path, logs: Path, seconds_per_step: float = 0.0, **variables: str
) -> AbstractContextManager[list[subprocess.Popen[bytes]]]:
    """Two processes of `mt5x train`, begun anew or going on."""
    command = [
        "scripts.main", "train", "--gin_file=tests/mt5x/toy_run.gin",
        f"--gin.MODEL_DIR={model_dir}", f"--gin.TRAIN_STEPS={STEPS}",
        f"--coordinator_address={free_address()}", "--process_count=2",
        "--initialization_timeout=300",
    ]  # fmt: skip
    logs.mkdir()
    both = [[*command, f"--process_index={index}"] for index in range(2)]
    return processes(both, logs, {"TOY_SECONDS_PER_STEP": str(seconds_per_step), **variables})


def last_step(model_dir: Path) -> int:
    file = model_dir / "metrics.jsonl"
    lines = file.read_text().splitlines() if file.is_file() else []
    return max((json.loads(line)["step"] for line in lines if line.endswith("}")), default=0)


def saved_step(model_dir: Path) -> int:
    newest = native.newest(model_dir)
    return 0 if newest is None else native.step_of(newest) or 0


def seconds_until_end(process: subprocess.Popen[bytes]) -> float:
    began = time.monotonic()
    process.wait(timeout=90)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    with started(folder / "run", folder / "logs") as pair:
        for index, process in enumerate(pair):
            assert process.wait(timeout=500) == 0, output(folder / "logs", index)
    return folder / "run"


def test_lost_processes_and_a_stop_change_no_parameter(tmp_path, undisturbed):
    run = tmp_path / "run"

    with started(run, tmp_path / "first", 0.3) as pair:
        wait_until(lambda: saved_step(run) >= 10, pair)
        pair[1].kill()
        assert seconds_until_end(pair[0]) < 60
        assert pair[0].returncode not in (0, None)
    told = output(tmp_path / "first", 0)
    assert LOST.format(1) in told
    assert "Traceback" not in told
    assert "stack trace" not in told

    with started(run, tmp_path / "second", 0.3) as pair:
        wait_until(lambda: last_step(run) >= 13, pair)
        pair[1].send_signal(signal.SIGTERM)
        assert [process.wait(timeout=300) for process in pair] == [143, 143]
    step = saved_step(run)
    # The steps that were done are saved, and none more than one was begun after the request.
    assert step == last_step(run) < STEPS
    for index in range(2):
        assert f"stopped and saved at step {step}" in output(tmp_path / "second", index)

    with started(run, tmp_path / "third", 0.3) as pair:
        wait_until(lambda: last_step(run) >= step + 3, pair)
        pair[0].kill()
        assert seconds_until_end(pair[1]) < 60
        assert pair[1].returncode not in (0, None)
    told = output(tmp_path / "third", 1)
    assert LOST.format(0) in told
    assert "Traceback" not in told

    with started(run, tmp_path / "fourth") as pair:
        for index, process in enumerate(pair):
            assert process.wait(timeout=500) == 0, output(tmp_path / "fourth", index)
    assert contents(run) == contents(undisturbed)


def test_an_error_of_one_process_ends_both(tmp_path):
    with started(tmp_path / "run", tmp_path / "logs", TOY_FAILS_AT_STEP="3") as pair:
        assert pair[1].wait(timeout=500) == 1
        assert seconds_until_end(pair[0]) < 60
        assert pair[0].returncode not in (0, None)
    assert "RuntimeError: a defect of one process" in output(tmp_path / "logs", 1)
    told = output(tmp_path / "logs", 0)
    assert LOST.format(1) in told
    assert "Traceback" not in told


def contents(run: Path) -> dict[str, bytes]:
    from mt5x.checkpoints.t5x_orbax import open_source

    source = open_source(str(run / f"checkpoint_{STEPS}"))
    return {path: source.read(path).tobytes() for path in source.tensors}
