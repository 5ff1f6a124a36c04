"""A step on the rows that a batch uses is the step on the whole embedding."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from hypothesis import given
from hypothesis import strategies as st

from mt5x import optimizers, partitioning, steps, train_state, used_rows
from mt5x.model import T5Config, Transformer
from mt5x.models import EncoderDecoderModel
from mt5x.optimizers import RowGradient

NETWORK = T5Config(
    vocab_size=400,
    emb_dim=16,
    num_heads=2,
    head_dim=8,
    num_encoder_layers=1,
    num_decoder_layers=1,
    mlp_dim=32,
    dropout_rate=0.1,
)
RECIPE = optimizers.Adafactor(min_dim_size_to_factor=8)


def model(optimizer=RECIPE, freeze=(), **config) -> EncoderDecoderModel:
    network = Transformer(dataclasses.replace(NETWORK, **config))
    return EncoderDecoderModel(network, optimizer, freeze=freeze)


def batch(rows: int = 4, length: int = 12, vocabulary: int = 400) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    tokens = random.integers(2, vocabulary, (2, rows, length)).astype(np.int32)
    tokens[:, :, length - 3 :] = 0
    tokens[:, 0, :4] = 7  # one id several times, on both sides
    inputs, targets = tokens
    return {
        "encoder_input_tokens": inputs,
        "decoder_input_tokens": np.pad(targets[:, :-1], [(0, 0), (1, 0)]),
        "decoder_target_tokens": targets,
        "decoder_loss_weights": (targets > 0).astype(np.float32),
    }


@pytest.fixture
def any_size(monkeypatch):
    monkeypatch.setattr(used_rows, "LEAST_SIZE", 1)


def trained(model, data, num_steps=3, microbatches=1):
    mesh = partitioning.make_mesh(1, 1)
    state = train_state.init_state(model, mesh, seed=0)
    # The step anew: what is compiled does not ask again whether it is worth it.
    step = steps.train_step.__wrapped__(model, mesh, microbatches)
    measured = []
    for _ in range(num_steps):
        state, metrics = step(state, steps.place(data, mesh), jax.random.key(1), jnp.float32(0.1))
        measured.append(steps.means(metrics))
    return flatten_dict(state.as_checkpoint(), sep="/"), measured


@pytest.mark.parametrize(
    ("optimizer", "microbatches"),
    [
        (RECIPE, 2),
        (dataclasses.replace(RECIPE, global_norm_clip_threshold=0.5), 1),
        (dataclasses.replace(RECIPE, clipping_threshold=None, max_parameter_scale=0.01), 1),
    ],
    ids=["recipe", "clipped", "others"],
)
def test_the_same_step(monkeypatch, request, optimizer, microbatches):
    made, data = model(optimizer), batch()
    assert not used_rows.worth(made, used_rows.ids_of(data))
    whole, whole_metrics = trained(made, data, microbatches=microbatches)
    request.getfixturevalue("any_size")
    assert used_rows.worth(made, used_rows.ids_of(data))
    rows, rows_metrics = trained(made, data, microbatches=microbatches)
    assert whole.keys() == rows.keys()
    for path, value in whole.items():
        np.testing.assert_allclose(rows[path], value, rtol=2e-5, atol=1e-6, err_msg=path)
    for one, other in zip(whole_metrics, rows_metrics, strict=True):
        assert other == pytest.approx(one, rel=1e-5)


def test_a_row_that_is_not_used_keeps_its_bits(any_size):
    data = batch()
    before = train_state.init_state(model(), partitioning.make_mesh(1, 1), seed=0).params
    after, _ = trained(model(), data)
    name = "target/token_embedder/embedding"
    changed = np.any(np.asarray(before["token_embedder"]["embedding"]) != after[name], axis=1)
    inputs, shifted = data["encoder_input_tokens"], data["decoder_input_tokens"]
    assert set(inputs.flat) - {0} <= set(np.flatnonzero(changed)) <= {*inputs.flat, *shifted.flat}


@given(
    st.lists(st.integers(-3, 25), min_size=6, max_size=6),
    st.lists(st.integers(-3, 25), min_size=6, max_size=6),
)
def test_ids_count_in_the_rows(inputs, targets):
    table = np.arange(20.0)[:, None] * np.ones(3)
    features = {
        "encoder_input_tokens": np.array([inputs]),
        "decoder_input_tokens": np.array([targets]),
        "other": np.ones(2),
    }
    params = {"token_embedder": {"embedding": table}, "rest": np.zeros(2)}
    small, found, ids = used_rows.of_batch(params, features)
    rows = np.asarray(small["token_embedder"]["embedding"])
    for name, given_ids in (("encoder_input_tokens", inputs), ("decoder_input_tokens", targets)):
        there = np.asarray(found[name])[0]
        clipped = np.clip(given_ids, 0, 19)
        np.testing.assert_array_equal(rows[there, 0], clipped)
        np.testing.assert_array_equal(there == 0, clipped == 0)
    held = np.asarray(ids)[np.asarray(ids) < 20]
    assert held.tolist() == sorted({0, *np.clip([*inputs, *targets], 0, 19).tolist()})
    assert small["rest"] is params["rest"]
    assert found["other"] is features["other"]
    whole = used_rows.in_the_table(small, ids)["token_embedder"]["embedding"]
    assert isinstance(whole, RowGradient)


def test_it_is_not_worth_it_where_other_rows_change_or_are_needed(any_size):
    assert used_rows.worth(model(), 100)
    assert not used_rows.worth(model(), 101)
    assert not used_rows.worth(model(optimizers.AdamW()), 100)
    for changes in ({"beta1": 0.9}, {"weight_decay_rate": 0.1}, {"factored": False}):
        assert not used_rows.worth(model(dataclasses.replace(RECIPE, **changes)), 100)
    assert not used_rows.worth(model(freeze=("token_embedder/.*",)), 100)
    assert not used_rows.worth(model(logits_via_embedding=True), 100)
    with partitioning.on_mesh(partitioning.make_mesh(2, 1)):
        assert not used_rows.worth(model(), 100)


@pytest.mark.parametrize(
    "optimizer",
    [RECIPE, dataclasses.replace(RECIPE, beta1=0.9), optimizers.AdamW(weight_decay=0.1)],
    ids=["recipe", "momentum", "adamw"],
)
def test_a_gradient_of_rows_is_the_whole_one(optimizer):
    keys = jax.random.split(jax.random.key(0), 2)
    params = {"table": jax.random.normal(keys[0], (40, 16))}
    # The last place holds no row.
    rows = RowGradient(jnp.array([0, 3, 39, 40]), jax.random.normal(keys[1], (4, 16)))
    whole = jnp.zeros((40, 16)).at[rows.ids[:3]].set(rows.rows[:3])
    rows = rows._replace(rows=rows.rows.at[3].set(0.0))
    state = optimizer.init(params)
    found = optimizer.measured_update({"table": rows}, state, params, 0.1)
    expected = optimizer.measured_update({"table": whole}, state, params, 0.1)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
