"""The training step is compiled while the data and the checkpoint are still being read.

JAX keeps what it traced, lowered and compiled: the step that is later called on arrays of these
shapes finds all of it, and compiles nothing. Where the compiler fails here, nothing is said: the
call will meet the same failure, where it is expected.
"""

import threading
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from mt5x import partitioning, steps
from mt5x.models import EncoderDecoderModel
from mt5x.train_state import abstract_state, state_shardings

_compiling: set[threading.Thread] = set()


def compile_train_step(
    model: EncoderDecoderModel,
    mesh: Mesh,
    num_microbatches: int,
    batch: Mapping[str, tuple[int, ...]],
) -> threading.Thread:
    """Begins to compile `steps.train_step`, in a thread to be joined before the first step.

    Args:
      model: the model.
      mesh: the devices.
      num_microbatches: as for `steps.train_step`.
      batch: shapes of a global batch's features, int32 all.
    """

    # Here and not in the thread: the caller goes on to ask for the same.
    state = jax.tree.map(
        lambda array, place: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=place),
        abstract_state(model),
        state_shardings(model, mesh),
    )
    rows = partitioning.batch_sharding(mesh)
    features = {
        name: jax.ShapeDtypeStruct(shape, jnp.int32, sharding=rows) for name, shape in batch.items()
    }
    key = jax.eval_shape(lambda: jax.random.key(0))
    rate = jax.ShapeDtypeStruct((), jnp.float32)
    step = steps.train_step(model, mesh, num_microbatches)

    def compile_step() -> None:
        try:
            step.lower(state, features, key, rate).compile()  # type: ignore[attr-defined]
        except Exception:
            # See above.
            return
        finally:
            _compiling.discard(threading.current_thread())

    thread = threading.Thread(target=compile_step, name="compile the training step")
    _compiling.add(thread)
    thread.start()
    return thread


def under_way() -> bool:
    """Whether something is being compiled, which the end of the process would wait for."""
    return bool(_compiling)
