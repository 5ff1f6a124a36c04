"""Runs the layers of a stack: one after another, recomputed in the backward pass, or scanned.

Neither choice changes the parameter tree, the dropout masks or what is computed. Names and meaning
are those of T5X's scalable_t5: `remat_policy` trades time for memory (arXiv 1604.06174), and
`scan_layers` compiles one layer instead of all of them.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from mt5x import target
from mt5x.model.config import T5Config
from mt5x.partitioning import on_one_device

Array = jax.Array

# What a layer keeps for the backward pass beside its input; 'none' keeps all.
SAVED: dict[str, Callable[..., Any]] = {
    "minimal": jax.checkpoint_policies.dots_with_no_batch_dims_saveable,
    "full": jax.checkpoint_policies.nothing_saveable,
}


# A GPU's products are left to cuBLAS (Triton's were no faster, and trying them out made up most of
# 140 s of compilation, now 60), and products that share a factor are not made one, whose parts must
# then be copied apart.
_ON_A_GPU = {"xla_gpu_enable_triton_gemm": False, "xla_gpu_dot_merger_threshold_mb": 0}


def compiler_options(config: T5Config, platform: str) -> dict[str, Any] | None:
    """What XLA must be told to do well, by platform.

    The CPU backend takes away the barriers that keep a recomputation apart from the first
    computation, and merges the two: without this, a `remat_policy` changes nothing there but in a
    loop over the layers.
    """
    if platform == "gpu":
        return {name: value for name, value in _ON_A_GPU.items() if _is_known(name, value)}
    if config.remat_policy == "none" or platform != "cpu":
        return None
    return {"xla_disable_hlo_passes": "cse_barrier_expander"}


@functools.lru_cache
def _is_known(name: str, value: Any) -> bool:
    """Whether this XLA has the option; they come and go, and one that it lacks is an error."""
    try:
        jax.jit(jnp.negative, compiler_options={name: value}).lower(0.0).compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def run_layers(
    config: T5Config,
    layers: Sequence[nn.Module],
    dropout: Sequence[tuple[Array | None, ...]],
    x: Array,
    *arguments: Any,
) -> Array:
    """Applies `layers` in turn, as `config.remat_policy` and `config.scan_layers` say.

    The masks are drawn outside, so that they are the same however the layers are run, and not
    drawn again in the backward pass; they are small beside the activations.

    Args:
        config: the network's.
        layers: bound modules of one class, called as `layer(x, *arguments, masks)`.
        dropout: the dropout masks of each layer.
        x: `[batch, length, emb_dim]`.
        *arguments: what all layers share.

    Returns:
        `[batch, length, emb_dim]`.
    """
    plain = not config.scan_layers and config.remat_policy == "none"
    if not layers or plain or layers[0].is_initializing():
        for layer, masks in zip(layers, dropout, strict=True):
            x = layer(x, *arguments, masks)
        return x
    # A module within a module cannot be transformed; one that is on its own is a pure function.
    alone = layers[0].clone(parent=None, name=None)

    def one_layer(x: Array, arguments: Any, params: Any, masks: Any) -> Array:
        result: Any = alone.apply({"params": params}, x, *arguments, masks)
        return result

    if config.remat_policy != "none":
        # Within a loop, XLA cannot undo the recomputation by merging equal expressions.
        one_layer = jax.checkpoint(
            one_layer, policy=SAVED[config.remat_policy], prevent_cse=not config.scan_layers
        )
    params = [layer.variables["params"] for layer in layers]
    if not config.scan_layers:
        return _in_turn(one_layer, params, dropout, x, arguments)
    # Layers cast their parameters before use: doing it before stacking halves the copy.
    params = [jax.tree.map(lambda leaf: leaf.astype(config.dtype), own) for own in params]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *params)
    all_masks = jax.tree.map(lambda *leaves: jnp.stack(leaves), *dropout)

    def body(x: Array, own: Any) -> tuple[Array, None]:
        return one_layer(x, arguments, *own), None

    return lax.scan(body, x, (stacked, all_masks))[0]


def _in_turn(
    one_layer: Callable[..., Array],
    params: Sequence[Any],
    dropout: Sequence[tuple[Array | None, ...]],
    x: Array,
    arguments: tuple[Any, ...],
) -> Array:
    """One layer after another; several GPUs must be told to keep in step.

    XLA's scheduler for GPUs leaves the gradients of kernels that devices will add up, and that of
    what all layers share, for later, and with them all that they are computed from: what layers had
    computed again was there of all of them at once (mt5-xl over 8 GPUs' 'fsdp' took 21.5 GiB, and
    takes 6.7). So a layer waits for the one before it, and going backward for the gradients of the
    layer after the next: while it is at work, the kernels of the next one are gathered, and the
    gradients of the last one added up.
    """
    in_step = target.is_platform("gpu") and not on_one_device()
    own = params[0]
    for masks, following in zip(dropout, [*params[1:], None], strict=True):
        if in_step:
            x, arguments, following = lax.optimization_barrier((x, arguments, following))
        x = one_layer(x, arguments, own, masks)
        own = following
    return x
