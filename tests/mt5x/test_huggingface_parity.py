"""The network, its loss, gradients and greedy decodes against transformers' mT5.

Each test runs on a stored reference and, where torch and transformers are installed (the extra
`peers`), on references computed there and then. test_huggingface_checkpoints.py has UMT5 and ByT5.
"""

import dataclasses
import re
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

from mt5x import decoding, losses
from mt5x.model import T5Config, Transformer
from mt5x.model.attention import relative_position_bucket
from tests.mt5x.make_huggingface_golden import (
    DECODE_LENGTH,
    STORED,
    STORED_LENGTHS,
    STORED_SIZES,
    Arrays,
    Reference,
    compute,
    load,
    make_batch,
    random_weights,
)
from tests.mt5x.networks import initial_params, logits_of

# Of two implementations in float32. Gradients are compared with each parameter's largest one.
TOLERANCE = 1e-4

# Square matrices: a kernel that was not transposed fits and computes something else. (No decoder is
# deeper than its encoder: transformers' cache has as many layers as the encoder.)
SQUARE_SIZES = {
    "vocab_size": 64, "d_model": 16, "num_heads": 2, "d_kv": 8, "d_ff": 16, "num_layers": 2,
    "num_decoder_layers": 2,
}  # fmt: skip

# (sizes, source length, target length, padded). The first two have the shapes of the stored one, so
# that they share its compiled functions.
CASES: dict[str, tuple[dict[str, int], int, int, bool]] = {
    "unpadded": (STORED_SIZES, *STORED_LENGTHS, False),
    "padded": (STORED_SIZES, *STORED_LENGTHS, True),
    # Beyond the largest distance that has a bucket of its own.
    "long": (SQUARE_SIZES, 170, 150, True),
}

_NAMES = [
    (r"shared\.weight", "token_embedder.embedding"),
    (r"lm_head\.weight", "decoder.logits_dense.kernel"),
    (r"(en|de)coder\.final_layer_norm\.weight", r"\1coder.\1coder_norm.scale"),
    (r"(\w+)\.block\.0\.layer\.0\.SelfAttention\.relative_attention_bias\.weight",
     r"\1.relpos_bias.rel_embedding"),
    (r"encoder\.block\.(\d+)\.layer\.0\.SelfAttention\.(\w)\.weight",
     r"encoder.layers_\1.attention.\2.kernel"),
    (r"encoder\.block\.(\d+)\.layer\.0\.layer_norm\.weight",
     r"encoder.layers_\1.pre_attention_layer_norm.scale"),
    (r"decoder\.block\.(\d+)\.layer\.0\.SelfAttention\.(\w)\.weight",
     r"decoder.layers_\1.self_attention.\2.kernel"),
    (r"decoder\.block\.(\d+)\.layer\.0\.layer_norm\.weight",
     r"decoder.layers_\1.pre_self_attention_layer_norm.scale"),
    (r"decoder\.block\.(\d+)\.layer\.1\.EncDecAttention\.(\w)\.weight",
     r"decoder.layers_\1.encoder_decoder_attention.\2.kernel"),
    (r"decoder\.block\.(\d+)\.layer\.1\.layer_norm\.weight",
     r"decoder.layers_\1.pre_cross_attention_layer_norm.scale"),
    (r"(\w+)\.block\.(\d+)\.layer\.[12]\.DenseReluDense\.(\w+)\.weight",
     r"\1.layers_\2.mlp.\3.kernel"),
    (r"(\w+)\.block\.(\d+)\.layer\.[12]\.layer_norm\.weight",
     r"\1.layers_\2.pre_mlp_layer_norm.scale"),
]  # fmt: skip
_PROJECTIONS = {"q": "query", "k": "key", "v": "value", "o": "out"}


def our_tree(theirs: Arrays) -> Any:
    """Weights, or gradients, by torch's names as our tree; torch's matrices are [out, in]."""
    flat = {}
    for name, array in theirs.items():
        matches = [(m, new) for old, new in _NAMES if (m := re.fullmatch(old, name))]
        match, new = matches[0]
        path = tuple(_PROJECTIONS.get(part, part) for part in match.expand(new).split("."))
        flat[path] = array.T if array.ndim == 2 and name != "shared.weight" else array
    assert len(flat) == len(theirs)
    return unflatten_dict(flat)


