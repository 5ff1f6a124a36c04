"""What is left for the person when a run stops itself: a sentence, and the batch to look at."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mt5x.batch_stream import NumberedBatch
from mt5x.checkpoints import native
from mt5x.errors import UserError
from mt5x.run_record import write_whole

_INPUTS, _TARGETS = "encoder_input_tokens", "decoder_target_tokens"
_SEGMENTS = {_INPUTS: "encoder_segment_ids", _TARGETS: "decoder_segment_ids"}


class Anomaly(Exception):
    """A step that must not be built upon.

    Attributes:
      what: what is wrong, as 'the loss is nan'.
      step: the step at which it is known.
      begin: the step at which it began.
      batch: the batch of the step at which it began.
      spike: whether it is a loss spike, and not a figure that is no number.
    """

    def __init__(self, what: str, step: int, begin: int, batch: NumberedBatch, spike: bool):
        super().__init__(what)
        self.what, self.step, self.begin = what, step, begin
        self.batch, self.spike = batch, spike

    @property
    def last_batch(self) -> int:
        """The number of the batch of `step`, where none in between was left out."""
        return self.batch.number + self.step - self.begin


@contextlib.contextmanager
def explained(model_dir: Path, vocabulary: Any, wait: Callable[[], None]) -> Iterator[None]:
    """Turns an `Anomaly` into a `UserError`, and writes its batch to stopped_at_STEP.jsonl.

    Args:
      model_dir: the run's folder.
      vocabulary: the SeqIO vocabulary that decodes the batch; None leaves it in token ids.
      wait: returns when the checkpoint that is being saved, if any, is whole.
    """
    try:
        yield
    except Anomaly as anomaly:
        wait()
        file = model_dir / f"stopped_at_{anomaly.step}.jsonl"
        where = f"its examples are in {file}"
        try:
            if jax.process_index() == 0:
                write_whole(file, "".join(_lines(anomaly.batch, vocabulary)))
        except UserError as error:
            where = str(error)
        raise UserError(f"{_sentence(anomaly, where)}; {_advice(anomaly, model_dir)}") from None


def _sentence(anomaly: Anomaly, where: str) -> str:
    first, last = anomaly.batch.number, anomaly.last_batch
    if anomaly.begin == anomaly.step:
        return f"{anomaly.what} at step {anomaly.step}, on batch {first} of the data ({where})"
    return (
        f"{anomaly.what} from step {anomaly.begin} to {anomaly.step}, since batch {first} of the "
        f"data ({where}), the last being {last}"
    )


def _advice(anomaly: Anomaly, model_dir: Path) -> str:
    folders = model_dir.glob(f"{native.PREFIX}_*")
    steps = sorted(n for n in map(native.step_of, folders) if n is not None)
    good = [step for step in steps if step < anomaly.begin]
    doubtful = [step for step in steps if step >= anomaly.begin]
    first, last = anomaly.batch.number, anomaly.last_batch
    skip = f"[{first}]" if first == last else f"[({first}, {last})]"
    go_on = f"--gin.SKIP_BATCHES='{skip}' leaves the data out"
    if anomaly.spike:
        go_on += ", --gin.LOSS_SPIKE_FACTOR=None goes through it"
    go_on += "; if it comes again, begin a run with a lower learning rate"
    if doubtful:
        names = " and ".join(f"checkpoint_{step}" for step in doubtful)
        kept = (
            f"checkpoint_{good[-1]} is the last from before it" if good else "none is from before"
        )
        return f"delete {names}, saved since ({kept}), and run again: {go_on}"
    if not good:
        return f"no checkpoint was saved before it, so run again from the start: {go_on}"
    return f"run again to go on from the last good checkpoint, checkpoint_{good[-1]}: {go_on}"


def _lines(batch: NumberedBatch, vocabulary: Any) -> Iterator[str]:
    """One JSON line for each example of the batch: its place, texts and token ids."""
    arrays = {name: np.asarray(value) for name, value in batch.features.items()}
    for row in range(len(arrays[_INPUTS])):
        for segment in _segments(arrays, row):
            found: dict[str, Any] = {"batch": batch.number, "row": row, "example": segment}
            for name, words in ((_INPUTS, "inputs"), (_TARGETS, "targets")):
                ids = arrays[name][row][_mask(arrays, name, row) == segment].tolist()
                if vocabulary is not None:
                    found[words] = vocabulary.decode(ids)
                found[f"{words}_ids"] = ids
            yield json.dumps(found, ensure_ascii=False) + "\n"


def _segments(arrays: dict[str, np.ndarray], row: int) -> list[int]:
    found = {n for name in _SEGMENTS for n in np.unique(_mask(arrays, name, row)).tolist()}
    return sorted(found - {0})


def _mask(arrays: dict[str, np.ndarray], name: str, row: int) -> np.ndarray:
    """The example that each position belongs to, 0 for padding; unpacked rows have example 1."""
    segments = arrays.get(_SEGMENTS[name])
    return (arrays[name][row] > 0).astype(np.int32) if segments is None else segments[row]
