"""A run's own checkpoints, MODEL_DIR/checkpoint_{step}: found, and read to go on.

    checkpoint_40/state/              parameters and optimizer: T5X's Orbax format (`t5x_orbax`)
    checkpoint_40/dataset/metadata    `DataPosition`, as JSON; T5X keeps its own position there

A checkpoint appears under its final name only when it is whole, so one that was cut off is never
taken for good. Orbax writes them (`saving`); they are read through TensorStore, which reports what
is damaged as an error and nothing else.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np

from mt5x.checkpoints.placing import STEP, flat, nested, place, read_onto_mesh
from mt5x.checkpoints.t5x_orbax import OrbaxSource
from mt5x.checkpoints.tensors import DamagedCheckpoint
from mt5x.data_position import DataPosition
from mt5x.errors import UserError
from mt5x.train_state import TrainState

PREFIX = "checkpoint"
ITEM = "state"
POSITION = "dataset"
_DIFFERENCES_SHOWN = 3


def find(path: str | Path) -> Path:
    """Returns the checkpoint folder that `path` names: itself, or the newest one inside.

    Raises:
      UserError: there is no checkpoint.
    """
    folder = Path(path).absolute()
    found = folder if (folder / ITEM).is_dir() else newest(folder)
    if found is None:
        raise UserError(
            f"no checkpoint at {path}: expected a folder named {PREFIX}_STEP, or one that holds "
            "such folders"
        )
    return found


def newest(model_dir: Path) -> Path | None:
    """Returns the whole checkpoint of the highest step in a run's folder, if there is one."""
    step = max(steps(model_dir), default=None)
    return None if step is None else model_dir / f"{PREFIX}_{step}"


def steps(model_dir: Path) -> set[int]:
    """Returns the steps of the whole checkpoints in a run's folder."""
    found = (step_of(folder) for folder in model_dir.glob(f"{PREFIX}_*"))
    return {step for step in found if step is not None}


def step_of(checkpoint: Path) -> int | None:
    """Returns the step in the name of a whole checkpoint's folder, else None."""
    match = re.fullmatch(rf"{PREFIX}_(\d+)", checkpoint.name)
    return int(match.group(1)) if match and (checkpoint / ITEM).is_dir() else None


def restore(checkpoint: Path, shapes: TrainState, shardings: TrainState) -> TrainState:
    """Reads a checkpoint onto the mesh of `shardings`, however it was sharded when written.

    Raises:
      UserError: the checkpoint is damaged, or its tree or shapes are not those of the model.
    """
    wanted = flat(shapes.as_checkpoint())
    places = flat(shardings.as_checkpoint())
    try:
        source = OrbaxSource(str(checkpoint))
        step_shape = wanted.pop(STEP)
        if source.step is None:
            raise DamagedCheckpoint(str(checkpoint), "it holds no step")
        _refuse_other_shapes(checkpoint, source, wanted)
        leaves = read_onto_mesh(source, wanted, places)
    except DamagedCheckpoint as error:
        raise UserError(
            f"checkpoint {checkpoint} is damaged: {error.finding}; start from another one, or "
            "delete it to go on from the one before"
        ) from error
    leaves[STEP] = place(np.asarray(source.step), step_shape, places[STEP])
    return TrainState.from_checkpoint(nested(leaves))


def data_position(checkpoint: Path) -> DataPosition | None:
    """Returns how much data had been read when it was saved; None if it does not say.

    Raises:
      UserError: what it says cannot be read.
    """
    file = checkpoint / POSITION / "metadata"
    try:
        return DataPosition.from_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(
            f"checkpoint {checkpoint} is damaged: {file.relative_to(checkpoint)} cannot be read "
            f"({error}); delete it to go on from the one before"
        ) from error


def _refuse_other_shapes(
    checkpoint: Path, source: OrbaxSource, wanted: Mapping[str, jax.ShapeDtypeStruct]
) -> None:
    found = {path: info.shape for path, info in source.tensors.items()}
    expected = {path: tuple(shape.shape) for path, shape in wanted.items()}
    differences = [
        f"{path} is {found.get(path, 'absent')} there and {expected.get(path, 'absent')} in the "
        "model"
        for path in sorted(found.keys() | expected.keys())
        if found.get(path) != expected.get(path)
    ]
    if differences:
        more = len(differences) - _DIFFERENCES_SHOWN
        also = f"; and {more} more" if more > 0 else ""
        raise UserError(
            f"checkpoint {checkpoint} does not fit the model: "
            + "; ".join(differences[:_DIFFERENCES_SHOWN])
            + also
            + "; choose the model gin file that it was trained with"
        )