def our_model(sizes: dict[str, int]) -> Transformer:
    return Transformer(
        T5Config(
            vocab_size=sizes["vocab_size"],
            emb_dim=sizes["d_model"],
            num_heads=sizes["num_heads"],
            head_dim=sizes["d_kv"],
            mlp_dim=sizes["d_ff"],
            num_encoder_layers=sizes["num_layers"],
            num_decoder_layers=sizes["num_decoder_layers"],
        )
    )


greedy = jax.jit(decoding.greedy_decode, static_argnums=(0, 3))


@partial(jax.jit, static_argnums=0)
def mean_loss_and_gradients(model: Transformer, params: Any, batch: Arrays) -> tuple[Any, Any]:
    def loss(params):
        factor = "NUM_REAL_TARGET_TOKENS"
        return losses.loss_fn(
            model, params, batch, None, z_loss=0.0, loss_normalizing_factor=factor
        )[0]

    return jax.value_and_grad(loss)(params)


def require_peers() -> None:
    for name in ("torch", "transformers"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install -e '.[peers]'")


@dataclasses.dataclass(frozen=True)
class Case:
    """A reference, and our network with its weights."""

    reference: Reference
    model: Transformer
    params: Any


@pytest.fixture(scope="module", params=["stored", *CASES])
def case(request) -> Case:
    if request.param == "stored":
        reference = load(STORED)
    else:
        require_peers()
        sizes, source, target, padded = CASES[request.param]
        batch = make_batch(1, sizes["vocab_size"], source, target, padded)
        reference = compute(sizes, random_weights(sizes, seed=1), batch)
    return Case(reference, our_model(reference.sizes), our_tree(reference.weights))


def test_parameter_trees_match(case):
    ours = jax.eval_shape(partial(initial_params, case.model, seed=0))
    assert jax.tree.map(lambda x: (x.shape, x.dtype.name), ours) == jax.tree.map(
        lambda x: (x.shape, x.dtype.name), case.params
    )


def test_logits_agree(case):
    batch = case.reference.batch
    logits = np.asarray(logits_of(case.model, case.params, batch))
    real = batch["decoder_target_tokens"] > 0
    expected = case.reference.logits[real]
    assert expected.std() > 0.1
    np.testing.assert_allclose(logits[real], expected, atol=TOLERANCE, rtol=0)


def test_loss_and_gradients_agree(case):
    reference = case.reference
    loss, gradients = mean_loss_and_gradients(case.model, case.params, reference.batch)
    np.testing.assert_allclose(loss, reference.loss, rtol=1e-6)
    ours = flatten_dict(gradients, sep="/")
    theirs = flatten_dict(our_tree(reference.gradients), sep="/")
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        largest = np.abs(expected).max()
        assert largest > 0, name
        np.testing.assert_allclose(
            ours[name], expected, atol=TOLERANCE * min(largest, 1.0), rtol=0, err_msg=name
        )


def test_greedy_decodes_agree(case):
    reference = case.reference
    ends = (reference.greedy_ids == reference.eos_id).argmax(axis=1)
    assert len(set(ends)) > 1, "an end token that ends no row, or all of them at once, tests little"
    source = reference.batch["encoder_input_tokens"]
    ids, _ = greedy(case.model, case.params, source, DECODE_LENGTH, reference.eos_id)
    np.testing.assert_array_equal(ids, reference.greedy_ids)


def test_stored_reference_is_what_transformers_gives_today():
    require_peers()
    stored = load(STORED)
    today = compute(stored.sizes, stored.weights, stored.batch)
    real = stored.batch["decoder_target_tokens"] > 0
    np.testing.assert_allclose(stored.logits[real], today.logits[real], atol=1e-5, rtol=0)
    assert stored.loss == pytest.approx(today.loss, rel=1e-6)
    for name, gradient in stored.gradients.items():
        np.testing.assert_allclose(gradient, today.gradients[name], atol=1e-5, err_msg=name)
    assert stored.eos_id == today.eos_id
    np.testing.assert_array_equal(stored.greedy_ids, today.greedy_ids)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_distances_fall_into_the_same_buckets(bidirectional):
    require_peers()
    torch = pytest.importorskip("torch")
    attention = pytest.importorskip("transformers.models.mt5.modeling_mt5").MT5Attention
    distances = np.arange(-1100, 1101)
    theirs = attention._relative_position_bucket(torch.from_numpy(distances), bidirectional)
    np.testing.assert_array_equal(relative_position_bucket(distances, bidirectional), theirs)
