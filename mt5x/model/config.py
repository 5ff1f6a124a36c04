"""The sizes and switches of one mT5 network."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from mt5x.errors import UserError, nearest

REMAT_POLICIES = ("none", "minimal", "full")
ATTENTION_KERNELS = ("auto", "xla", "fused")
_ACTIVATIONS = ("linear", "gelu", "relu", "silu", "swish", "tanh", "sigmoid")


def _static(**kwargs: Any) -> Any:
    # A config is never traced: as pytree it has no leaves, so it can sit in a jit's static part.
    return struct.field(pytree_node=False, **kwargs)


@struct.dataclass
class T5Config:
    """What determines an mT5 network; field names are T5X's, so that gin files serve both.

    Frozen and hashable: lists (as gin gives them) become tuples, `dtype` may be a string. Defaults
    are T5X's except `mlp_activations`, which is mT5's gated GELU.

    Attributes:
        vocab_size: rows of the embedding and columns of the logits, padding ids included.
        dtype: activation dtype, float32 or bfloat16; parameters and logits are float32 always.
        emb_dim: width of the residual stream.
        num_heads: attention heads.
        num_encoder_layers: encoder layers.
        num_decoder_layers: decoder layers.
        head_dim: width of one head; heads x head_dim need not equal emb_dim.
        mlp_dim: hidden width of the feed-forward block.
        mlp_activations: one activation per input projection; their product goes on ('gelu',
            'linear' is the gated GELU of T5 1.1, arXiv 2002.05202).
        dropout_rate: dropout everywhere T5 drops, in [0, 1).
        logits_via_embedding: ties the logits to the embedding (T5 1.0); mT5 does not.
        float32_attention_logits: attention scores and softmax in float32 whatever `dtype` is.
        attention_kernel: what computes attention: 'xla', its products and softmax one after
            another; 'fused', one kernel of a GPU that never holds the scores and skips pairs of
            different segments; 'auto', the one that was measured to be the faster.
        remat_policy: what the backward pass computes again instead of keeping: 'none'; 'minimal',
            all but the products with kernels; 'full', all of a layer.
        scan_layers: runs the layers as a loop, which compiles one layer instead of all.
        relative_bias_per_layer: umT5's relative-position bias, one in every layer (as T5X's
            scalable_t5), instead of mT5's one for a whole stack.

    Raises:
        UserError: a size that is not positive, an unknown activation or dtype, a bad rate.
    """

    vocab_size: int = _static()
    dtype: Any = _static(default=jnp.float32)
    emb_dim: int = _static(default=512)
    num_heads: int = _static(default=8)
    num_encoder_layers: int = _static(default=6)
    num_decoder_layers: int = _static(default=6)
    head_dim: int = _static(default=64)
    mlp_dim: int = _static(default=2048)
    mlp_activations: Sequence[str] = _static(default=("gelu", "linear"))
    dropout_rate: float = _static(default=0.1)
    logits_via_embedding: bool = _static(default=False)
    float32_attention_logits: bool = _static(default=False)
    attention_kernel: str = _static(default="auto")
    remat_policy: str = _static(default="none")
    scan_layers: bool = _static(default=False)
    relative_bias_per_layer: bool = _static(default=False)

    def __post_init__(self) -> None:
        """Brings the values to one canonical form and refuses those that cannot work."""
        activations = self.mlp_activations
        activations = (activations,) if isinstance(activations, str) else tuple(activations)
        object.__setattr__(self, "mlp_activations", activations)
        object.__setattr__(self, "dtype", _activation_dtype(self.dtype))
        for name in ("vocab_size", "emb_dim", "num_heads", "head_dim", "mlp_dim"):
            _require_integer(name, getattr(self, name), at_least=1)
        for name in ("num_encoder_layers", "num_decoder_layers"):
            _require_integer(name, getattr(self, name), at_least=0)
        if not activations:
            raise UserError("T5Config.mlp_activations is empty: give at least one activation.")
        for name in activations:
            if name not in _ACTIVATIONS:
                raise UserError(
                    f"T5Config.mlp_activations knows {', '.join(_ACTIVATIONS)}, "
                    f"not {name!r}{nearest(str(name), _ACTIVATIONS, count=1) or '.'}"
                )
        if not 0.0 <= self.dropout_rate < 1.0:
            raise UserError(
                f"T5Config.dropout_rate must be at least 0 and below 1, not {self.dropout_rate}."
            )
        _require_one_of("attention_kernel", self.attention_kernel, ATTENTION_KERNELS)
        _require_one_of("remat_policy", self.remat_policy, REMAT_POLICIES)


def activation(name: str) -> Any:
    """The elementwise function called `name`; GELU is T5's tanh approximation."""
    return (lambda x: x) if name == "linear" else getattr(jax.nn, name)


def _activation_dtype(dtype: Any) -> Any:
    try:
        found = jnp.dtype(dtype)
    except TypeError:
        found = None
    # float16 overflows in T5's feed-forward blocks and trains to NaN; float64 is for tests.
    # (By name: NumPy holds None equal to float64.)
    if found is None or found.name not in ("float32", "bfloat16", "float64"):
        half = found is not None and found.name == "float16"
        why = ", in which T5's activations overflow" if half else ""
        raise UserError(
            f"T5Config.dtype must be float32 or bfloat16, not {dtype!r}{why}: set DTYPE to one."
        )
    return found


def _require_integer(name: str, value: Any, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise UserError(
            f"T5Config.{name} must be an integer of at least {at_least}, not {value!r}."
        )


def _require_one_of(name: str, value: Any, known: Sequence[str]) -> None:
    if value not in known:
        raise UserError(
            f"T5Config.{name} must be one of {', '.join(known)}, not {value!r}"
            f"{nearest(str(value), known) or '.'}"
        )
