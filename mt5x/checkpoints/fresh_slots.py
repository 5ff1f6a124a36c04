"""An optimizer state for checkpoints that have none, so that T5X takes them as they are.

T5X restores parameters and optimizer together and refuses a checkpoint without the latter, as one
from Hugging Face is. Adafactor's state before its first step is zeros, of shapes that follow from
those of the parameters.
"""

import jax
import numpy as np

from mt5x.checkpoints.tensors import OPTIMIZER, Source, TensorInfo
from mt5x.optimizers import Adafactor


class WithFreshSlots(Source):
    """A source's parameters and step with Adafactor's state before the first step.

    Args:
      source: where the parameters are read.
      optimizer: decides which slots are used and which are factored; None is T5X's default.
    """

    def __init__(self, source: Source, optimizer: Adafactor | None = None):
        self.format, self.location, self.step = source.format, source.location, source.step
        self._source = source
        parameters = {
            path: jax.ShapeDtypeStruct(info.shape, np.float32)
            for path, info in source.parameters.items()
        }
        states = jax.eval_shape((optimizer or Adafactor()).init, parameters)["param_states"]
        self._slots = {
            f"{OPTIMIZER}param_states/{path}/{name}": TensorInfo(slot.shape, slot.dtype.name)
            for path, slots in states.items()
            for name, slot in slots.items()
        }
        self.tensors = {**source.parameters, **self._slots}

    def _read(self, path: str) -> np.ndarray:
        if path not in self._slots:
            return self._source.read(path)
        info = self._slots[path]
        return np.zeros(info.shape, info.dtype)
