"""How long saving and restoring a training state takes, and how long saving holds a run up."""

import dataclasses
import itertools
import tempfile
from pathlib import Path

import jax

from mt5x import train_state
from mt5x.benchmarks import side_by_side
from mt5x.checkpoints import native
from mt5x.checkpoints.saving import CheckpointDirectory
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner


@dataclasses.dataclass(frozen=True)
class CheckpointSpeed:
    """Seconds of every timed run.

    Attributes:
      nbytes: of the state: parameters and optimizer.
      held_up: from the call of save until the run goes on.
      save: from the call of save until all is on the disk.
      restore: from the disk to the devices.
    """

    nbytes: int
    held_up: list[float]
    save: list[float]
    restore: list[float]


def measure(
    model: EncoderDecoderModel, repeats: int, folder: Path | None = None
) -> CheckpointSpeed:
    """Saves and restores a fresh training state by turns.

    What was just written is read from the system's memory where that is large enough.

    Args:
      model: whose state.
      repeats: timed rounds, after one that is not counted.
      folder: on the disk to be measured; None takes the system's for temporary files.

    Raises:
      UserError: fewer than one round, or the folder cannot be written.
    """
    mesh = Partitioner().mesh
    state = jax.block_until_ready(train_state.init_state(model, mesh, 0))
    shapes = train_state.abstract_state(model)
    places = train_state.state_shardings(model, mesh)
    with tempfile.TemporaryDirectory(dir=folder, prefix="mt5x_checkpoint_") as place:
        run = Path(place)
        checkpoints = CheckpointDirectory(run, 1)
        steps = itertools.count()

        def begin() -> None:
            checkpoints.save(state, next(steps))

        def restore() -> None:
            newest = native.newest(run)
            assert newest is not None
            jax.block_until_ready(native.restore(newest, shapes, places))

        try:
            taken = side_by_side.seconds(
                {"held up": begin, "written": checkpoints.wait, "restore": restore}, repeats
            )
        finally:
            checkpoints.close()
    return CheckpointSpeed(
        nbytes=sum(leaf.nbytes for leaf in jax.tree.leaves(state)),
        held_up=taken["held up"],
        save=[sum(parts) for parts in zip(taken["held up"], taken["written"], strict=True)],
        restore=taken["restore"],
    )
