"""What transformers' mT5 computes with given weights; as a script, stores one such reference.

The parity tests compute references when torch and transformers are installed, and read the stored
one in any case. To write it again, in an environment with the extra `peers`:

    python -m tests.mt5x.make_huggingface_golden

The file is a NumPy archive: `sizes` (JSON of MT5Config's arguments), `weights/NAME` by torch's
names, `batch/FEATURE` by SeqIO's, `logits`, `loss`, `gradients/NAME`, `eos_id` and `greedy_ids`.
"""

import dataclasses
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.mt5x.networks import random_examples, unpacked_batch

STORED = Path(__file__).with_name("huggingface_golden.npz")
DECODE_LENGTH = 10

# Heads x head width is not the model's width here, and the stacks differ in depth.
STORED_SIZES = {
    "vocab_size": 32, "d_model": 12, "num_heads": 2, "d_kv": 4, "d_ff": 16, "num_layers": 2,
    "num_decoder_layers": 1,
}  # fmt: skip
STORED_LENGTHS = (9, 7)  # of source and target

Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Reference:
    """Weights, a batch, and what transformers makes of them; float32 and no dropout.

    Attributes:
        sizes: arguments of transformers' MT5Config.
        weights: the parameters by torch's names, shared ones once.
        batch: SeqIO's features, int32.
        logits: `[batch, target, vocab]`; at padding they mean nothing.
        loss: mean cross-entropy of the real target tokens, in nats.
        gradients: of the loss, for each of the weights.
        eos_id: the end token of the decode; an untrained network has no use for 1.
        greedy_ids: int `[batch, DECODE_LENGTH]`, 0 after the end token.
    """

    sizes: dict[str, int]
    weights: Arrays
    batch: Arrays
    logits: np.ndarray
    loss: float
    gradients: Arrays
    eos_id: int
    greedy_ids: np.ndarray


def load(path: Path) -> Reference:
    """Reads what `save` wrote."""
    with np.load(path) as file:
        arrays = dict(file)

    def under(name: str) -> Arrays:
        return {k.split("/", 1)[1]: v for k, v in arrays.items() if k.startswith(name + "/")}

    return Reference(
        sizes=json.loads(str(arrays["sizes"])),
        weights=under("weights"),
        batch=under("batch"),
        logits=arrays["logits"],
        loss=float(arrays["loss"]),
        gradients=under("gradients"),
        eos_id=int(arrays["eos_id"]),
        greedy_ids=arrays["greedy_ids"],
    )


def save(path: Path, reference: Reference) -> None:
    """Writes a reference as one compressed archive."""
    arrays: dict[str, Any] = {}
    for name, value in vars(reference).items():
        if name == "sizes":
            arrays[name] = json.dumps(value)
        elif isinstance(value, dict):
            arrays |= {f"{name}/{key}": array for key, array in value.items()}
        else:
            arrays[name] = value
    np.savez_compressed(path, **arrays)


def make_batch(seed: int, vocab: int, source: int, target: int, padded: bool) -> Arrays:
    """Four random examples, as long as the batch or, `padded`, of various lengths."""
    examples = random_examples(seed, 4, source, target, vocab)
    if not padded:
        random = np.random.default_rng(seed)
        lengths = (source, target)
        rows = [[random.integers(2, vocab, n - 1).tolist() for n in lengths] for _ in range(4)]
        examples = [([*inputs, 1], [*targets, 1]) for inputs, targets in rows]
    return unpacked_batch(examples, source, target)


def random_weights(
    sizes: dict[str, int], seed: int, kind: str = "MT5", tied: bool = False
) -> Arrays:
    """The weights of a freshly made MT5ForConditionalGeneration, none left at a special value.

    Norms start at one and the position bias near zero, where a wrong mapping would not show, and
    attention adds so little to the embedding that all inputs decode alike.
    """
    torch = _torch()
    torch.manual_seed(seed)
    with torch.no_grad():
        named = dict(new_model(sizes, kind, tied).named_parameters())
        for name, parameter in named.items():
            if "layer_norm" in name:
                parameter.uniform_(0.5, 1.5)
            elif "relative_attention_bias" in name:
                parameter.normal_(0.0, 1.0)
            elif name.endswith(".o.weight"):
                parameter.mul_(4.0)
            elif name == "lm_head.weight":
                parameter.normal_(0.0, sizes["d_model"] ** -0.5)
    return _arrays(named)


