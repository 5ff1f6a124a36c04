"""What a compiled step takes of a device's memory, by the compiler's own account.

Nothing is allocated and nothing runs: the step is compiled from shapes, so the largest models cost
only the time to compile them. The account is that of one compiler: XLA's CPU backend widens
bfloat16 in places and fuses otherwise than the GPU's or TPU's, so a step compiled for another
backend takes somewhat more or less.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from mt5x import steps, target, train_state
from mt5x.models import EncoderDecoderModel

# The lengths of a batch's features: of the inputs or of the targets.
_OF_INPUTS = ("encoder_input_tokens",)
_OF_TARGETS = ("decoder_input_tokens", "decoder_target_tokens", "decoder_loss_weights")

# The machine code's quality is no matter, and good code takes half of the time to compile; buffers
# are assigned before any is made. Other backends do not know the option.
_CPU_OPTIONS = {"xla_backend_optimization_level": 0}


@dataclasses.dataclass(frozen=True)
class Allocation:
    """Bytes on one device of a compiled function.

    Attributes:
      arguments: what comes in.
      outputs: what goes out.
      donated: outputs that take the place of arguments.
      temporaries: all else, at the worst moment.
    """

    arguments: int
    outputs: int
    donated: int
    temporaries: int

    @property
    def peak(self) -> int:
        """Most that is held at once, bytes."""
        return self.arguments + self.outputs - self.donated + self.temporaries


def of(compiled: jax.stages.Compiled) -> Allocation:
    """Reads the account of a compiled function."""
    found: Any = compiled.memory_analysis()
    return Allocation(
        arguments=found.argument_size_in_bytes,
        outputs=found.output_size_in_bytes,
        donated=found.alias_size_in_bytes,
        temporaries=found.temp_size_in_bytes,
    )


def abstract_batch(
    batch_size: int, inputs: int, targets: int, packed: bool = False
) -> dict[str, jax.ShapeDtypeStruct]:
    """The shapes of a batch as training takes it, int32 `[batch_size, length]` each."""
    lengths = dict.fromkeys(_OF_INPUTS, inputs) | dict.fromkeys(_OF_TARGETS, targets)
    if packed:
        lengths |= {"encoder_segment_ids": inputs, "decoder_segment_ids": targets}
    return {
        name: jax.ShapeDtypeStruct((batch_size, length), jnp.int32)
        for name, length in lengths.items()
    }


def compiled_train_step(
    model: EncoderDecoderModel,
    mesh: Mesh,
    batch: dict[str, jax.ShapeDtypeStruct],
    num_microbatches: int = 1,
) -> jax.stages.Compiled:
    """Compiles a training step on `mesh` from shapes alone."""
    key = jax.eval_shape(lambda: jax.random.key(0))
    rate = jax.ShapeDtypeStruct((), jnp.float32)
    step: Any = steps.train_step(model, mesh, num_microbatches)
    return compiled(step.lower(train_state.abstract_state(model), batch, key, rate))


def compiled(lowered: jax.stages.Lowered) -> jax.stages.Compiled:
    """Compiles for its figures, not to run fast."""
    options: Any = _CPU_OPTIONS if target.is_platform("cpu") else None
    return lowered.compile(options)
