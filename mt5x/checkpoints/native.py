"""Orbax checkpoints in T5X's layout: MODEL_DIR/checkpoint_{step}/state.

Orbax's interface is behind this one module. A checkpoint appears under its final name only when it
is whole, so one that was cut off is never taken for good.
"""

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from mt5x.errors import UserError
from mt5x.train_state import TrainState

PREFIX = "checkpoint"
ITEM = "state"
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
    steps = {step_of(folder): folder for folder in model_dir.glob(f"{PREFIX}_*")}
    return max(
        ((step, folder) for step, folder in steps.items() if step is not None), default=(0, None)
    )[1]


def step_of(checkpoint: Path) -> int | None:
    """Returns the step in the name of a whole checkpoint's folder, else None."""
    match = re.fullmatch(rf"{PREFIX}_(\d+)", checkpoint.name)
    return int(match.group(1)) if match and (checkpoint / ITEM).is_dir() else None


def restore(checkpoint: Path, shapes: TrainState, shardings: TrainState) -> TrainState:
    """Reads a checkpoint onto the mesh of `shardings`, however it was sharded when written.

    Raises:
      UserError: the checkpoint is damaged, or its tree or shapes are not those of the model.
    """
    target = jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        shapes.as_checkpoint(),
        shardings.as_checkpoint(),
    )
    with ocp.StandardCheckpointer() as checkpointer, _explain_damage(checkpoint):
        metadata = checkpointer.metadata(checkpoint / ITEM).item_metadata
        if metadata is None:
            raise ValueError("its tree cannot be read")
        _refuse_other_shapes(checkpoint, getattr(metadata, "tree", metadata), target)
        return TrainState.from_checkpoint(checkpointer.restore(checkpoint / ITEM, target))


def _refuse_other_shapes(checkpoint: Path, found: Any, expected: Any) -> None:
    found_shapes, expected_shapes = _shapes(found), _shapes(expected)
    differences = [
        f"{name} is {found_shapes.get(name, 'absent')} there and "
        f"{expected_shapes.get(name, 'absent')} in the model"
        for name in sorted(found_shapes.keys() | expected_shapes.keys())
        if found_shapes.get(name) != expected_shapes.get(name)
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


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {
        "/".join(str(getattr(key, "key", key)) for key in path): tuple(leaf.shape)
        for path, leaf in leaves
    }


@contextlib.contextmanager
def _explain_damage(checkpoint: Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        # Orbax raises bare exceptions; what TensorStore found is the innermost of them.
        innermost: BaseException = error
        while innermost.__cause__ is not None:
            innermost = innermost.__cause__
        reason = re.sub(r"\s+", " ", str(innermost)).partition(" [")[0]
        # The reads that went on beside it would each be reported when they are collected.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        raise UserError(
            f"checkpoint {checkpoint} is damaged: {reason}; start from another one, or delete it "
            "to go on from the one before"
        ) from error
