"""What a training step is made of, beside the model's sizes: for plans."""

import dataclasses

import jax

from mt5x import partitioning
from mt5x.partitioning import Partitioner
from mt5x.target import UNKNOWN, Target


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a training step is made of, beside the model's sizes.

    Attributes:
      devices: all devices of the run.
      partitioner: how they are arranged.
      remat_policy: T5Config's.
      num_microbatches: parts that a batch is computed in.
      batch_size: sequences of a step, over all devices.
      inputs: length of the inputs in tokens.
      targets: length of the targets in tokens.
      target: the kind of the devices.
    """

    devices: int
    partitioner: Partitioner = Partitioner()
    remat_policy: str = "none"
    num_microbatches: int = 1
    batch_size: int = 128
    inputs: int = 1024
    targets: int = 128
    target: Target = UNKNOWN

    @property
    def mesh(self) -> jax.sharding.AbstractMesh:
        """The mesh, of devices that need not be there."""
        return partitioning.abstract_mesh(*self.partitioner.axis_sizes(self.devices))

    @property
    def rows(self) -> int:
        """Sequences that a device computes at once."""
        return self.batch_size // self.num_microbatches // partitioning.batch_parts(self.mesh)

    def check(self) -> None:
        """Refuses what training would refuse.

        Raises:
          UserError: partitions, microbatches or batch do not divide.
        """
        partitioning.check_batch_size(self.mesh, self.batch_size, self.num_microbatches)
