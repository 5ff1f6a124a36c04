"""Adafactor's state for checkpoints that lack it, so that T5X takes them as they are.

T5X restores parameters and optimizer together and refuses a checkpoint without the latter. One from
Hugging Face has none, a run of another optimizer has other slots, and a frozen parameter has no
slots at all. Adafactor's state before its first step is zeros, of shapes that follow from those of
the parameters.
"""

import jax
import numpy as np

from mt5x.checkpoints.tensors import OPTIMIZER, Source, TensorInfo
from mt5x.optimizers import Adafactor

_STATES = f"{OPTIMIZER}param_states/"


class WithFreshSlots(Source):
    """A source's parameters and step, and Adafactor's state: its own where it has that.

    Slots by any other name are left out. Those of a parameter that has no slot of Adafactor are as
    before the first step.

    Args:
      source: where parameters and slots are read.
      optimizer: decides which fresh slots are used and which are factored; None is T5X's default.

    Attributes:
      num_taken: tensors that are the source's.
    """

    def __init__(self, source: Source, optimizer: Adafactor | None = None):
        self.format, self.location, self.step = source.format, source.location, source.step
        self._source = source
        self._fresh: dict[str, TensorInfo] = {}
        own: dict[str, TensorInfo] = {}
        slots_there = source.slots
        shapes = {
            path: jax.ShapeDtypeStruct(info.shape, np.float32)
            for path, info in source.parameters.items()
        }
        states = jax.eval_shape((optimizer or Adafactor()).init, shapes)["param_states"]
        for path, slots in states.items():
            names = {name: f"{_STATES}{path}/{name}" for name in slots}
            found = {slot: slots_there[slot] for slot in names.values() if slot in slots_there}
            own |= found
            if not found:
                self._fresh |= {
                    names[name]: TensorInfo(slot.shape, slot.dtype.name)
                    for name, slot in slots.items()
                }
        self.num_taken = len(shapes) + len(own)
        self.tensors = {**source.parameters, **own, **self._fresh}

    def _read(self, path: str) -> np.ndarray:
        if path not in self._fresh:
            return self._source.read(path)
        info = self._fresh[path]
        return np.zeros(info.shape, info.dtype)
