"""Saving a run's checkpoints through Orbax: in the background, whole or not at all, some kept."""

import contextlib
import errno
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import jax
import orbax.checkpoint as ocp

from mt5x.checkpoints import deletion, native
from mt5x.checkpoints.native import ITEM, POSITION, PREFIX
from mt5x.checkpoints.orbax_noise import only_the_first_failure
from mt5x.data_position import DataPosition
from mt5x.errors import UserError
from mt5x.train_state import TrainState

# Folders that are no checkpoint: not yet written whole.
_PARTIAL = f"{PREFIX}_*.orbax-checkpoint-tmp*"


class CheckpointDirectory:
    """The checkpoints of one run.

    One checkpoint is written at a time, in the background. Its error is raised by whatever waits
    for it: the next save, `wait`, `keep` or `close`.

    Args:
      model_dir: the run's folder.
      keep_newest: how many of the newest to keep, at least 1; None keeps all.
    """

    def __init__(self, model_dir: str | Path, keep_newest: int | None = None):
        self._model_dir = Path(model_dir).absolute()
        self._keep_newest = keep_newest
        self._also_keep: int | None = None
        self._model_dir.mkdir(parents=True, exist_ok=True)
        self._sweep()
        self._steps = sorted(native.steps(self._model_dir))
        self._in_background = contextlib.ExitStack()
        self._under_way: int | None = None
        handler = ocp.CompositeCheckpointHandler(ITEM, POSITION)
        # Folders first: where one cannot be made, Orbax's threads wait for it for minutes.
        options = ocp.options.AsyncOptions(create_directories_asynchronously=False)
        self._checkpointer = ocp.AsyncCheckpointer(handler, async_options=options)

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps that are on the disk, ascending."""
        return tuple(self._steps)

    @property
    def latest_step(self) -> int | None:
        """The highest step that is on the disk, or None."""
        return max(self._steps, default=None)

    def save(self, state: TrainState, step: int, position: DataPosition | None = None) -> None:
        """Begins to write the state; an existing checkpoint of this step stays.

        It returns when the state has been copied, so the caller may donate its buffers.

        Raises:
          UserError: the disk is full or cannot be written.
        """
        self.wait()
        if step in self._steps:
            return
        self._delete_old()
        items = {ITEM: ocp.args.StandardSave(state.as_checkpoint())}
        if position is not None:
            items[POSITION] = ocp.args.JsonSave(json.loads(position.to_json()))
        self._in_background.enter_context(only_the_first_failure())
        with self._explaining():
            self._checkpointer.save(
                self._model_dir / f"{PREFIX}_{step}", args=ocp.args.Composite(**items)
            )
        self._under_way = step

    def wait(self) -> None:
        """Returns when what `save` began is on the disk.

        Raises:
          UserError: the disk is full or cannot be written.
        """
        if self._under_way is None:
            return
        step, self._under_way = self._under_way, None
        with self._explaining():
            self._checkpointer.wait_until_finished()
        self._in_background.close()
        self._steps.append(step)

    def keep(self, step: int) -> None:
        """Keeps this checkpoint, too, however old it gets, and no longer the one named before."""
        self.wait()
        self._also_keep = step
        self._delete_old()

    def close(self) -> None:
        """Waits for the write, deletes what is not to be kept, ends Orbax's threads."""
        try:
            self.wait()
            self._delete_old()
        except BaseException:
            # What failed has been told; Orbax may tell it once more.
            with contextlib.suppress(Exception):
                self._checkpointer.close()
            raise
        self._checkpointer.close()

    def _delete_old(self) -> None:
        """Called only when nothing is being written, so the newest is whole."""
        if self._keep_newest is None:
            return
        kept = {*self._steps[-self._keep_newest :], self._also_keep}
        for step in [step for step in self._steps if step not in kept]:
            self._steps.remove(step)
            if jax.process_index() == 0:
                deletion.delete(self._model_dir / f"{PREFIX}_{step}")

    def _sweep(self) -> None:
        """Deletes what an earlier process began to write or to delete."""
        if jax.process_index() == 0:
            deletion.sweep(self._model_dir)
            for partial in self._model_dir.glob(_PARTIAL):
                shutil.rmtree(partial, ignore_errors=True)

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._sweep()
            # TensorStore reports a full disk inside its own ValueError or RuntimeError.
            last = self.latest_step
            kept = "none was saved yet" if last is None else f"{PREFIX}_{last} is whole"
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or re.search(
                r"No space left|RESOURCE_EXHAUSTED|Disk quota", str(error)
            ):
                raise UserError(
                    f"the disk of {self._model_dir} is full, so the checkpoint was not saved "
                    f"({kept}); free some space and run the same command again to resume"
                ) from error
            if isinstance(error, OSError) or "os_error_code" in str(error):
                reason = re.sub(r"\s+", " ", str(error)).partition(" [os_error")[0]
                raise UserError(
                    f"the checkpoint could not be saved in {self._model_dir} ({reason}; {kept}); "
                    "put it right and run the same command again to resume"
                ) from error
            raise
