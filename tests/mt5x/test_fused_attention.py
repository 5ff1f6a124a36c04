"""The fused kernel's arithmetic against masked attention; on a GPU, the kernel itself."""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mt5x import losses
from mt5x.errors import UserError
from mt5x.model import T5Config, Transformer, fused_attention
from tests.mt5x.networks import SMALL, initial_params, packed_batch, random_examples

ON_GPU = jax.default_backend() == "gpu"
BATCH, LENGTH, HEADS, HEAD_DIM = 2, 64, 3, 8


def factors(dtype: Any) -> tuple[jax.Array, ...]:
    keys = jax.random.split(jax.random.key(0), 4)
    rows = [jax.random.normal(key, (BATCH, LENGTH, HEADS, HEAD_DIM)) for key in keys[:3]]
    bias = 3.0 * jax.random.normal(keys[3], (1, HEADS, LENGTH, LENGTH))
    return tuple(x.astype(dtype) for x in (*rows, bias))


def masked(query, key, value, bias, segments):
    """Attention as it is defined, in float32."""
    query, key, value, bias = (x.astype(jnp.float32) for x in (query, key, value, bias))
    scores = jnp.einsum("bqhd,bkhd->bhqk", query, key) + jnp.broadcast_to(
        bias, (BATCH, HEADS, LENGTH, LENGTH)
    )
    same = segments[:, None, :, None] == segments[:, None, None, :]
    weights = jax.nn.softmax(jnp.where(same, scores, -jnp.inf))
    return jnp.einsum("bhqk,bkhd->bqhd", weights, value)


def segment_layouts() -> dict[str, np.ndarray]:
    place = np.arange(LENGTH)
    return {
        "one": np.ones((BATCH, LENGTH), np.int32),
        "four": np.broadcast_to(1 + place // 16, (BATCH, LENGTH)).astype(np.int32),
        "a token each": np.broadcast_to(1 + place, (BATCH, LENGTH)).astype(np.int32),
        "far apart in number": np.where(place < 20, 0, LENGTH)[None].repeat(BATCH, 0),
        "one bit apart": np.where(place < 20, 2, 3)[None].repeat(BATCH, 0),
    }


@pytest.mark.parametrize("layout", segment_layouts())
def test_segments_in_the_heads_are_a_mask(layout):
    segments = jnp.asarray(segment_layouts()[layout], jnp.int32)
    dtype, tolerance = (jnp.bfloat16, 2e-2) if ON_GPU else (jnp.float32, 5e-5)
    arrays = factors(dtype)
    wanted, pull = jax.vjp(partial(masked, segments=segments), *arrays)
    found, pull_fused = jax.vjp(partial(fused_attention.attend, segments=segments), *arrays)
    sent = jax.random.normal(jax.random.key(1), wanted.shape)
    pairs = [(found, wanted)]
    pairs += zip(pull_fused(sent.astype(found.dtype)), pull(sent), strict=True)
    for one, other in pairs:
        difference = np.linalg.norm(np.asarray(one, np.float32) - np.asarray(other, np.float32))
        assert difference <= tolerance * max(float(jnp.linalg.norm(other)), 1.0)


def loss_and_gradients(config: T5Config, params: Any, batch: Any) -> Any:
    model = Transformer(config)

    def loss(params: Any) -> jax.Array:
        return losses.loss_fn(model, params, batch, None)[0]

    return jax.jit(jax.value_and_grad(loss))(params)


@pytest.mark.skipif(ON_GPU, reason="in float32, which the kernel of a GPU does not take")
def test_the_network_s_loss_and_gradients_are_the_same():
    """Packed and padded rows; what padding gets reaches no loss."""
    examples = random_examples(0, 6, 9, 5)
    batch = packed_batch([examples[:3], examples[3:5]], 32, 16)
    params = initial_params(Transformer(SMALL), seed=0)
    fused = dataclasses.replace(SMALL, attention_kernel="cudnn")
    wanted = loss_and_gradients(SMALL, params, batch)
    found = loss_and_gradients(fused, params, batch)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        # What all positions of a segment keep costs each score some digits: 5e-5 was seen.
        assert np.linalg.norm(one - other) <= 1.5e-4 * np.linalg.norm(other)


def test_it_serves_where_it_was_faster(monkeypatch):
    half = dataclasses.replace(SMALL, dtype="bfloat16", head_dim=64)
    assert fused_attention.serves(half, 1024) == ON_GPU
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not fused_attention.serves(half, 1024) or ON_GPU
    monkeypatch.setattr(fused_attention, "compute_capability", lambda: 9.0)
    assert fused_attention.serves(half, 1024)
    assert not fused_attention.serves(half, 128)
    assert not fused_attention.serves(dataclasses.replace(half, dtype="float32"), 1024)
    assert not fused_attention.serves(dataclasses.replace(half, head_dim=128), 1024)
    assert not fused_attention.serves(dataclasses.replace(half, attention_kernel="xla"), 1024)
    assert fused_attention.serves(dataclasses.replace(half, attention_kernel="cudnn"), 128)


def test_what_the_kernel_of_a_gpu_does_not_take_is_refused_there(monkeypatch):
    asked = dataclasses.replace(SMALL, attention_kernel="cudnn", dtype="float32")
    assert fused_attention.serves(asked, 1024) or ON_GPU
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with pytest.raises(UserError, match=r"needs DTYPE='bfloat16'.*not float32 and 8"):
        fused_attention.serves(asked, 1024)


def test_an_unknown_kernel_is_refused():
    with pytest.raises(UserError, match=r"attention_kernel must be one of auto, xla, cudnn"):
        T5Config(vocab_size=8, attention_kernel="flash")
