"""A model as a job sees it: network, optimizer and loss settings in one hashable value.

Being hashable, it keys the compiled steps: two jobs of one process that agree in all of it share
their compilation.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax

from mt5x import losses, optimizers, path_patterns
from mt5x.model import Transformer


@dataclasses.dataclass(frozen=True)
class EncoderDecoderModel:
    """T5X's `models.EncoderDecoderModel`: the same role and the same argument names.

    Attributes:
      module: the network.
      optimizer_def: the optimizer.
      vocabulary: the SeqIO vocabulary that the tasks use; the network must have at least as many
        rows. It takes no part in comparisons.
      z_loss: weight of the squared log-partition term.
      label_smoothing: probability mass given to all other tokens.
      loss_normalizing_factor: divides the summed loss: a number, 'NUM_REAL_TARGET_TOKENS', or None
        for the plain sum.
      freeze: parameters whose whole path one of these regular expressions matches stay as they
        are: they have no gradient and no place in the optimizer's state (`freezing`).
    """

    module: Transformer
    optimizer_def: optimizers.Optimizer
    vocabulary: Any = dataclasses.field(default=None, compare=False)
    z_loss: float = 1e-4
    label_smoothing: float = 0.0
    loss_normalizing_factor: float | str | None = None
    freeze: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Makes a list, as gin gives it, hashable, and refuses what is no pattern."""
        object.__setattr__(self, "freeze", path_patterns.checked("FREEZE", self.freeze))

    def loss_fn(
        self, params: Any, batch: losses.Batch, dropout_rng: jax.Array | None
    ) -> tuple[jax.Array, dict[str, tuple[jax.Array, jax.Array]]]:
        """Returns the loss and its mergeable (sum, count) metrics; no dropout without a key."""
        return losses.loss_fn(
            self.module,
            params,
            batch,
            dropout_rng,
            z_loss=self.z_loss,
            label_smoothing=self.label_smoothing,
            loss_normalizing_factor=self.loss_normalizing_factor,
        )
