"""Fresh parameters: flax's own, on any mesh, by few programs, and only those that are wanted."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from mt5x import initial_values, train_state
from mt5x.model import Transformer
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import make_mesh
from tests.mt5x import toy


def model(**changes) -> EncoderDecoderModel:
    made = toy.model()
    config = dataclasses.replace(made.module.config, **changes)
    return dataclasses.replace(made, module=Transformer(config))


def flax_s_own(made: EncoderDecoderModel, seed: int) -> dict[str, np.ndarray]:
    ids = jnp.ones((1, 1), jnp.int32)

    def init(key: jax.Array):
        return made.module.init({"params": key}, ids, ids, ids, enable_dropout=False)

    return flatten_dict(nn.unbox(jax.jit(init)(jax.random.key(seed)))["params"], sep="/")


@pytest.mark.parametrize("scan_layers", [False, True])
@pytest.mark.parametrize("axes", [(1, 1, 1), (2, 2, 2)])
def test_they_are_what_flax_draws(scan_layers, axes):
    made = model(scan_layers=scan_layers)
    state = train_state.init_state(made, make_mesh(*axes), seed=5)
    found = flatten_dict(state.params, sep="/")
    expected = flax_s_own(made, seed=5)
    assert found.keys() == expected.keys()
    for path, value in expected.items():
        np.testing.assert_array_equal(np.asarray(found[path]), np.asarray(value), err_msg=path)
    wanted = flatten_dict(train_state.state_shardings(made, make_mesh(*axes)).params, sep="/")
    assert all(found[path].sharding == wanted[path] for path in wanted)


def test_the_optimizer_begins_as_it_says():
    made = toy.model()
    state = train_state.init_state(made, make_mesh(1, 1), seed=0)
    expected = made.optimizer_def.init(state.params)
    jax.tree.map(np.testing.assert_array_equal, state.opt_state, expected)


def test_parameters_alike_share_a_program_and_others_are_not_drawn():
    made, mesh = model(num_encoder_layers=3, num_decoder_layers=3), make_mesh(1, 1)
    initial_values._compiled_draw.cache_clear()
    paths = [path for path in flax_s_own(made, 0) if path.endswith("/wo/kernel")]
    drawn = train_state.init_params(made, mesh, 0, paths)
    assert [*drawn] == paths
    assert len(paths) == 6
    assert initial_values._compiled_draw.cache_info().misses == 1
    every = train_state.init_params(made, mesh, 0)
    assert initial_values._compiled_draw.cache_info().misses < len(every) / 4
    for path in paths:
        np.testing.assert_array_equal(np.asarray(drawn[path]), np.asarray(every[path]))
