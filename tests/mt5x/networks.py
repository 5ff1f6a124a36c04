"""A small network, batches for it, and T5X's reference values: material of the network's tests."""

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict

from mt5x import losses
from mt5x.model import T5Config, Transformer

SMALL = T5Config(
    vocab_size=96,
    emb_dim=16,
    num_heads=2,
    head_dim=8,
    num_encoder_layers=1,
    num_decoder_layers=1,
    mlp_dim=24,
    dropout_rate=0.1,
)


@dataclasses.dataclass(frozen=True)
class Golden:
    """One folder of reference values by T5X."""

    folder: Path
    settings: dict[str, Any]
    model: Transformer
    batch: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]

    def tree(self, prefix: str) -> dict[str, Any]:
        """The arrays under `prefix/`, as a parameter tree."""
        start = prefix + "/"
        flat = {k[len(start) :]: v for k, v in self.arrays.items() if k.startswith(start)}
        return unflatten_dict(flat, sep="/")


def load_golden(folder: Path) -> Golden:
    settings = json.loads((folder / "config.json").read_text())
    with np.load(folder / "reference.npz") as file:
        arrays = dict(file)
    names = {field.name for field in dataclasses.fields(T5Config)}
    config = T5Config(**{k: v for k, v in settings.items() if k in names})
    batch = {k.split("/")[1]: v for k, v in arrays.items() if k.startswith("batch/")}
    return Golden(folder, settings, Transformer(config), batch, arrays)


def initial_params(model: Transformer, seed: int) -> Any:
    ids = np.ones((1, 4), np.int32)

    def init(key):
        return nn.meta.unbox(model.init(key, ids, ids, ids, enable_dropout=False))["params"]

    return jax.jit(init)(jax.random.key(seed))


@partial(jax.jit, static_argnums=0)
def logits_of(
    model: Transformer, params: Any, batch: dict[str, Any], key: jax.Array | None = None
) -> jax.Array:
    """Logits of a batch; dropout only with a key."""
    logits: Any = model.apply(
        {"params": params},
        **{k: v for k, v in batch.items() if k != "decoder_loss_weights"},
        enable_dropout=key is not None,
        rngs=None if key is None else {"dropout": key},
    )
    return logits


@partial(jax.jit, static_argnums=(0, 3))
def loss_and_grads(
    model: Transformer, params: Any, batch: dict[str, Any], factor: float | str | None = None
) -> tuple[tuple[jax.Array, losses.Metrics], Any]:
    """((loss, metrics), gradients) of a batch."""

    def loss(params: Any) -> tuple[jax.Array, losses.Metrics]:
        return losses.loss_fn(model, params, batch, None, loss_normalizing_factor=factor)

    return jax.value_and_grad(loss, has_aux=True)(params)


def unpacked_batch(
    examples: list[tuple[list[int], list[int]]], source: int, target: int
) -> dict[str, np.ndarray]:
    """One row per (source ids, target ids)."""
    return packed_batch([[example] for example in examples], source, target, packed=False)


def packed_batch(
    rows: list[list[tuple[list[int], list[int]]]], source: int, target: int, packed: bool = True
) -> dict[str, np.ndarray]:
    """SeqIO's features for rows of examples that follow one another."""
    batch = {
        name: np.zeros((len(rows), target if name.startswith("decoder") else source), np.int32)
        for name in (
            "encoder_input_tokens",
            "encoder_segment_ids",
            "encoder_positions",
            "decoder_input_tokens",
            "decoder_target_tokens",
            "decoder_loss_weights",
            "decoder_segment_ids",
            "decoder_positions",
        )
    }
    for row, examples in enumerate(rows):
        start, begin = 0, 0
        for number, (inputs, targets) in enumerate(examples, start=1):
            here = slice(start, start + len(inputs))
            batch["encoder_input_tokens"][row, here] = inputs
            batch["encoder_segment_ids"][row, here] = number
            batch["encoder_positions"][row, here] = np.arange(len(inputs))
            there = slice(begin, begin + len(targets))
            batch["decoder_target_tokens"][row, there] = targets
            batch["decoder_input_tokens"][row, there] = [0, *targets[:-1]]
            batch["decoder_loss_weights"][row, there] = 1
            batch["decoder_segment_ids"][row, there] = number
            batch["decoder_positions"][row, there] = np.arange(len(targets))
            start, begin = here.stop, there.stop
    if not packed:
        for name in list(batch):
            if name.endswith(("segment_ids", "positions")):
                del batch[name]
    return batch


def random_examples(
    seed: int, count: int, source: int, target: int, vocab: int = SMALL.vocab_size
) -> list[tuple[list[int], list[int]]]:
    """(source ids, target ids) of random lengths up to the given ones, ending in 1."""
    random = np.random.default_rng(seed)

    def ids(longest: int) -> list[int]:
        length = random.integers(2, longest + 1)
        return [*random.integers(2, vocab, length - 1).tolist(), 1]

    return [(ids(source), ids(target)) for _ in range(count)]


def largest_difference(left: Any, right: Any) -> float:
    """Over two trees of the same structure."""
    left, right = flatten_dict(left, sep="/"), flatten_dict(right, sep="/")
    assert left.keys() == right.keys()
    return max(float(np.abs(np.asarray(left[k]) - np.asarray(right[k])).max()) for k in left)
