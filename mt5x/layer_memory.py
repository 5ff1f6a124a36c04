"""What one layer leaves to the backward pass, by tracing it as a device sees it."""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.extend
import jax.numpy as jnp

from mt5x.model import T5Config
from mt5x.model.config import REMAT_POLICIES
from mt5x.model.stack import SAVED
from mt5x.model.transformer import DecoderLayer, EncoderLayer

# By JAX's names; other shapes of the same numbers among them.
_ARITHMETIC = frozenset(
    {"add", "sub", "mul", "div", "neg", "integer_pow", "broadcast_in_dim", "reshape", "squeeze"}
)


def share_of(config: T5Config, parts: int) -> T5Config:
    """The network as one device of the model axis computes it; what does not divide is whole."""

    def share(size: int) -> int:
        return size // parts if size % parts == 0 else size

    return dataclasses.replace(
        config, num_heads=share(config.num_heads), mlp_dim=share(config.mlp_dim)
    )


@dataclasses.dataclass(frozen=True)
class Kept:
    """Bytes that a layer leaves to the backward pass.

    Attributes:
      per_row: for each sequence.
      constant: whatever the sequences.
      largest: of its largest array, for each sequence.
      cheap: of the arrays in `per_row` that follow from the others by arithmetic. What is computed
        again for the backward pass, and used there at once, does without them.
    """

    per_row: int
    constant: int
    largest: int
    cheap: int

    def of(self, rows: int) -> int:
        """Bytes for so many sequences."""
        return rows * self.per_row + self.constant


@functools.lru_cache(maxsize=256)
def layer_bytes(config: T5Config, kind: str, inputs: int, targets: int) -> dict[str, Kept]:
    """What one layer leaves to the backward pass under each policy."""

    def array(*dims: int, dtype: Any = config.dtype) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(dims, dtype)

    length = inputs if kind == "encoder" else targets
    x, source = array(1, length, config.emb_dim), array(1, inputs, config.emb_dim)
    mask = array(1, 1, length, length, dtype=jnp.bool_)
    per_layer = config.relative_bias_per_layer
    bias = None if per_layer else array(1, config.num_heads, length, length)
    layer: Any
    drawn: tuple[Any, ...]
    shared: tuple[Any, ...]
    if kind == "encoder":
        layer, drawn, shared = EncoderLayer(config), (x,), (mask, bias)
    else:
        cross = array(1, 1, targets, inputs, dtype=jnp.bool_)
        layer, drawn, shared = DecoderLayer(config), (x, source), (source, mask, cross, bias)
    key = jax.eval_shape(lambda: jax.random.key(0))
    masks = jax.eval_shape(
        lambda key, *drawn: layer.apply(
            {}, *drawn, True, method="draw_masks", rngs={"dropout": key}
        ),
        key, *drawn,
    )  # fmt: skip
    boxed = jax.eval_shape(lambda key, *rest: layer.init(key, *rest), key, x, *shared, masks)
    params = nn.unbox(boxed)["params"]
    return {
        policy: _left_to_backward(layer, policy, params, x, shared, masks)
        for policy in REMAT_POLICIES
    }


def _left_to_backward(
    layer: Any, policy: str, params: Any, x: Any, shared: Any, masks: Any
) -> Kept:
    """Traces a layer and adds up what `jax.vjp` keeps; what all layers share is not its own.

    XLA does not keep what costs nothing to make again of what is kept: masks that are repeated,
    and multiples.
    """

    def one_layer(x: Any, params: Any, masks: Any, shared: Any) -> Any:
        return layer.apply({"params": params}, x, *shared, masks)

    function = one_layer if policy == "none" else jax.checkpoint(one_layer, policy=SAVED[policy])

    def forward(x: Any, params: Any, masks: Any, shared: Any) -> Any:
        # Dropout masks are drawn, and have no gradient.
        rest = functools.partial(_in_order, function, masks)
        return jax.tree.leaves(jax.vjp(rest, x, params, shared)[1])

    jaxpr = jax.make_jaxpr(forward)(x, params, masks, shared).jaxpr
    own = len(jax.tree.leaves((x, params, masks)))
    not_ours = set(jaxpr.invars[1 : 1 + len(jax.tree.leaves(params))] + jaxpr.invars[own:])
    multiples = {
        eqn.outvars[0]: next(v for v in eqn.invars if v.aval.shape)
        for eqn in jaxpr.eqns
        if eqn.primitive is jax.lax.mul_p
        and sorted(v.aval.shape == () for v in eqn.invars) == [False, True]
    }
    kernels = {leaf.shape for leaf in jax.tree.leaves(params)}
    per_row = constant = largest = cheap = 0
    left = {v for v in jaxpr.outvars if isinstance(v, jax.extend.core.Var)}
    counted = {multiples.get(v, v) for v in left} - not_ours
    follows = _following(jaxpr, counted)
    for value in counted:
        size: Any = value.aval
        size_bytes = size.size * size.dtype.itemsize
        if size.dtype == jnp.bool_:
            continue
        if size.shape in kernels:
            # Cast, and gathered over 'fsdp': kept where nothing is computed again.
            constant += size_bytes
        else:
            per_row += size_bytes
            largest = max(largest, size_bytes)
            cheap += size_bytes if value in follows else 0
    return Kept(per_row, constant, largest, cheap)


def _following(jaxpr: Any, values: set[Any]) -> set[Any]:
    """Those of the values that follow by arithmetic from the others and from what came in."""
    sources = {v: eqn for eqn in jaxpr.eqns for v in eqn.outvars}

    def is_arithmetic(value: Any) -> bool:
        return value in sources and sources[value].primitive.name in _ARITHMETIC

    there = {*jaxpr.invars, *jaxpr.constvars, *(v for v in values if not is_arithmetic(v))}
    for eqn in jaxpr.eqns:
        arrays = [v for v in eqn.invars if isinstance(v, jax.extend.core.Var)]
        if eqn.primitive.name in _ARITHMETIC and there.issuperset(arrays):
            there.update(eqn.outvars)
    return {v for v in values if is_arithmetic(v) and v in there}


def _in_order(function: Any, masks: Any, x: Any, params: Any, shared: Any) -> Any:
    return function(x, params, masks, shared)
