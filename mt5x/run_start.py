"""Where a run begins, or goes on: its state, its place in the data, and its last step."""

import dataclasses
from pathlib import Path

from jax.sharding import Mesh

from mt5x import distributed, run_record, train_state
from mt5x.batch_stream import Skipped
from mt5x.checkpoints import native
from mt5x.checkpoints.restore import RestoreConfig, initial_state
from mt5x.data_position import DataPosition
from mt5x.errors import UserError
from mt5x.input_pipeline import DatasetConfig
from mt5x.models import EncoderDecoderModel
from mt5x.train_state import TrainState


@dataclasses.dataclass(frozen=True)
class Start:
    """What training goes on from.

    Attributes:
      state: parameters and optimizer state, on the mesh.
      step: its step.
      position: what has been read of the data.
    """

    state: TrainState
    step: int
    position: DataPosition


def begin(
    run: Path,
    model: EncoderDecoderModel,
    mesh: Mesh,
    dataset: DatasetConfig,
    seed: int,
    skipped: Skipped,
    initial_path: str | None,
    restore: RestoreConfig,
) -> Start:
    """Goes on from the run's newest checkpoint, or begins from its initial one, or afresh.

    Args:
      run: the run's folder.
      model: the model.
      mesh: where the state will live.
      dataset: what is trained on.
      seed: of initialisation, and of the data where it names none.
      skipped: batches that are left out.
      initial_path: the checkpoint to begin from; None for fresh parameters.
      restore: what to take from it.

    Raises:
      UserError: a checkpoint is damaged, does not fit, or was of other data; or the processes do
        not see the same folder.
    """
    newest = native.newest(run)
    distributed.refuse_disagreement(
        {"newest checkpoint": newest}, "set MODEL_DIR to a folder that all of them share"
    )
    if newest is not None:
        shapes = train_state.abstract_state(model)
        state = native.restore(newest, shapes, train_state.state_shardings(model, mesh))
    elif initial_path is None:
        state = train_state.init_state(model, mesh, seed)
    else:
        state = initial_state(initial_path, model, mesh, seed, restore)
    step = int(state.step)
    position = DataPosition.of(dataset, seed, batches=0, first_step=step)
    if newest is not None:
        position = _position_of(newest, step, run, position, skipped)
    return Start(state, step, position)


def last_step(total_steps: int | None, relative_steps: int | None, start: int) -> int:
    """The step to end at, from T5X's TRAIN_STEPS or from TRAIN_STEPS_RELATIVE.

    Args:
      total_steps: the last step itself.
      relative_steps: instead: steps on top of `start`.
      start: the step at which the run began.

    Raises:
      UserError: not one of the two is set, or there is nothing to do.
    """
    if (total_steps is None) == (relative_steps is None):
        raise UserError("set one of TRAIN_STEPS and TRAIN_STEPS_RELATIVE, and leave the other None")
    last = start + relative_steps if relative_steps is not None else total_steps
    assert last is not None
    if last <= start and start:
        raise UserError(
            f"TRAIN_STEPS={last} is not beyond the initial checkpoint's step {start}; "
            "TRAIN_STEPS counts its steps too: add them, or set TRAIN_STEPS_RELATIVE instead"
        )
    return last


def _position_of(
    checkpoint: Path, step: int, run: Path, beginning: DataPosition, skipped: Skipped
) -> DataPosition:
    """Where in the data a checkpoint goes on, refused if that was other data."""
    saved = native.data_position(checkpoint)
    if saved is None:
        # From before checkpoints held it: a step was a batch.
        first = run_record.initial_step(run)
        used = skipped.position(step - first)
        return dataclasses.replace(beginning, batches=used, first_step=first)
    saved.check_continues(beginning)
    return saved
