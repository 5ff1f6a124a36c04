"""The textbook's evaluation, what T5X does: a language at a time, padded inputs, decoded labels.

Every input is padded to one length, and every batch is decoded greedily up to the targets' length
with the engine's own network and caches: what is measured is the way, not the kernels. The
cross-attention's keys and values are computed again at every step, as T5X does.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from mt5x import decoding, length_buckets, steps
from mt5x.benchmarks import recomputing_decode
from mt5x.length_buckets import TokenIds
from mt5x.models import EncoderDecoderModel


def decoded_ids(
    model: EncoderDecoderModel,
    params: Any,
    mesh: Mesh,
    languages: Sequence[Sequence[TokenIds]],
    batch_size: int,
    input_length: int,
    target_length: int,
) -> list[np.ndarray]:
    """Decodes the inputs of each language, one language after another.

    Args:
      model: the model.
      params: its parameters, on `mesh`.
      mesh: the devices.
      languages: each language's inputs, token ids with EOS, no longer than `input_length`.
      batch_size: rows decoded together; a language's last batch is filled up.
      input_length: what every input is padded to.
      target_length: tokens of a decode.

    Returns:
      For each language int32 [inputs, target_length], 0 after the end token.
    """
    network = EncoderDecoderModel(
        recomputing_decode.of(model.module), model.optimizer_def, model.vocabulary
    )
    step = steps.decode_step(network, mesh, decoding.GREEDY.compiled_for(target_length))
    key = jax.random.key(0)
    found = []
    for inputs in languages:
        rows = []
        for start in range(0, len(inputs), batch_size):
            chosen = inputs[start : start + batch_size]
            batch = {
                "tokens": length_buckets.padded(chosen, batch_size, input_length),
                "rows": np.arange(batch_size, dtype=np.int32),
            }
            decodes = step(params, steps.place(batch, mesh), key)
            rows.append(np.asarray(decodes.ids)[: len(chosen), 0])
        found.append(np.concatenate(rows))
    return found