def compute(
    sizes: dict[str, int], weights: Arrays, batch: Arrays, kind: str = "MT5", tied: bool = False
) -> Reference:
    """Runs transformers' MT5ForConditionalGeneration, or one of `kind`, on a batch."""
    torch = _torch()
    model = model_with(sizes, weights, kind, tied)
    named = dict(model.named_parameters())
    source = torch.from_numpy(batch["encoder_input_tokens"]).long()
    targets = torch.from_numpy(batch["decoder_target_tokens"]).long()
    encoder = {"input_ids": source, "attention_mask": (source > 0).long()}
    output = model(**encoder, labels=targets.masked_fill(targets == 0, -100))
    output.loss.backward()

    def greedy(eos_id: int) -> np.ndarray:
        ids = model.generate(
            **encoder,
            max_new_tokens=DECODE_LENGTH,
            do_sample=False,
            num_beams=1,
            eos_token_id=eos_id,
            pad_token_id=0,
        )
        ids = ids[:, 1:].numpy()  # without the start token
        return np.pad(ids, [(0, 0), (0, DECODE_LENGTH - ids.shape[1])])

    eos_id = _dividing_token(greedy(1))
    return Reference(
        sizes=sizes,
        weights=weights,
        batch=batch,
        logits=output.logits.detach().numpy(),
        loss=output.loss.item(),
        gradients=_arrays({name: parameter.grad for name, parameter in named.items()}),
        eos_id=eos_id,
        greedy_ids=greedy(eos_id),
    )


def _dividing_token(ids: np.ndarray) -> int:
    """The token that ends the rows at the most different places, and late rather than early."""

    def ends(token: int) -> list[int]:
        return [row.index(token) if token in row else len(row) for row in ids.tolist()]

    tokens = [int(token) for token in np.unique(ids) if token > 1]
    return max(tokens, key=lambda token: (len(set(ends(token))), sum(ends(token))))


def new_model(sizes: dict[str, int], kind: str = "MT5", tied: bool = False) -> Any:
    """A network of transformers with fresh weights.

    Args:
        sizes: arguments of its config.
        kind: 'MT5', 'UMT5' or 'T5' (the class of ByT5).
        tied: whether the logits share the embedding, as transformers 5 makes them by itself.
    """
    transformers = importlib.import_module("transformers")
    # Said to T5's class alone, which divides the logits by sqrt(d_model) otherwise.
    more = {"feed_forward_proj": "gated-gelu", "decoder_start_token_id": 0}
    more |= {} if tied else {"tie_word_embeddings": False}
    config = getattr(transformers, f"{kind}Config")(**sizes, **(more if kind == "T5" else {}))
    model = getattr(transformers, f"{kind}ForConditionalGeneration")(config).eval()
    if not tied:
        # transformers 5 ties the logits to the embedding whatever the config says, unless a
        # checkpoint holds both; mT5's checkpoints do. And it divides umT5's logits by
        # sqrt(d_model), which neither T5X nor transformers 4 does with these checkpoints, unless
        # the config says this.
        model.lm_head.weight = _torch().nn.Parameter(model.lm_head.weight.detach().clone())
        model.config.tie_word_embeddings = False
    return model


def model_with(
    sizes: dict[str, int], weights: Arrays, kind: str = "MT5", tied: bool = False
) -> Any:
    """A network of transformers with given weights."""
    torch = _torch()
    model = new_model(sizes, kind, tied)
    named = dict(model.named_parameters())
    assert named.keys() == weights.keys()
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(torch.from_numpy(weights[name]))
    return model


def _torch() -> Any:
    # By name, and so untyped: the type checker sees the same whether or not torch is installed.
    return importlib.import_module("torch")


def _arrays(tensors: dict[str, Any]) -> Arrays:
    return {name: tensor.detach().numpy().copy() for name, tensor in tensors.items()}


def main() -> None:
    """Writes the stored reference anew."""
    batch = make_batch(0, STORED_SIZES["vocab_size"], *STORED_LENGTHS, padded=True)
    save(STORED, compute(STORED_SIZES, random_weights(STORED_SIZES, seed=0), batch))
    print(f"{STORED}: {STORED.stat().st_size} bytes")


if __name__ == "__main__":
    main()
