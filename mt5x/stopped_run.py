"""What is left for the person when a run stops itself: a sentence, and the batch to look at."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mt5x.batch_stream import NumberedBatch
from mt5x.checkpoints import native
from mt5x.errors import UserError
from mt5x.whole_file import write_whole

_INPUTS, _TARGETS = "encoder_input_tokens", "decoder_target_tokens"
_SEGMENTS = {_INPUTS: "encoder_segment_ids", _TARGETS: "decoder_segment_ids"}


class Anomaly(Exception):
    """Steps that must not be built upon.

    Attributes:
      what: what is wrong, as 'the loss is nan'.
      step: the step at which it is known.
      begin: the step at which it is first seen.
      batches: those that may be the cause, in their order.
      spike_until: where the loss was high, the number of the last batch; None where only a
        figure was no number.
    """

    def __init__(
        self,
        what: str,
        step: int,
        begin: int,
        batches: list[NumberedBatch],
        spike_until: int | None = None,
    ):
        super().__init__(what)
        self.what, self.step, self.begin = what, step, begin
        self.batches, self.spike_until = batches, spike_until

    @property
    def last_good_step(self) -> int:
        """The last step whose state is sound: of a spike, one whose next loss was not high."""
        return self.begin - (1 if self.spike_until is None else 2)

    @property
    def data(self) -> tuple[int, int]:
        """The numbers of the first and the last batch that it may come from."""
        first = self.batches[0].number
        return first, first if self.spike_until is None else self.spike_until


@contextlib.contextmanager
def explained(model_dir: Path, vocabulary: Any) -> Iterator[None]:
    """Turns an `Anomaly` into a `UserError`, and writes its batches to stopped_at_STEP.jsonl.

    Args:
      model_dir: the run's folder.
      vocabulary: the SeqIO vocabulary that decodes the batch; None leaves it in token ids.
    """
    try:
        yield
    except Anomaly as anomaly:
        file = model_dir / f"stopped_at_{anomaly.step}.jsonl"
        where = f"its examples are in {file}"
        try:
            if jax.process_index() == 0:
                write_whole(file, "".join(_lines(anomaly.batches, vocabulary)))
        except UserError as error:
            where = str(error)
        raise UserError(f"{_sentence(anomaly, where)}; {_advice(anomaly, model_dir)}") from None


def _sentence(anomaly: Anomaly, where: str) -> str:
    first, last = anomaly.data
    if anomaly.spike_until is None:
        return f"{anomaly.what} at step {anomaly.step}, on batch {first} of the data ({where})"
    return (
        f"{anomaly.what}, from step {anomaly.begin} to {anomaly.step}, on batches {first} to "
        f"{last} of the data ({where})"
    )


def _advice(anomaly: Anomaly, model_dir: Path) -> str:
    folders = model_dir.glob(f"{native.PREFIX}_*")
    steps = sorted(n for n in map(native.step_of, folders) if n is not None)
    good = [step for step in steps if step <= anomaly.last_good_step]
    doubtful = [step for step in steps if step > anomaly.last_good_step]
    first, last = anomaly.data
    skip = f"[{first}]" if first == last else f"[({first}, {last})]"
    go_on = f"--gin.SKIP_BATCHES='{skip}' leaves the data out"
    if anomaly.spike_until is not None:
        go_on += ", --gin.LOSS_SPIKE_FACTOR=None goes through it"
    go_on += "; if it comes again, begin a run with a lower learning rate"
    if doubtful:
        names = " and ".join(f"checkpoint_{step}" for step in doubtful)
        kept = f"checkpoint_{good[-1]} is the last good one" if good else "no other is left"
        return f"delete {names}, saved since ({kept}), and run again: {go_on}"
    if not good:
        return f"no checkpoint was saved before it, so run again from the start: {go_on}"
    return f"run again to go on from the last good checkpoint, checkpoint_{good[-1]}: {go_on}"


def _lines(batches: list[NumberedBatch], vocabulary: Any) -> Iterator[str]:
    """One JSON line for each example of the batches: its place, texts and token ids."""
    for batch in batches:
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
