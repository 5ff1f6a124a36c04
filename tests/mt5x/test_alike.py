"""Parameters that are updated together, as on a GPU, get what each gets alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from mt5x import partitioning
from mt5x.optimizers import Adafactor, AdamW, alike
from mt5x.optimizers.row_gradient import RowGradient

SHAPES = {
    "embedding": (300, 130),
    **{f"layers_{i}/kernel": (140, 160) for i in range(5)},
    **{f"layers_{i}/wide": (160, 140) for i in range(2)},
    **{f"layers_{i}/scale": (16,) for i in range(3)},
    "layers_0/norm/bias": (16,),
}


def tree(seed: int, size: float = 1.0) -> dict[str, jax.Array]:
    random = np.random.default_rng(seed)
    return {
        name: jnp.asarray(size * random.normal(size=shape), jnp.float32)
        for name, shape in SHAPES.items()
    }


def whole_gradients(seed: int) -> dict[str, jax.Array]:
    return tree(seed, 0.1)


def gradients(seed: int) -> dict[str, jax.Array | RowGradient]:
    grads: dict[str, jax.Array | RowGradient] = {**whole_gradients(seed)}
    rows = np.random.default_rng(seed).normal(size=(3, 130))
    grads["embedding"] = RowGradient(jnp.asarray([2, 7, 300]), jnp.asarray(rows, jnp.float32))
    return grads


def two_steps(optimizer, gradients=gradients, update=None):
    params = tree(0)
    state = optimizer.init(params)
    for seed in (1, 2):
        params, state, squares = (update or optimizer.measured_update)(
            gradients(seed), state, params, jnp.float32(1e-2)
        )
    return params, state, squares


@pytest.mark.parametrize(
    "optimizer",
    [Adafactor(), Adafactor(beta1=0.9), AdamW(), Adafactor(global_norm_clip_threshold=0.5)],
    ids=["Adafactor", "momentum", "AdamW", "clipped"],
)
def test_a_stack_is_updated_as_its_parameters_are(optimizer, monkeypatch):
    alone = two_steps(optimizer)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(alike, "AT_ONCE", 3)
    together = two_steps(optimizer)
    for one, other in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_so_is_one_that_is_split_over_devices(monkeypatch):
    """Without an array being gathered or sent elsewhere: devices only sum."""
    mesh, optimizer = partitioning.make_mesh(2, 2, 2), Adafactor()
    whole = partitioning.replicated(mesh)
    places = {
        name: NamedSharding(mesh, P("fsdp", "model")) if len(shape) == 2 else whole
        for name, shape in SHAPES.items()
    }
    slots = partitioning.optimizer_shardings(optimizer.slot_axes, tree(0), places, mesh)
    split = jax.jit(
        optimizer.measured_update,
        in_shardings=(places, slots, places, whole),
        out_shardings=(places, slots, whole),
    )
    alone = two_steps(optimizer, whole_gradients)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    together = two_steps(optimizer, whole_gradients, split)
    for one, other in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    stacked = jax.make_jaxpr(optimizer.measured_update)(
        whole_gradients(1), optimizer.init(tree(0)), tree(0), 1e-2
    )
    assert "optimization_barrier" in str(stacked)
    program = split.lower(whole_gradients(1), optimizer.init(tree(0)), tree(0), 1e-2).compile()
    text = program.as_text()
    assert text is not None
    assert "all-reduce" in text
    for moved in ("all-gather", "all-to-all", "collective-permute"):
        assert moved not in text


def test_only_small_parameters_of_one_kind_and_shape_are_together(monkeypatch):
    params = [jnp.zeros((2, 3)), jnp.zeros((3, 2)), *3 * [jnp.zeros((2, 3))], jnp.zeros((40, 40))]
    assert alike.groups(["a"] * 6, params) == [[place] for place in range(6)]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert alike.groups(["a"] * 6, params) == [[0, 2, 3, 4], [1], [5]]
    assert alike.groups(["a", "a", "b", None, "b", "a"], params) == [[0], [1], [2, 4], [3], [5]]
    monkeypatch.setattr(alike, "AT_ONCE", 3)
    monkeypatch.setattr(alike, "LARGE", 1600)
    alone = [*params, params[-1]]
    assert alike.groups(["a"] * 7, alone) == [[0, 2, 3], [4], [1], [5], [6]]
