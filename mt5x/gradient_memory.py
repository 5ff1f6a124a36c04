"""What the loss and the gradients take of a device's memory, at each of a step's worst moments.

What XLA's compilers do at them was read off the steps that they assign (tests/mt5x/budget.py for a
CPU, tests/mt5x/device_compiler.py for GPUs and TPUs), where it does not follow from the shapes.
"""

import functools
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from mt5x import freezing, losses, partitioning, target, train_state, used_rows
from mt5x.models import EncoderDecoderModel
from mt5x.optimizers import alike
from mt5x.step_setting import Setting

EMBEDDING, _LOGITS = "token_embedder/embedding", "decoder/logits_dense/kernel"


def logits(model: EncoderDecoderModel, setting: Setting) -> int:
    """Bytes of the logits of one piece of the loss, their gradient, and their table's.

    A table that is multiplied in another type, or gathered over 'fsdp', is counted, too.
    """
    config = model.module.config
    vocab = _vocabulary_share(model, setting)
    table = 4 * config.emb_dim * vocab
    every = setting.rows * setting.targets * vocab * 4
    with target.planned(setting.target):
        pieces = min(-(-every // losses.room_for_logits()), setting.targets)
        half = losses.operand_dtype(config.dtype) == jnp.bfloat16
    piece = every // pieces
    # The logits' gradient, where it is multiplied in another type.
    grad = piece // 2 if half else 0
    # The sum of the table's gradient over several pieces.
    summed = table if pieces > 1 else 0
    if half and _on_gpu(setting):
        # The table, too, is multiplied in the other type. It is beside the logits, and of one piece
        # given up before its gradient is there.
        multiplied = table // 2
        if pieces > 1:
            return summed + grad + multiplied + max(piece, table)
        return grad + max(piece + multiplied, table)
    gathered = table if _is_fully_sharded(setting) else 0
    return piece + grad + table + summed + gathered


def zeros(model: EncoderDecoderModel, setting: Setting) -> int:
    """Of the embedding's gradient, which XLA makes when it likes: for a GPU, late."""
    return 0 if _on_gpu(setting) else tables(model, setting)["embedding"]


def in_the_loss(model: EncoderDecoderModel, setting: Setting) -> int:
    """Beside what layers have kept: the zeros, and the embedding where it is still gathered.

    So it may be on a GPU, unless recomputation keeps layers in step (`model.stack`); a TPU has it
    gathered for long.
    """
    still_gathered = _gathers_for_long(model, setting)
    if _on_gpu(setting):
        still_gathered = _is_fully_sharded(setting) and setting.remat_policy == "none"
    gathered = tables(model, setting)["embedding"] if still_gathered else 0
    return zeros(model, setting) + gathered


def in_the_decoder(model: EncoderDecoderModel, setting: Setting) -> int:
    """The gradients of the tables over the vocabulary, while the decoder goes backward."""
    return tables(model, setting)["logits"] + zeros(model, setting)


def in_the_encoder(model: EncoderDecoderModel, setting: Setting) -> int:
    """The decoder's gradients, while the encoder goes backward."""
    of_decoder = _local(model, setting, "decoder")
    if not _on_gpu(setting):
        return of_decoder
    table = tables(model, setting)["logits"]
    of_kernels = of_decoder - table
    if _stays_in_half(model, setting):
        of_kernels //= 2
    return table + of_kernels // setting.partitioner.fsdp_partitions


def at_the_end(model: EncoderDecoderModel, setting: Setting, gradients: int) -> int:
    """All gradients, and what is there while they are summed over the rows' devices.

    Args:
      model: the model.
      setting: what the step is made of.
      gradients: bytes on a device of the gradients, once they are summed.
    """
    if not _on_gpu(setting):
        return gradients + _summed_over_devices(model, setting)
    of_tables = sum(tables(model, setting).values())
    if _is_fully_sharded(setting):
        return gradients + of_tables
    if _stays_in_half(model, setting):
        gradients = of_tables + (gradients - of_tables) // 2
    return gradients + _stacked(model)


def tables(model: EncoderDecoderModel, setting: Setting) -> dict[str, int]:
    """Bytes of the gradients of the two tables over the vocabulary, before devices are summed."""
    table = 4 * model.module.config.emb_dim * _vocabulary_share(model, setting)
    trained = _local_sizes(model, setting.partitioner.num_partitions)
    return {
        "embedding": table - spared(model, setting) if EMBEDDING in trained else 0,
        "logits": table if _LOGITS in trained else 0,
    }


def spared(model: EncoderDecoderModel, setting: Setting) -> int:
    """Bytes of the embedding's gradient that a step never holds (`used_rows`)."""
    num_ids = setting.batch_size * (setting.inputs + setting.targets)
    if setting.mesh.size > 1 or not used_rows.worth(model, num_ids):
        return 0
    # The rows themselves are held, too, beside their gradient.
    config = model.module.config
    return 4 * config.emb_dim * (config.vocab_size - 2 * num_ids)


def _summed_over_devices(model: EncoderDecoderModel, setting: Setting) -> int:
    """Beside the gradients, what is there while they are summed over the rows' devices.

    That is what goes into the sum, and what the embedding gets from the inputs and from the
    targets, which are summed apart. Over 'fsdp' gradients are split as they are summed, one after
    another, and the worst is the embedding's; but a TPU, unless it loops over the layers, sums all
    in the end, with both tables still gathered.
    """
    if partitioning.batch_parts(setting.mesh) == 1:
        return 0
    found = tables(model, setting)
    if _gathers_for_long(model, setting):
        return _local(model, setting) + 2 * sum(found.values())
    if _is_fully_sharded(setting):
        return 2 * max(2 * found["embedding"], found["logits"])
    return _local(model, setting) + 2 * found["embedding"]


def _on_gpu(setting: Setting) -> bool:
    return setting.target.platform == "gpu"


def _is_fully_sharded(setting: Setting) -> bool:
    return setting.partitioner.fsdp_partitions > 1


def _gathers_for_long(model: EncoderDecoderModel, setting: Setting) -> bool:
    """Whether what is split over 'fsdp' is gathered at the beginning and summed in the end."""
    split = _is_fully_sharded(setting) and setting.target.platform == "tpu"
    return split and not model.module.config.scan_layers


def _stays_in_half(model: EncoderDecoderModel, setting: Setting) -> bool:
    """Whether kernels' gradients stay in bfloat16 until they are used: where none are summed."""
    return setting.mesh.size == 1 and model.module.config.dtype == jnp.bfloat16


def _stacked(model: EncoderDecoderModel) -> int:
    """Bytes of the largest stack of small parameters: they, their gradients, and they anew."""
    small = Counter(size for size in _local_sizes(model, 1).values() if size < 4 * alike.LARGE)
    stacks = (size * min(count, alike.AT_ONCE) for size, count in small.items())
    return 3 * max(stacks, default=0)


def _vocabulary_share(model: EncoderDecoderModel, setting: Setting) -> int:
    """Columns of the logits on a device."""
    parts, size = setting.partitioner.num_partitions, model.module.config.vocab_size
    return size // (parts if size % parts == 0 else 1)


def _local(model: EncoderDecoderModel, setting: Setting, under: str = "") -> int:
    """Bytes of the gradients of a device's own rows: split over 'model' alone."""
    sizes = _local_sizes(model, setting.partitioner.num_partitions)
    whole = sum(size for path, size in sizes.items() if path.startswith(under))
    return whole - (spared(model, setting) if EMBEDDING.startswith(under) else 0)


@functools.lru_cache(maxsize=64)
def _local_sizes(model: EncoderDecoderModel, num_partitions: int) -> Mapping[str, int]:
    """Bytes of each trained parameter, by its path, on one device of the model axis."""
    mesh = partitioning.abstract_mesh(1, num_partitions)
    shapes, places = (
        flatten_dict(freezing.split(tree, model.freeze)[0], sep="/")
        for tree in (
            train_state.abstract_state(model).params,
            train_state.state_shardings(model, mesh).params,
        )
    )

    def size(path: str) -> int:
        leaf: Any = shapes[path]
        return math.prod(places[path].shard_shape(leaf.shape)) * int(leaf.dtype.itemsize)

    return {path: size(path) for path in shapes}
