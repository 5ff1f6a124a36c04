"""Checkpoints: T5X's names, whole or not at all, restored on another mesh, and a full disk told."""

import gc
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from mt5x import train_state
from mt5x.checkpoints import inspection, native, saving
from mt5x.data_position import DataPosition
from mt5x.errors import UserError
from mt5x.partitioning import make_mesh
from mt5x.train_state import TrainState
from tests.conftest import REPOSITORY
from tests.mt5x import toy


@pytest.fixture(scope="module")
def state() -> TrainState:
    return train_state.init_state(toy.model(), make_mesh(1, 1), seed=3)


def save(folder: Path, state: TrainState, *steps: int, keep: int | None = None) -> None:
    directory = saving.CheckpointDirectory(folder, keep)
    for step in steps:
        directory.save(state, step, position(step))
    directory.close()


def position(batches: int) -> DataPosition:
    return DataPosition("toy_zeroshot", "train", 0, 8, 1, batches, first_step=0)


def restore(folder: Path, data: int = 1, model: int = 1) -> TrainState:
    shardings = train_state.state_shardings(toy.model(), make_mesh(data, model))
    return native.restore(native.find(folder), train_state.abstract_state(toy.model()), shardings)


def test_a_checkpoint_has_t5x_s_names(tmp_path, state):
    save(tmp_path, state, 40)
    assert (tmp_path / "checkpoint_40" / "state").is_dir()


@pytest.mark.parametrize(("data", "model"), [(1, 1), (8, 1), (2, 4)])
def test_it_is_read_bit_for_bit_on_any_mesh(tmp_path, state, data, model):
    save(tmp_path, state, 1)
    found = restore(tmp_path, data, model)
    jax.tree.map(np.testing.assert_array_equal, state.as_checkpoint(), found.as_checkpoint())


def test_the_newest_is_found_and_the_oldest_are_dropped(tmp_path, state):
    save(tmp_path, state, 1, 2, 10, keep=2)
    assert native.find(tmp_path).name == "checkpoint_10"
    assert sorted(folder.name for folder in tmp_path.glob("checkpoint_*")) == [
        "checkpoint_10",
        "checkpoint_2",
    ]


def test_a_named_one_is_kept_beside_the_newest(tmp_path, state):
    directory = saving.CheckpointDirectory(tmp_path, keep_newest=1)
    for step, best in [(1, 1), (2, 1), (3, 3), (4, 3), (5, 3)]:
        directory.save(state, step)
        directory.keep(best)
        assert native.steps(tmp_path) == {best, step}
    directory.close()
    assert native.steps(tmp_path) == {3, 5}


def test_nothing_is_deleted_before_the_next_is_whole(tmp_path, state):
    save(tmp_path, state, 1, keep=1)
    directory = saving.CheckpointDirectory(tmp_path, 1)
    directory.save(state, 2)
    assert (tmp_path / "checkpoint_1" / "state" / "manifest.ocdbt").is_file()
    directory.close()
    assert native.steps(tmp_path) == {2}


def test_it_says_how_much_data_was_read(tmp_path, state):
    save(tmp_path, state, 7)
    checkpoint = tmp_path / "checkpoint_7"
    assert native.data_position(checkpoint) == position(7)
    (checkpoint / "dataset" / "metadata").write_text('{"batches": 7')
    with pytest.raises(UserError, match=r"checkpoint_7 is damaged: dataset/metadata"):
        native.data_position(checkpoint)
    (checkpoint / "dataset" / "metadata").write_text('{"somebody else\'s": 7}')
    with pytest.raises(UserError, match=r"not a position in the data"):
        native.data_position(checkpoint)
    (checkpoint / "dataset" / "metadata").unlink()
    assert native.data_position(checkpoint) is None


def test_what_is_saved_is_the_state_of_its_step_though_its_buffers_are_given_away(tmp_path):
    """The write goes on in the background while the next steps overwrite the state."""
    mesh = make_mesh(2, 2)
    state = train_state.init_state(toy.model(), mesh, seed=3)
    shardings = train_state.state_shardings(toy.model(), mesh)
    onwards = jax.jit(
        lambda state: jax.tree.map(lambda x: x + 1, state),
        in_shardings=(shardings,),
        out_shardings=shardings,
        donate_argnums=0,
    )
    directory = saving.CheckpointDirectory(tmp_path)
    expected = jax.tree.map(lambda x: np.array(x, copy=True), state.as_checkpoint())
    directory.save(state, 1)
    for _ in range(20):
        state = onwards(state)
    jax.block_until_ready(state)
    directory.close()
    found = restore(tmp_path).as_checkpoint()
    jax.tree.map(np.testing.assert_array_equal, expected, found)


