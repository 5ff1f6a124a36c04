"""A run that is killed at many moments, saves included, ends as one that was left alone."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mt5x.checkpoints.t5x_orbax import OrbaxSource
from tests.conftest import REPOSITORY


def bits(checkpoint: Path) -> dict[str, bytes]:
    source = OrbaxSource(str(checkpoint))
    return {path: np.asarray(source.read(path)).tobytes() for path in source.tensors}


def evaluations(folder: Path) -> list[tuple[int, dict[str, float]]]:
    entries = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    figures = [
        (entry["step"], {name: value for name, value in entry.items() if "eval/" in name})
        for entry in entries
    ]
    return [(step, found) for step, found in figures if found]


@pytest.mark.parametrize(
    "kills",
    [pytest.param(6, marks=pytest.mark.slow), pytest.param(20, marks=pytest.mark.exhaustive)],
)
def test_kills_leave_no_trace_in_the_result(tmp_path, kills):
    command = [sys.executable, "-m", "tests.mt5x.killed_runs", str(tmp_path), "0", str(kills)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    print(seen)
    assert len(seen["newest_after_kill"]) == kills
    # Killed in the middle of a save, and at many places of the run.
    assert seen["killed_in_a_save"] >= kills // 4
    assert len(set(seen["newest_after_kill"])) >= kills // 4

    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"
    kept = sorted(path.name for path in undisturbed.glob("checkpoint_*"))
    assert sorted(path.name for path in killed.glob("checkpoint_*")) == kept
    assert not list(killed.glob("*tmp*"))
    for name in kept:
        assert bits(killed / name) == bits(undisturbed / name)
    assert evaluations(killed) == evaluations(undisturbed)
    assert (killed / "selection.json").read_text() == (undisturbed / "selection.json").read_text()
