"""A model as a job sees it: network, optimizer and loss settings in one hashable value.

Being hashable, it keys the compiled steps: two jobs of one process that agree in all of it share
their compilation.
"""

import dataclasses
from typing import Any

import jax

from mt5x import losses, optimizers
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
    """

    module: Transformer
    optimizer_def: optimizers.Adafactor
    vocabulary: Any = dataclasses.field(default=None, compare=False)
    z_loss: float = 1e-4
    label_smoothing: float = 0.0
    loss_normalizing_factor: float | str | None = None

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
