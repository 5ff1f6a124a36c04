"""umT5's network: a relative-position bias in every layer instead of one a stack."""

import dataclasses
from typing import Any

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from mt5x import decoding
from mt5x.model import T5Config, Transformer
from tests.mt5x.networks import initial_params, logits_of, random_examples, unpacked_batch

SHARED = T5Config(
    vocab_size=96, emb_dim=16, num_heads=2, head_dim=8, mlp_dim=24,
    num_encoder_layers=2, num_decoder_layers=3,
)  # fmt: skip
PER_LAYER = dataclasses.replace(SHARED, relative_bias_per_layer=True)
LENGTHS = (9, 7)


def spread(config: T5Config) -> dict[str, Any]:
    """Parameters by path, the biases large enough to matter."""
    flat = flatten_dict(initial_params(Transformer(config), seed=0), sep="/")
    return {k: np.asarray(v) * (8 if "relpos_bias" in k else 1) for k, v in flat.items()}


def logits(config: T5Config, flat: dict[str, Any]) -> np.ndarray:
    batch = unpacked_batch(random_examples(0, 4, *LENGTHS), *LENGTHS)
    found = logits_of(Transformer(config), unflatten_dict(flat, sep="/"), batch)
    return np.asarray(found)[batch["decoder_target_tokens"] > 0]


def test_equal_biases_of_all_layers_are_one_bias_of_the_stack():
    shared = spread(SHARED)
    own = {path: array for path, array in shared.items() if "relpos_bias" not in path}
    for stack, count in (("encoder", 2), ("decoder", 3)):
        for number in range(count):
            path = "relpos_bias/rel_embedding"
            own[f"{stack}/layers_{number}/{path}"] = shared[f"{stack}/{path}"]
    assert own.keys() == spread(PER_LAYER).keys()
    np.testing.assert_allclose(logits(PER_LAYER, own), logits(SHARED, shared), atol=1e-6)


def test_every_layer_s_bias_takes_part():
    flat = spread(PER_LAYER)
    before = logits(PER_LAYER, flat)
    biases = [path for path in flat if "relpos_bias" in path]
    assert len(biases) == 5
    for path in biases:
        other = flat | {path: np.roll(flat[path], 1, axis=1)}
        assert np.abs(logits(PER_LAYER, other) - before).max() > 1e-3, path


def test_decoding_against_caches_is_teacher_forcing():
    model, flat = Transformer(PER_LAYER), spread(PER_LAYER)
    params = unflatten_dict(flat, sep="/")
    source = unpacked_batch(random_examples(0, 4, *LENGTHS), *LENGTHS)["encoder_input_tokens"]
    length = 8
    ids, _ = jax.jit(decoding.greedy_decode, static_argnums=(0, 3, 4))(
        model, params, source, length, 97
    )
    ids = np.asarray(ids)
    batch = {
        "encoder_input_tokens": source,
        "decoder_input_tokens": np.pad(ids, [(0, 0), (1, 0)])[:, :-1],
        "decoder_target_tokens": np.ones_like(ids),
    }
    best = np.asarray(logits_of(model, params, batch)).argmax(axis=-1)
    assert len(np.unique(ids)) > 4
    np.testing.assert_array_equal(ids, best)
