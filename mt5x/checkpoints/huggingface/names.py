"""Parameter names of Hugging Face's T5 classes and of T5X's tree, both ways.

PyTorch's linear layers hold [out, in] where T5X holds [in, out], so kernels are transposed; so is
the relative-position bias, [buckets, heads] there. mT5's single bias of a stack stands in block 0
there; umT5 has one in every block.
"""

import re

# (T5X's path, Hugging Face's name, transposed); {n} is a layer's number, the same in both.
_ATTENTION = (("query", "q"), ("key", "k"), ("value", "v"), ("out", "o"))
_BIAS = "SelfAttention.relative_attention_bias.weight"


def _layer(stack: str) -> list[tuple[str, str, bool]]:
    ours, theirs = f"{stack}/layers_{{n}}", f"{stack}.block.{{n}}.layer"
    own = "attention" if stack == "encoder" else "self_attention"
    blocks = [(own, f"pre_{own}_layer_norm", "0.SelfAttention", "0")]
    if stack == "decoder":
        cross = "encoder_decoder_attention"
        blocks.append((cross, "pre_cross_attention_layer_norm", "1.EncDecAttention", "1"))
    last = len(blocks)
    rules = [(f"{ours}/relpos_bias/rel_embedding", f"{theirs}.0.{_BIAS}", True)]
    for attention, norm, block, number in blocks:
        rules.append((f"{ours}/{norm}/scale", f"{theirs}.{number}.layer_norm.weight", False))
        rules += [
            (f"{ours}/{attention}/{long}/kernel", f"{theirs}.{block}.{short}.weight", True)
            for long, short in _ATTENTION
        ]
    rules.append((f"{ours}/pre_mlp_layer_norm/scale", f"{theirs}.{last}.layer_norm.weight", False))
    rules += [
        (f"{ours}/mlp/{part}/kernel", f"{theirs}.{last}.DenseReluDense.{part}.weight", True)
        for part in ("wi", "wi_0", "wi_1", "wo")
    ]
    return rules


EMBEDDING = "shared.weight"
LOGITS = "lm_head.weight"
# Other names of the embedding, of which older files repeat it, and a parameter that T5's first
# files hold and nothing reads.
EMBEDDING_COPIES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
UNUSED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"

_SINGLE = [
    ("token_embedder/embedding", EMBEDDING, False),
    ("decoder/logits_dense/kernel", LOGITS, True),
    *[
        (f"{stack}/{stack}_norm/scale", f"{stack}.final_layer_norm.weight", False)
        for stack in ("encoder", "decoder")
    ],
    *[
        (f"{stack}/relpos_bias/rel_embedding", f"{stack}.block.0.layer.0.{_BIAS}", True)
        for stack in ("encoder", "decoder")
    ],
]
_LAYERED = [*_layer("encoder"), *_layer("decoder")]
_TO_THEIRS = {ours: (theirs, turned) for ours, theirs, turned in (*_SINGLE, *_LAYERED)}
_TO_OURS = {theirs: (ours, turned) for ours, theirs, turned in (*_LAYERED, *_SINGLE)}
_PER_LAYER = {theirs: (ours, turned) for ours, theirs, turned in _LAYERED}


def to_huggingface(path: str) -> tuple[str, bool] | None:
    """Hugging Face's name of T5X's path, and whether the tensor is transposed; None if unknown."""
    template, number = _template(path, r"(?<=/layers_)\d+(?=/)")
    found = _TO_THEIRS.get(template)
    return None if found is None else (found[0].replace("{n}", number), found[1])


def from_huggingface(name: str, relative_bias_per_layer: bool) -> tuple[str, bool] | None:
    """T5X's path of Hugging Face's name, and whether the tensor is transposed; None if unknown.

    Args:
      name: a key of the state dictionary.
      relative_bias_per_layer: whether block 0's bias is that layer's (umT5) or the stack's (mT5).
    """
    if not relative_bias_per_layer and name in _TO_OURS:
        return _TO_OURS[name]
    template, number = _template(name, r"(?<=\.block\.)\d+(?=\.)")
    found = (_PER_LAYER if number else _TO_OURS).get(template)
    return None if found is None else (found[0].replace("{n}", number), found[1])


def has_bias_per_layer(names: set[str]) -> bool:
    """Whether a block beyond the first has a relative-position bias: umT5's files, not mT5's."""
    return any(f"{stack}.block.1.layer.0.{_BIAS}" in names for stack in ("encoder", "decoder"))


def _template(text: str, number: str) -> tuple[str, str]:
    match = re.search(number, text)
    # A number such as 01 is none that either side writes.
    if match is None or str(int(match[0])) != match[0]:
        return text, ""
    return text[: match.start()] + "{n}" + text[match.end() :], match[0]
