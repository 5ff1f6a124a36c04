"""Hugging Face's config.json and our network's sizes, both ways.

mT5 and umT5 have model types of their own; ByT5 is saved as 't5'. Public umT5 files name no type
but the class, `UMT5ForConditionalGeneration`.

Tied logits. The public mT5, umT5 and ByT5 have an output matrix of their own, `lm_head.weight`,
and `tie_word_embeddings` false. transformers 5 writes true whatever the model, so what a file means
is read off its tensors first:

| `lm_head.weight`  | `tie_word_embeddings` | logits                                              |
|-------------------|-----------------------|-----------------------------------------------------|
| there             | false                 | its own matrix, as trained by T5X                   |
| there             | true                  | the same, divided by sqrt(d_model) for t5 and umt5  |
| not there         |                       | the embedding, divided by sqrt(d_model) except for  |
|                   |                       | an mT5 of transformers 5                            |
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mt5x.checkpoints.architecture import GATED, PLAIN
from mt5x.errors import UserError
from mt5x.model.attention import MAX_DISTANCE, NUM_BUCKETS
from mt5x.model.config import T5Config

FILE = "config.json"
BYT5_VOCAB_SIZE = 384

_CLASSES = {
    "mt5": "MT5ForConditionalGeneration",
    "umt5": "UMT5ForConditionalGeneration",
    "t5": "T5ForConditionalGeneration",
}
_FEED_FORWARD = {"gated-gelu": GATED, "relu": PLAIN}
_DEFAULT_FEED_FORWARD = {"mt5": "gated-gelu", "umt5": "gated-gelu", "t5": "relu"}
# What our network has no setting for, and transformers' default where the file is silent.
_FIXED: dict[str, float] = {
    "relative_attention_num_buckets": NUM_BUCKETS,
    "relative_attention_max_distance": MAX_DISTANCE,
    "layer_norm_epsilon": 1e-6,
}


@dataclasses.dataclass(frozen=True)
class Config:
    """What a config.json says of a network.

    Attributes:
      model_type: 'mt5', 'umt5' or 't5'.
      sizes: the network's; `logits_via_embedding` and `relative_bias_per_layer` are decided by the
        tensors and false here.
      tied: `tie_word_embeddings`, true where the file is silent.
      major_version: that of the transformers that wrote the file; None where it is silent.
    """

    model_type: str
    sizes: T5Config
    tied: bool
    major_version: int | None

    def logits_factor(self, own_matrix: bool) -> float:
        """What transformers multiplies the final hidden states by (table above)."""
        if own_matrix:
            scaled = self.tied and self.model_type != "mt5"
        else:
            scaled = self.model_type != "mt5" or (self.major_version or 5) < 5
        return 1.0 / math.sqrt(self.sizes.emb_dim) if scaled else 1.0


def read_config(folder: Path) -> Config:
    """Reads a folder's config.json.

    Raises:
      UserError: it is missing, no JSON, or that of a network that ours is not.
    """
    path = folder / FILE
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} has no {FILE}, which says what network its weights are"
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; copy or download it again") from error
    if not isinstance(entries, dict):
        raise UserError(f"{path} is not a JSON object; copy or download it again")
    model_type = _model_type(entries, path)
    for name, ours in _FIXED.items():
        if entries.get(name, ours) != ours:
            raise UserError(f"{path}: {name} is {entries[name]} and the network here has {ours}")
    feed_forward = entries.get("feed_forward_proj", _DEFAULT_FEED_FORWARD[model_type])
    if feed_forward not in _FEED_FORWARD:
        known = " or ".join(_FEED_FORWARD)
        raise UserError(f"{path}: feed_forward_proj is {feed_forward!r} and {known} is read")
    encoder_layers = _integer(entries, "num_layers", path)
    # None, or absent, is as many as the encoder's.
    both = {"num_decoder_layers": encoder_layers} | {
        k: v for k, v in entries.items() if v is not None
    }
    sizes = T5Config(
        vocab_size=_integer(entries, "vocab_size", path),
        emb_dim=_integer(entries, "d_model", path),
        num_heads=_integer(entries, "num_heads", path),
        head_dim=_integer(entries, "d_kv", path),
        mlp_dim=_integer(entries, "d_ff", path),
        num_encoder_layers=encoder_layers,
        num_decoder_layers=_integer(both, "num_decoder_layers", path),
        mlp_activations=_FEED_FORWARD[feed_forward],
    )
    version = str(entries.get("transformers_version", "")).partition(".")[0]
    tied = entries.get("tie_word_embeddings") is not False
    return Config(model_type, sizes, tied, int(version) if version.isdigit() else None)


def config_json(sizes: T5Config, dtype: str) -> dict[str, Any]:
    """The config.json of a network: umT5's class, ByT5's or mT5's.

    Args:
      sizes: the network's.
      dtype: of the weights.
    """
    if sizes.relative_bias_per_layer:
        model_type = "umt5"
    elif (
        sizes.vocab_size == BYT5_VOCAB_SIZE
        or sizes.mlp_activations != GATED
        or sizes.logits_via_embedding  # which every version of transformers scales for t5 alone
    ):
        model_type = "t5"
    else:
        model_type = "mt5"
    feed_forward = next(k for k, v in _FEED_FORWARD.items() if v == sizes.mlp_activations)
    return {
        "architectures": [_CLASSES[model_type]],
        "d_ff": sizes.mlp_dim,
        "d_kv": sizes.head_dim,
        "d_model": sizes.emb_dim,
        "decoder_start_token_id": 0,
        "dropout_rate": sizes.dropout_rate,
        "dtype": dtype,
        "eos_token_id": 1,
        "feed_forward_proj": feed_forward,
        "initializer_factor": 1.0,
        "is_encoder_decoder": True,
        **_FIXED,
        "model_type": model_type,
        "num_decoder_layers": sizes.num_decoder_layers,
        "num_heads": sizes.num_heads,
        "num_layers": sizes.num_encoder_layers,
        "pad_token_id": 0,
        "tie_word_embeddings": sizes.logits_via_embedding,
        "torch_dtype": dtype,  # what transformers 4 calls `dtype`
        "use_cache": True,
        "vocab_size": sizes.vocab_size,
        **({"scalable_attention": True} if model_type == "umt5" else {}),
    }


def _model_type(entries: Mapping[str, Any], path: Path) -> str:
    found = entries.get("model_type")
    if found is None:
        classes = [str(name) for name in entries.get("architectures") or []]
        prefixes = {"UMT5": "umt5", "MT5": "mt5", "T5": "t5"}
        found = next(
            (kind for prefix, kind in prefixes.items() for c in classes if c.startswith(prefix)),
            None,
        )
    if found not in _CLASSES:
        raise UserError(
            f"{path} is of a {found or 'nameless'} model: mt5, umt5 and t5 (ByT5) are read"
        )
    return str(found)


def _integer(entries: Mapping[str, Any], name: str, path: Path) -> int:
    value = entries.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UserError(f"{path}: {name} must be a positive integer, not {value!r}")
    return value
