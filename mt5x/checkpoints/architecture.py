"""The network that a parameter tree belongs to: from sizes to shapes, and from shapes to sizes.

All sizes of a T5 network can be read off its tensors (arXiv 1910.10683; T5X's tree), the number of
heads off the relative-position bias. What cannot be, the activation functions, is that of T5 1.1
where the feed-forward block is gated and that of T5 1.0 where it is not.
"""

import re
from collections.abc import Mapping

from mt5x.checkpoints.tensors import TensorInfo
from mt5x.errors import UserError
from mt5x.model.attention import NUM_BUCKETS
from mt5x.model.config import T5Config

GATED, PLAIN = ("gelu", "linear"), ("relu",)

_DIFFERENCES_SHOWN = 3
_STACKS = {"encoder": ("attention",), "decoder": ("self_attention", "encoder_decoder_attention")}


def parameter_shapes(config: T5Config) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter of a network, by its path in T5X's tree, from sizes alone."""
    shapes: dict[str, tuple[int, ...]] = {
        "token_embedder/embedding": (config.vocab_size, config.emb_dim)
    }
    layers = {"encoder": config.num_encoder_layers, "decoder": config.num_decoder_layers}
    for stack, count in layers.items():
        if not config.relative_bias_per_layer:
            shapes[f"{stack}/relpos_bias/rel_embedding"] = (config.num_heads, NUM_BUCKETS)
        for number in range(count):
            layer = _layer_shapes(config, stack).items()
            shapes |= {f"{stack}/layers_{number}/{name}": shape for name, shape in layer}
        shapes[f"{stack}/{stack}_norm/scale"] = (config.emb_dim,)
    if not config.logits_via_embedding:
        shapes["decoder/logits_dense/kernel"] = (config.emb_dim, config.vocab_size)
    return shapes


def config_of(parameters: Mapping[str, TensorInfo], location: str) -> T5Config:
    """The network whose parameters these are; its dropout rate and dtype are the defaults.

    Args:
      parameters: T5X's paths and what is known of the tensors.
      location: the checkpoint, for messages.

    Raises:
      UserError: the tree is not that of a T5 network, or its shapes do not fit together.
    """
    shapes = {path: info.shape for path, info in parameters.items()}
    per_layer = "encoder/layers_0/relpos_bias/rel_embedding" in shapes
    bias = "encoder/layers_0/relpos_bias" if per_layer else "encoder/relpos_bias"
    gated = "encoder/layers_0/mlp/wi_0/kernel" in shapes
    vocab_size, emb_dim = _matrix(shapes, "token_embedder/embedding", location)
    num_heads, _ = _matrix(shapes, f"{bias}/rel_embedding", location)
    _, joined = _matrix(shapes, "encoder/layers_0/attention/query/kernel", location)
    _, mlp_dim = _matrix(shapes, f"encoder/layers_0/mlp/wi{'_0' if gated else ''}/kernel", location)
    config = T5Config(
        vocab_size=vocab_size,
        emb_dim=emb_dim,
        num_heads=num_heads,
        head_dim=joined // num_heads,
        mlp_dim=mlp_dim,
        num_encoder_layers=_layers(shapes, "encoder"),
        num_decoder_layers=_layers(shapes, "decoder"),
        mlp_activations=GATED if gated else PLAIN,
        logits_via_embedding="decoder/logits_dense/kernel" not in shapes,
        relative_bias_per_layer=per_layer,
    )
    require_parameters(shapes, config, location)
    return config


def require_parameters(
    found: Mapping[str, tuple[int, ...]], config: T5Config, location: str
) -> None:
    """Compares the shapes found in a checkpoint with those of a network.

    Raises:
      UserError: a parameter is missing, unknown or of another shape.
    """
    expected = parameter_shapes(config)
    differences = [
        f"{path} is {_shape(found.get(path))} there and {_shape(expected.get(path))} in the network"
        for path in sorted(found.keys() | expected.keys())
        if found.get(path) != expected.get(path)
    ]
    if differences:
        more = len(differences) - _DIFFERENCES_SHOWN
        raise UserError(
            f"checkpoint {location} does not hold a whole mT5, umT5 or ByT5: "
            + "; ".join(differences[:_DIFFERENCES_SHOWN])
            + (f"; and {more} more" if more > 0 else "")
        )


def _layer_shapes(config: T5Config, stack: str) -> dict[str, tuple[int, ...]]:
    emb_dim, joined = config.emb_dim, config.num_heads * config.head_dim
    norms = {"attention": "attention", "self_attention": "self_attention"}
    shapes: dict[str, tuple[int, ...]] = {}
    if config.relative_bias_per_layer:
        shapes["relpos_bias/rel_embedding"] = (config.num_heads, NUM_BUCKETS)
    for attention in _STACKS[stack]:
        shapes[f"pre_{norms.get(attention, 'cross_attention')}_layer_norm/scale"] = (emb_dim,)
        for part in ("query", "key", "value"):
            shapes[f"{attention}/{part}/kernel"] = (emb_dim, joined)
        shapes[f"{attention}/out/kernel"] = (joined, emb_dim)
    shapes["pre_mlp_layer_norm/scale"] = (emb_dim,)
    count = len(config.mlp_activations)
    for number in range(count):
        name = "wi" if count == 1 else f"wi_{number}"
        shapes[f"mlp/{name}/kernel"] = (emb_dim, config.mlp_dim)
    shapes["mlp/wo/kernel"] = (config.mlp_dim, emb_dim)
    return shapes


def _matrix(shapes: Mapping[str, tuple[int, ...]], path: str, location: str) -> tuple[int, int]:
    shape = shapes.get(path, ())
    if len(shape) != 2 or 0 in shape:
        raise UserError(
            f"checkpoint {location} is not one of mT5, umT5 or ByT5: {path} is {_shape(shape)} "
            "there where a matrix was expected"
        )
    return shape[0], shape[1]


def _layers(shapes: Mapping[str, tuple[int, ...]], stack: str) -> int:
    numbers = [m[1] for path in shapes if (m := re.match(rf"{stack}/layers_(\d+)/", path))]
    return 1 + max(map(int, numbers), default=-1)


def _shape(shape: tuple[int, ...] | None) -> str:
    return str(list(shape)) if shape else "absent"
