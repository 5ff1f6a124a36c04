"""The rows of the embedding that a batch uses: a step gathers those, and knows of no others.

Of mT5's 250,112 rows a batch uses some thousand. The network is given a table of those rows alone
and a batch whose ids count in it; the gradient is as small as that table, and an optimizer that
leaves rows without a gradient as they are (Adafactor in T5's recipe) reads and writes those rows.
Else a step of mt5-small on a CPU spends an eighth of its time on zeros.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from mt5x import path_patterns
from mt5x.models import EncoderDecoderModel
from mt5x.optimizers import RowGradient
from mt5x.partitioning import on_one_device

Array = jax.Array
Batch = Mapping[str, Any]

_MODULE, _TABLE = "token_embedder", "embedding"
_LOOKED_UP = ("encoder_input_tokens", "decoder_input_tokens")

# Numbers of a table from which it is worth sorting the ids of a batch.
LEAST_SIZE = 2**22
# How many times as many rows the table must have as the batch has ids.
LEAST_SHARE = 4


def ids_of(batch: Batch) -> int:
    """How many ids a batch looks up."""
    return sum(batch[name].size for name in _LOOKED_UP)


def worth(model: EncoderDecoderModel, num_ids: int) -> bool:
    """Whether a step that looks so many ids up takes the rows apart.

    Not on several devices, each of which would have its own; nor where the table is the logits'
    kernel, too, or frozen, or where the optimizer changes rows without a gradient.
    """
    config = model.module.config
    shape = (config.vocab_size, config.emb_dim)
    return (
        on_one_device()
        and shape[0] * shape[1] >= LEAST_SIZE
        and shape[0] >= LEAST_SHARE * num_ids
        and not config.logits_via_embedding
        and not path_patterns.matches(f"{_MODULE}/{_TABLE}", model.freeze)
        and model.optimizer_def.takes_rows(shape)
    )


def of_batch(params: Any, batch: Batch) -> tuple[Any, Batch, Array]:
    """The same parameters and the same batch in terms of the rows that the batch uses.

    Args:
        params: the embedding `[vocab_size, emb_dim]`.
        batch: features of a training batch.

    Returns:
        The parameters with an embedding `[n, emb_dim]`, the batch with ids below n in what is
        looked up (padding stays 0), and the ids of the n rows as in `RowGradient`.
    """
    table = params[_MODULE][_TABLE]
    tokens = [batch[name] for name in _LOOKED_UP]
    # As `Embed` does, ids outside are clipped; and padding is there, and comes first.
    flat = [jnp.zeros((1,), jnp.int32), *(jnp.ravel(one) for one in tokens)]
    every = jnp.clip(jnp.concatenate(flat), 0, len(table) - 1)
    ids, places = jnp.unique(every, return_inverse=True, size=len(every), fill_value=len(table))
    found = jnp.split(places[1:].astype(jnp.int32), [tokens[0].size])
    looked_up = {
        name: own.reshape(ids_before.shape)
        for name, own, ids_before in zip(_LOOKED_UP, found, tokens, strict=True)
    }
    rows = jnp.take(table, ids, axis=0, mode="clip")
    return _with_table(params, rows), {**batch, **looked_up}, ids


def in_the_table(grads: Any, ids: Array) -> Any:
    """Gradients of such parameters as those of the whole ones."""
    return _with_table(grads, RowGradient(ids, grads[_MODULE][_TABLE]))


def _with_table(tree: Any, table: Any) -> Any:
    return {**tree, _MODULE: {**tree[_MODULE], _TABLE: table}}