def test_what_training_read_is_shown(tmp_path, state):
    save(tmp_path, state, 7)
    page = inspection.page(inspection.inspect(tmp_path, read=False), every_tensor=False)
    assert "data read since step 0: 7 batches of 8 rows, toy_zeroshot train, seed 0" in page


def test_a_folder_that_cannot_be_written_is_told(tmp_path, state):
    directory = saving.CheckpointDirectory(tmp_path / "run")
    directory.save(state, 1)
    directory.wait()
    (tmp_path / "run").rename(tmp_path / "moved")
    (tmp_path / "run").write_text("a file in its place")
    with pytest.raises(UserError, match=r"could not be saved in .*checkpoint_1 is whole"):
        save_and_wait(directory, state, 2)
    directory.close()


def save_and_wait(directory: saving.CheckpointDirectory, state: TrainState, step: int) -> None:
    directory.save(state, step)
    directory.wait()


def test_one_that_was_cut_off_is_not_taken_for_whole(tmp_path, state):
    save(tmp_path, state, 1)
    (tmp_path / "checkpoint_2.orbax-checkpoint-tmp" / "state").mkdir(parents=True)
    assert native.find(tmp_path).name == "checkpoint_1"
    save(tmp_path, state, 3)
    assert not list(tmp_path.glob("*tmp*"))


def test_none_is_told(tmp_path):
    with pytest.raises(UserError, match="no checkpoint at"):
        native.find(tmp_path / "nowhere")


RESTORE_EACH = """
import sys
from pathlib import Path

from mt5x import train_state
from mt5x.checkpoints import native, restore
from mt5x.errors import UserError
from mt5x.partitioning import make_mesh
from tests.mt5x import toy

model, mesh = toy.model(), make_mesh(1, 1)
shapes, shardings = train_state.abstract_state(model), train_state.state_shardings(model, mesh)
print("imported", file=sys.stderr)
for folder in map(Path, sys.argv[1:]):
    for read in (
        lambda: native.restore(folder, shapes, shardings),
        lambda: restore.initial_state(str(folder), model, mesh, 0, restore.RestoreConfig()),
    ):
        try:
            read()
            sys.exit(f"{folder} was read")
        except UserError as error:
            print(error, file=sys.stderr)
"""


def test_damage_is_one_line_each_to_the_end_of_the_process(tmp_path, state):
    """Nothing is left behind that would report itself when it is collected, or at the exit."""
    damaged = []
    for name in ("manifest", "cut", "lost"):
        save(tmp_path / name, state, 1)
        damaged.append(tmp_path / name / "checkpoint_1")
        data = max((damaged[-1] / "state").rglob("d/*"), key=lambda file: file.stat().st_size)
        match name:
            case "manifest":
                (damaged[-1] / "state" / "manifest.ocdbt").unlink()
            case "cut":
                data.write_bytes(data.read_bytes()[:1000])
            case "lost":
                data.unlink()
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-c", RESTORE_EACH, *map(str, damaged)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.partition("imported\n")[2].splitlines()
    assert len(lines) == 2 * len(damaged), done.stderr
    assert all("is damaged" in line for line in lines)


def test_a_full_disk_leaves_the_last_good_checkpoint_and_says_so(tmp_path, state):
    save(tmp_path / "elsewhere", state, 1)
    size = sum(file.stat().st_blocks * 512 for file in (tmp_path / "elsewhere").rglob("*"))
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={int(size * 1.5)}", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("cannot mount a small file system here: it needs root")
    try:
        save(disk, state, 1)
        with pytest.raises(UserError, match=r"disk of .* is full.*checkpoint_1 is whole"):
            save(disk, state, 2, 3)
        assert [folder.name for folder in disk.iterdir()] == ["checkpoint_1"]
        restore(disk)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
        gc.collect()
