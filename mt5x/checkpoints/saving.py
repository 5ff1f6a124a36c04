"""Saving a run's checkpoints through Orbax: whole or not at all, the newest kept."""

import contextlib
import errno
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import orbax.checkpoint as ocp

from mt5x.checkpoints.native import ITEM, PREFIX
from mt5x.errors import UserError
from mt5x.train_state import TrainState


class CheckpointDirectory:
    """The checkpoints of one run.

    Args:
      model_dir: the run's folder.
      keep: how many of the newest to keep; None keeps all.
    """

    def __init__(self, model_dir: str | Path, keep: int | None = None):
        self._model_dir = Path(model_dir).absolute()
        self._manager = ocp.CheckpointManager(
            self._model_dir,
            item_names=(ITEM,),
            options=ocp.CheckpointManagerOptions(
                step_prefix=PREFIX,
                max_to_keep=keep,
                enable_async_checkpointing=False,
                cleanup_tmp_directories=True,
            ),
        )

    @property
    def latest_step(self) -> int | None:
        """The highest step saved, or None."""
        return self._manager.latest_step()

    def save(self, state: TrainState, step: int) -> None:
        """Writes the state whole or not at all; an existing checkpoint of this step stays.

        Raises:
          UserError: the disk is full.
        """
        if step in self._manager.all_steps():
            return
        with _explain_full_disk(self._model_dir, self.latest_step):
            arguments = ocp.args.Composite(**{ITEM: ocp.args.StandardSave(state.as_checkpoint())})
            self._manager.save(step, args=arguments)
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Ends Orbax's background threads."""
        self._manager.close()


@contextlib.contextmanager
def _explain_full_disk(model_dir: Path, last_good: int | None) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # TensorStore reports a full disk inside its own ValueError or RuntimeError.
        for leftover in model_dir.glob(f"{PREFIX}_*.orbax-checkpoint-tmp*"):
            shutil.rmtree(leftover, ignore_errors=True)
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or re.search(
            r"No space left|RESOURCE_EXHAUSTED|Disk quota", str(error)
        )
        if not full:
            raise
        kept = "none was saved yet" if last_good is None else f"{PREFIX}_{last_good} is whole"
        raise UserError(
            f"the disk of {model_dir} is full, so the checkpoint was not saved ({kept}); "
            "free some space and run the same command again to resume"
        ) from error
