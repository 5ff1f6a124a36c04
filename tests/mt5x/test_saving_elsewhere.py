"""A run goes on with another number of devices, and says what is wrong with its disk."""

import dataclasses
import functools
import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from jax.sharding import Mesh

from mt5x import run_record
from mt5x.checkpoints import native
from mt5x.errors import UserError
from mt5x.partitioning import Partitioner, make_mesh
from mt5x.train_loop import CheckpointConfig, TrainResult, train
from tests.conftest import REPOSITORY
from tests.mt5x import toy


@pytest.fixture(autouse=True)
def _tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    toy.register()
    monkeypatch.setattr(run_record.config, "resolved", lambda: "TOY = True")


@dataclasses.dataclass(frozen=True)
class SomeDevices(Partitioner):
    """As on a machine that has no more devices."""

    devices: int = 1

    @functools.cached_property
    def mesh(self) -> Mesh:
        """The mesh over the first of them."""
        return make_mesh(*self.axis_sizes(self.devices))


def run(folder: Path, steps: int, partitioner: Partitioner = SomeDevices(), period: int = 1000):
    return train(
        model=toy.model(),
        model_dir=str(folder),
        train_dataset_cfg=toy.dataset(),
        learning_rate_fn=lambda step: 0.01,
        total_steps=steps,
        checkpoint_cfg=CheckpointConfig(period=period),
        partitioner=partitioner,
        eval_period=0,
        log_period=1,
        tensorboard=False,
    )


def losses(result: TrainResult) -> list[float]:
    lines = (result.checkpoint.parent / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["train/loss"] for line in lines]


@pytest.mark.slow
def test_losses_go_on_with_another_number_of_devices_and_other_axes(tmp_path):
    undisturbed = losses(run(tmp_path / "undisturbed", 9))
    moved = tmp_path / "moved"
    run(moved, 3)
    run(moved, 6, SomeDevices(num_partitions=2, fsdp_partitions=2, devices=8))
    found = losses(run(moved, 9, SomeDevices(num_partitions=2, devices=2)))
    assert len(undisturbed) == 9
    np.testing.assert_allclose(found, undisturbed, rtol=1e-5)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that holds a checkpoint and a half."""
    first = run(tmp_path / "elsewhere", 1).checkpoint
    # In whole pages; the blocks of a file may be more, taken ahead of its growth.
    size = sum(-(-file.stat().st_size // 4096) * 4096 for file in first.rglob("*"))
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={int(size * 1.5)}", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount a small file system here: it needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_disk_that_fills_stops_the_run_which_goes_on_when_there_is_space(tmp_path, small_disk):
    with pytest.raises(UserError, match=r"disk of .* is full") as told:
        run(small_disk, 4, period=1)
    gc.collect()
    newest = native.newest(small_disk)
    assert newest is not None
    assert f"({newest.name} is whole)" in str(told.value)
    assert not list(small_disk.glob("*tmp*"))
    subprocess.run(["mount", "-o", "remount,size=100m", str(small_disk)], check=True)
    assert losses(run(small_disk, 4, period=1)) == losses(run(tmp_path / "undisturbed", 4))


FILL = """
import sys

from mt5x import train_state
from mt5x.checkpoints.saving import CheckpointDirectory
from mt5x.errors import UserError
from mt5x.partitioning import make_mesh
from scripts.gin_job import quiet_logs
from tests.mt5x import toy

quiet_logs()
state = train_state.init_state(toy.model(), make_mesh(1, 1), seed=3)
directory = CheckpointDirectory(sys.argv[1])
print("imported", file=sys.stderr, flush=True)
try:
    for step in range(1, 4):
        directory.save(state, step)
    directory.close()
except UserError as error:
    print(error, file=sys.stderr)
"""


def test_a_full_disk_is_one_line_to_the_end_of_the_process(small_disk):
    """None of the writes that were under way reports itself later."""
    command = [sys.executable, "-c", FILL, str(small_disk)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    lines = done.stderr.partition("imported\n")[2].splitlines()
    assert len(lines) == 1, done.stderr
    # Orbax writes more on a busy machine, so how many there is room for is not certain.
    newest = native.newest(small_disk)
    assert newest is not None
    assert f"({newest.name} is whole)" in lines[0]
    assert done.returncode == 0
