"""What one layer leaves to the backward pass, by tracing it as a device sees it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.extend
import jax.numpy as jnp

from mt5x import target
from mt5x.model import T5Config, fused_attention
from mt5x.model.config import REMAT_POLICIES
from mt5x.model.fused_attention import Segments
from mt5x.model.stack import SAVED
from mt5x.model.transformer import DecoderLayer, EncoderLayer
from mt5x.target import Target

# By JAX's names; other shapes of the same numbers among them.
_ARITHMETIC = frozenset(
    {"add", "sub", "mul", "div", "neg", "integer_pow", "broadcast_in_dim", "reshape", "squeeze"}
)
_CASTS = frozenset({"convert_element_type"})
# Other shapes of the same numbers.
_VIEWS = frozenset({"reshape", "squeeze", "transpose", "broadcast_in_dim"})
# What softmax, masks ('jit' is that of `jnp.where`) and activations are made of.
_MADE_AGAIN_ON_A_TPU = frozenset({"exp", "tanh", "integer_pow", "sub", "jit", "select_n"})


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
def layer_bytes(
    config: T5Config, kind: str, inputs: int, targets: int, device: Target
) -> dict[str, Kept]:
    """What one layer leaves to the backward pass on such a device, under each policy."""
    with target.planned(device):
        return _layer_bytes(config, kind, inputs, targets)


def _layer_bytes(config: T5Config, kind: str, inputs: int, targets: int) -> dict[str, Kept]:
    def array(*dims: int, dtype: Any = config.dtype) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(dims, dtype)

    length = inputs if kind == "encoder" else targets
    x, source = array(1, length, config.emb_dim), array(1, inputs, config.emb_dim)
    mask = _mask(config, length, length, causal=kind == "decoder")
    per_layer = config.relative_bias_per_layer
    bias = None if per_layer else array(1, config.num_heads, length, length)
    layer: Any
    drawn: tuple[Any, ...]
    shared: tuple[Any, ...]
    if kind == "encoder":
        layer, drawn, shared = EncoderLayer(config), (x,), (mask, bias)
    else:
        cross = _mask(config, targets, inputs, causal=False)
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


def _mask(config: T5Config, queries: int, keys: int, causal: bool) -> Any:
    """Who sees whom, in the form that `attention.who_sees_whom` gives it."""
    if not fused_attention.serves(config, queries, keys):
        return jax.ShapeDtypeStruct((1, 1, queries, keys), jnp.bool_)
    query: Any = jax.ShapeDtypeStruct((1, queries), jnp.int32)
    key: Any = jax.ShapeDtypeStruct((1, keys), jnp.int32)
    return Segments(query, key, causal)


def _left_to_backward(
    layer: Any, policy: str, params: Any, x: Any, shared: Any, masks: Any
) -> Kept:
    """Traces a layer and adds up what `jax.vjp` keeps; what all layers share is not its own.

    XLA does not keep what costs nothing to make again of what is kept: masks that are repeated,
    multiples, wider casts.
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
    not_ours |= _of_these_alone(jaxpr, set(jaxpr.invars[own:]))
    kernels = {leaf.shape for leaf in jax.tree.leaves(params)}
    per_row = constant = largest = cheap = 0
    sources = {v: eqn for eqn in jaxpr.eqns for v in eqn.outvars}
    left = {
        _origin(v, sources, _is_multiple)
        for v in jaxpr.outvars
        if isinstance(v, jax.extend.core.Var)
    }
    follows = {_origin(v, sources, _is_view) for v in _following(jaxpr, left - not_ours)}
    left -= {
        v
        for v in left
        if v in sources and v.aval.shape not in kernels and _is_made_again(sources[v], v in follows)
    }
    for value in {_origin(v, sources, _is_view) for v in left} - not_ours:
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


def _origin(value: Any, sources: Mapping[Any, Any], at_no_cost: Callable[[Any], bool]) -> Any:
    """What a value is made of by equations that cost nothing."""
    while value in sources and at_no_cost(sources[value]):
        value = next(v for v in sources[value].invars if v.aval.shape)
    return value


def _is_multiple(eqn: Any) -> bool:
    scalars = sorted(v.aval.shape == () for v in eqn.invars)
    return eqn.primitive is jax.lax.mul_p and scalars == [False, True]


def _is_made_again(eqn: Any, follows: bool) -> bool:
    """Whether XLA computes it again within the kernel that wants it.

    Read off what its compilers assign (tests/mt5x/device_compiler.py): a CPU keeps all, a GPU makes
    exponentials again, a TPU keeps what products need and little else.
    """
    if target.is_platform("gpu"):
        return eqn.primitive.name == "exp" or (follows and eqn.primitive.name in _CASTS)
    if target.is_platform("tpu"):
        return eqn.primitive.name in _MADE_AGAIN_ON_A_TPU or (
            follows and eqn.primitive.name != "div"
        )
    return False


def _is_view(eqn: Any) -> bool:
    """Whether all that is done is to turn, or to widen, an array."""
    if eqn.primitive is jax.lax.convert_element_type_p:
        return bool(eqn.outvars[0].aval.dtype.itemsize > eqn.invars[0].aval.dtype.itemsize)
    return eqn.primitive.name in _VIEWS and eqn.outvars[0].aval.size == eqn.invars[0].aval.size


def _of_these_alone(jaxpr: Any, inputs: set[Any]) -> set[Any]:
    """What is computed from these inputs, and constants, alone."""
    found = inputs | set(jaxpr.constvars)
    for eqn in jaxpr.eqns:
        arrays = [v for v in eqn.invars if isinstance(v, jax.extend.core.Var)]
        if found.issuperset(arrays):
            found.update(eqn.outvars)
    return found - inputs


def _following(jaxpr: Any, values: set[Any]) -> set[Any]:
    """Those of the values that follow by arithmetic from the others and from what came in.

    On a GPU casts are arithmetic, too, and so are found: the normalised, which follow from sums.
    """
    on_gpu = target.is_platform("gpu")
    arithmetic = _ARITHMETIC | (_CASTS if on_gpu else frozenset())
    there, found = {*jaxpr.invars, *jaxpr.constvars}, set()
    for eqn in jaxpr.eqns:
        arrays = [v for v in eqn.invars if isinstance(v, jax.extend.core.Var)]
        kept = values.intersection(eqn.outvars)
        if eqn.primitive.name in arithmetic and there.issuperset(arrays):
            there.update(eqn.outvars)
            found |= kept
        elif on_gpu or eqn.primitive.name not in arithmetic:
            there |= kept
    return found


def _in_order(function: Any, masks: Any, x: Any, params: Any, shared: Any) -> Any:
    return function(x, params, masks, shared)
