"""A training step of Hugging Face transformers' mT5, for the benchmark of the training step.

The same shapes, real positions, activation dtype and optimizer (transformers' own Adafactor, or
PyTorch's AdamW); parameters are float32, as here, and bfloat16 comes by autocast. On a GPU the
network is compiled and takes TF32 products and PyTorch's scaled dot-product attention. Rows that
pack several examples are trained as one long example each, which is less work: transformers has no
segments.
"""

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mt5x import optimizers
from mt5x.errors import UserError
from mt5x.model import T5Config

_IGNORED = -100  # a target that PyTorch's cross-entropy leaves out


def can_run() -> bool:
    """Whether torch and transformers are there."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))


def train_step(
    config: T5Config,
    optimizer: optimizers.Optimizer,
    batch: Mapping[str, np.ndarray],
    learning_rate: float,
) -> Callable[[int], float]:
    """Fresh parameters and a function that trains on `batch` so many times and returns the loss.

    Raises:
      UserError: a network or an optimizer that the peer does not have.
    """
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high" if device == "cuda" else "highest")
    model: Any = transformers.MT5ForConditionalGeneration(_peer_config(config))
    model = model.train().to(device)
    update = _optimizer(optimizer, model.parameters(), learning_rate)
    features = {
        "input_ids": batch["encoder_input_tokens"],
        "attention_mask": batch["encoder_input_tokens"] > 0,
        "decoder_input_ids": batch["decoder_input_tokens"],
        "labels": np.where(
            batch["decoder_loss_weights"] > 0, batch["decoder_target_tokens"], _IGNORED
        ),
    }
    tensors = {
        name: torch.as_tensor(array.astype(np.int64)).to(device) for name, array in features.items()
    }
    forward = torch.compile(model) if device == "cuda" else model
    half = config.dtype.name == "bfloat16"

    def work(count: int) -> float:
        for _ in range(count):
            with torch.autocast(device, torch.bfloat16, enabled=half):
                loss = forward(**tensors, use_cache=False).loss
            loss.backward()
            update.step()
            update.zero_grad(set_to_none=True)
        # Reading the loss waits for the device.
        return float(loss.detach())

    return work


def peak_bytes() -> int | None:
    """The most that PyTorch held on the GPU so far; None without one."""
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


def _peer_config(config: T5Config) -> Any:
    import transformers

    if config.relative_bias_per_layer or config.mlp_activations != ("gelu", "linear"):
        raise UserError("transformers' mT5 is compared with mT5's networks: take an mt5 model")
    make: Any = transformers.MT5Config
    return make(
        vocab_size=config.vocab_size,
        d_model=config.emb_dim,
        d_kv=config.head_dim,
        d_ff=config.mlp_dim,
        num_layers=config.num_encoder_layers,
        num_decoder_layers=config.num_decoder_layers,
        num_heads=config.num_heads,
        dropout_rate=config.dropout_rate,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=config.logits_via_embedding,
        attn_implementation="sdpa",
    )


def _optimizer(optimizer: optimizers.Optimizer, parameters: Any, learning_rate: float) -> Any:
    import torch
    from transformers.optimization import Adafactor

    if isinstance(optimizer, optimizers.Adafactor):
        return Adafactor(
            parameters,
            lr=learning_rate,
            eps=(optimizer.epsilon1, optimizer.epsilon2),
            clip_threshold=optimizer.clipping_threshold,
            decay_rate=-optimizer.decay_rate,
            beta1=optimizer.beta1,
            scale_parameter=optimizer.multiply_by_parameter_scale,
            relative_step=False,
            warmup_init=False,
        )
    if isinstance(optimizer, optimizers.AdamW):
        return torch.optim.AdamW(
            parameters,
            lr=learning_rate,
            betas=(optimizer.b1, optimizer.b2),
            eps=optimizer.eps,
            weight_decay=optimizer.weight_decay,
        )
    raise UserError("transformers' mT5 is compared with Adafactor and AdamW")
