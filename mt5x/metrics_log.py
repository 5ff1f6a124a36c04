"""Training curves: one JSON line a period, and TensorBoard through clu."""

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path

import jax

from mt5x.errors import UserError
from mt5x.whole_file import write_whole


class MetricsLog:
    """Writes scalars of a run; only the first process of a job writes.

    Args:
      model_dir: the run's folder; metrics.jsonl is in it.
      resume_step: entries after this step, of an attempt that was cut off, are dropped.
      tensorboard: also write TensorBoard event files.
    """

    def __init__(self, model_dir: Path, resume_step: int, tensorboard: bool = True):
        self._path = model_dir / "metrics.jsonl"
        self._writer = None
        if jax.process_index() != 0:
            return
        kept = [line for line in _lines(self._path) if json.loads(line)["step"] <= resume_step]
        write_whole(self._path, "".join(line + "\n" for line in kept))
        # Unbuffered, so that an entry is written or refused at once, and not again at the end.
        self._stream = self._path.open("ab", buffering=0)
        if tensorboard:
            # Imported here: clu's writers bring TensorFlow with them.
            from clu import metric_writers

            self._writer = metric_writers.SummaryWriter(str(model_dir))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Adds one entry.

        Raises:
          UserError: the disk is full, or cannot be written.
        """
        if jax.process_index() != 0:
            return
        line = (json.dumps({"step": step, **scalars}) + "\n").encode()
        try:
            if self._stream.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise UserError(
                f"cannot write {self._path}: {error.strerror}; put it right and run the same "
                "command again to resume"
            ) from error
        if self._writer is not None:
            self._writer.write_scalars(step, dict(scalars))

    def history(self, name: str) -> dict[int, float]:
        """Every value of one figure by its step, of earlier attempts too; empty elsewhere."""
        if jax.process_index() != 0:
            return {}
        entries = (json.loads(line) for line in _lines(self._path))
        return {entry["step"]: entry[name] for entry in entries if name in entry}

    def names(self, step: int) -> set[str]:
        """The figures that were logged for a step, by this attempt or an earlier one."""
        entries = (json.loads(line) for line in _lines(self._path))
        return {name for entry in entries if entry["step"] == step for name in entry}

    def close(self) -> None:
        """Writes what is buffered."""
        if jax.process_index() == 0:
            self._stream.close()
            if self._writer is not None:
                self._writer.close()


def _lines(path: Path) -> list[str]:
    """Whole lines only: the last one may have been cut off."""
    if not path.is_file():
        return []
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
