"""Training curves: one JSON line a period, and TensorBoard through clu."""

import json
from collections.abc import Mapping
from pathlib import Path

import jax

from mt5x.run_record import write_whole


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
        self._stream = self._path.open("a", encoding="utf-8")
        if tensorboard:
            # Imported here: clu's writers bring TensorFlow with them.
            from clu import metric_writers

            self._writer = metric_writers.SummaryWriter(str(model_dir))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Adds one entry."""
        if jax.process_index() != 0:
            return
        self._stream.write(json.dumps({"step": step, **scalars}) + "\n")
        self._stream.flush()
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
