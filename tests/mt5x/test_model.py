"""The network against T5X's reference values, and what must hold of packing and padding."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from mt5x import losses
from mt5x.errors import UserError
from mt5x.model import T5Config, Transformer
from mt5x.model.attention import RelativePositionBias, relative_position_bucket
from mt5x.model.layers import dropout_masks
from tests.mt5x.networks import (
    SMALL,
    initial_params,
    logits_of,
    packed_batch,
    random_examples,
    unpacked_batch,
)

PUBLISHED_SIZES = {
    # emb_dim, mlp_dim, layers, heads -> parameters
    (512, 1024, 8, 6): 300_176_768,
    (768, 2048, 12, 12): 582_401_280,
    (1024, 2816, 24, 16): 1_229_581_312,
    (2048, 5120, 24, 32): 3_742_619_648,
    (4096, 10240, 24, 64): 12_921_057_280,
}


def test_logits_equal_t5x(golden):
    logits = jax.jit(lambda p: logits_of(golden.model, p, golden.batch))(
        golden.tree("params_step0")
    )
    assert logits.dtype == jnp.float32
    np.testing.assert_allclose(logits, golden.arrays["logits"], atol=1e-5, rtol=0)


def test_initial_tree_is_that_of_t5x(golden):
    ours = initial_params(golden.model, seed=0)
    theirs = golden.tree("params_step0")
    assert jax.tree.map(lambda x: (x.shape, x.dtype.name), ours) == jax.tree.map(
        lambda x: (x.shape, x.dtype.name), theirs
    )


def test_logical_axes_are_those_of_t5x():
    ids = jnp.ones((1, 4), jnp.int32)
    boxed = jax.eval_shape(lambda k: Transformer(SMALL).init(k, ids, ids, ids), jax.random.key(0))
    axes = jax.tree.map(tuple, nn.get_partition_spec(boxed)["params"])
    assert axes["token_embedder"]["embedding"] == ("vocab", "embed")
    assert axes["decoder"]["logits_dense"]["kernel"] == ("embed", "vocab")
    assert axes["encoder"]["relpos_bias"]["rel_embedding"] == ("heads", "relpos_buckets")
    layer = axes["decoder"]["layers_0"]
    assert layer["self_attention"]["query"]["kernel"] == ("embed", "joined_kv")
    assert layer["encoder_decoder_attention"]["out"]["kernel"] == ("joined_kv", "embed")
    assert layer["mlp"]["wi_1"]["kernel"] == ("embed", "mlp")
    assert layer["mlp"]["wo"]["kernel"] == ("mlp", "embed")
    assert layer["pre_mlp_layer_norm"]["scale"] == ("embed",)


@pytest.mark.parametrize("size", PUBLISHED_SIZES, ids=["small", "base", "large", "xl", "xxl"])
def test_published_parameter_counts(size):
    emb_dim, mlp_dim, layers, heads = size
    config = T5Config(
        vocab_size=250112,
        emb_dim=emb_dim,
        mlp_dim=mlp_dim,
        num_encoder_layers=layers,
        num_decoder_layers=layers,
        num_heads=heads,
    )
    ids = jnp.ones((1, 2), jnp.int32)
    shapes = jax.eval_shape(lambda k: Transformer(config).init(k, ids, ids, ids), jax.random.key(0))
    assert sum(x.size for x in jax.tree.leaves(shapes)) == PUBLISHED_SIZES[size]


@pytest.mark.parametrize("seed", range(3))
def test_packed_examples_see_only_themselves(small, seed):
    model, params = small
    examples = random_examples(seed, 6, source=7, target=5)
    packed = logits_of(model, params, packed_batch([examples[:4], examples[4:]], 30, 22))
    apart = logits_of(model, params, unpacked_batch(examples, 30, 22))
    positions = [(0, examples[:4]), (1, examples[4:])]
    number = 0
    for row, members in positions:
        start = 0
        for _, targets in members:
            ours = packed[row, start : start + len(targets)]
            np.testing.assert_allclose(ours, apart[number, : len(targets)], atol=1e-5)
            start, number = start + len(targets), number + 1


@pytest.mark.parametrize("seed", range(3))
def test_padding_changes_nothing(small, seed):
    model, params = small
    examples = random_examples(seed, 3, source=9, target=6)
    short = logits_of(model, params, unpacked_batch(examples, 9, 6))
    long = logits_of(model, params, unpacked_batch(examples, 21, 17))
    for row, (_, targets) in enumerate(examples):
        np.testing.assert_allclose(short[row, : len(targets)], long[row, : len(targets)], atol=1e-5)


def test_later_targets_do_not_reach_earlier_ones(small):
    model, params = small
    batch = unpacked_batch([([5, 6, 1], [7, 8, 9, 10, 1])], 3, 5)
    before = logits_of(model, params, batch)
    # A copy: JAX may still be reading the first batch's own buffer.
    changed = batch["decoder_input_tokens"].copy()
    changed[0, 3] = 50
    after = logits_of(model, params, {**batch, "decoder_input_tokens": changed})
    np.testing.assert_array_equal(before[0, :3], after[0, :3])
    assert np.abs(before[0, 3:] - after[0, 3:]).max() > 1e-3


def test_relative_position_buckets():
    distances = np.array([-400, -128, -64, -9, -8, -7, -1, 0, 1, 7, 8, 9, 64, 128, 400])
    both = relative_position_bucket(distances, bidirectional=True)
    assert both.tolist() == [15, 15, 14, 8, 8, 7, 1, 0, 17, 23, 24, 24, 30, 31, 31]
    past = relative_position_bucket(distances, bidirectional=False)
    assert past.tolist() == [31, 31, 26, 9, 8, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (5, 5), (3, 8), (9, 2)])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_bias_by_diagonals_is_the_lookup_of_every_pair(queries, keys, bidirectional):
    module = RelativePositionBias(SMALL, bidirectional)
    table = np.arange(64, dtype=np.float32).reshape(2, 32)
    bias = module.apply({"params": {"rel_embedding": table}}, queries, keys)
    distances = np.arange(keys)[None, :] - np.arange(queries)[:, None]
    expected = table[:, relative_position_bucket(distances, bidirectional)]
    np.testing.assert_array_equal(bias[0], expected)


def test_dropout_changes_logits_with_its_key_alone(small):
    model, params = small
    batch = unpacked_batch(random_examples(0, 2, 8, 5), 8, 5)

    def dropped(seed):
        return logits_of(model, params, batch, jax.random.key(seed))

    np.testing.assert_array_equal(dropped(1), dropped(1))
    assert np.abs(dropped(1) - dropped(2)).max() > 1e-2


def test_dropout_keeps_the_mean_of_a_linear_part():
    class Masks(nn.Module):
        config: T5Config

        @nn.compact
        def __call__(self):
            return dropout_masks(self, 500, (40, 60), True)

    config = dataclasses.replace(SMALL, dropout_rate=0.3)
    masks: Any = Masks(config).apply({}, rngs={"dropout": jax.random.key(0)})
    first, second = masks
    assert (first.shape, second.shape) == ((500, 40), (500, 60))
    for mask in (first, second):
        assert set(np.unique(mask)) == {np.float32(0), np.float32(1 / 0.7)}
        assert abs(float(mask.mean()) - 1) < 0.02


def test_bfloat16_computes_in_bfloat16_and_gives_float32_logits(small):
    _, params = small
    batch = unpacked_batch(random_examples(1, 3, 8, 5), 8, 5)
    half = Transformer(dataclasses.replace(SMALL, dtype="bfloat16"))
    encoded: Any = half.apply(
        {"params": params}, batch["encoder_input_tokens"], enable_dropout=False, method="encode"
    )
    assert encoded.dtype == jnp.bfloat16
    logits = logits_of(half, params, batch)
    assert logits.dtype == jnp.float32
    full = logits_of(Transformer(SMALL), params, batch)
    assert np.abs(logits - full).max() < 0.05 * np.abs(full).max()


def test_tied_logits_use_the_embedding(small):
    _, params = small
    tied = Transformer(dataclasses.replace(SMALL, logits_via_embedding=True))
    params = {
        **params,
        "decoder": {k: v for k, v in params["decoder"].items() if k != "logits_dense"},
    }
    assert "logits_dense" not in initial_params(tied, 0)["decoder"]
    batch = unpacked_batch(random_examples(1, 2, 8, 5), 8, 5)
    hidden, _ = jax.jit(lambda p: losses.hidden_and_kernel(tied, p, batch, None))(params)
    expected = hidden @ params["token_embedder"]["embedding"].T / 4.0
    np.testing.assert_allclose(logits_of(tied, params, batch), expected, atol=1e-5)


def test_config_is_one_canonical_hashable_value():
    from_gin = T5Config(vocab_size=8, dtype="bfloat16", mlp_activations=["gelu", "linear"])
    direct = T5Config(vocab_size=8, dtype=jnp.bfloat16, mlp_activations=("gelu", "linear"))
    assert from_gin == direct
    assert hash(from_gin) == hash(direct)
    assert hash(Transformer(from_gin)) == hash(Transformer(direct))
    assert not jax.tree.leaves(from_gin)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mlp_activations": ("gleu",)}, "did you mean gelu?"),
        ({"mlp_activations": ()}, "is empty"),
        ({"dtype": "float16"}, "float32 or bfloat16, not 'float16'"),
        ({"dtype": "flaot32"}, "float32 or bfloat16, not 'flaot32'"),
        ({"emb_dim": 0}, "emb_dim must be an integer of at least 1, not 0"),
        ({"num_heads": 2.5}, "num_heads must be an integer of at least 1, not 2.5"),
        ({"dropout_rate": 1.0}, "at least 0 and below 1, not 1.0"),
    ],
)
def test_a_config_that_cannot_work_says_why(changes, message):
    with pytest.raises(UserError, match=message.replace("?", r"\?")):
        T5Config(**{"vocab_size": 8, **changes})
