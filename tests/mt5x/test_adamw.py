"""AdamW against optax's and PyTorch's, step by step, and what is decayed."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict

from mt5x.errors import UserError
from mt5x.optimizers import AdamW
from tests.mt5x.networks import largest_difference, loss_and_grads, random_examples, unpacked_batch

RATES = [1e-2, 3e-3, 1e-3, 5e-2]


def random_trees(seed: int) -> tuple[dict, list[dict]]:
    """Parameters, and the gradients of some steps."""
    random = np.random.default_rng(seed)

    def tree(scale):
        return {
            "decoder": {
                "norm": {"scale": (scale * random.normal(size=5)).astype(np.float32)},
                "wo": {"kernel": (scale * random.normal(size=(4, 5))).astype(np.float32)},
            },
            "table": {"rel_embedding": (scale * random.normal(size=(2, 3))).astype(np.float32)},
        }

    return tree(1.0), [tree(10.0**-n) for n in range(len(RATES))]


def ours(optimizer: AdamW, params, steps_of_grads, rates=RATES):
    state, update = optimizer.init(params), jax.jit(optimizer.update)
    for grads, rate in zip(steps_of_grads, rates, strict=True):
        params, state = update(grads, state, params, rate)
    return params, state


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"weight_decay": 0.1},
        {"b1": 0.0, "b2": 0.95, "weight_decay": 0.0},
        {"eps": 1e-3, "b1": 0.8, "weight_decay": 0.3},
    ],
    ids=str,
)
def test_steps_are_those_of_optax(settings):
    mask = {
        "decoder": {"norm": {"scale": False}, "wo": {"kernel": True}},
        "table": {"rel_embedding": False},
    }
    for seed in range(3):
        start, grads = random_trees(seed)
        found, state = ours(AdamW(**settings), start, grads)
        theirs = optax.adamw(
            lambda count: jnp.asarray(RATES)[count],
            **{"weight_decay": 0.01, **settings, "mask": mask},
        )
        their_update = jax.jit(theirs.update)
        params, their_state = start, theirs.init(start)
        for grad in grads:
            changes, their_state = their_update(grad, their_state, params)
            params = optax.apply_updates(params, changes)
        assert largest_difference(found, params) < 1e-6
        flat = flatten_dict(state["param_states"], sep="/")
        for slot in ("mu", "nu"):
            moments = flatten_dict(getattr(their_state[0], slot), sep="/")
            for path, value in moments.items():
                np.testing.assert_allclose(flat[f"{path}/{slot}"], value, rtol=1e-5, atol=1e-12)


def test_steps_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    params, grads = random_trees(7)
    found, _ = ours(AdamW(weight_decay=0.1), params, grads)
    flat = {
        path: torch.nn.Parameter(torch.tensor(value))
        for path, value in flatten_dict(params, sep="/").items()
    }
    decayed = [flat["decoder/wo/kernel"]]
    others = [value for path, value in flat.items() if path != "decoder/wo/kernel"]
    theirs = torch.optim.AdamW([
        {"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}
    ])  # fmt: skip
    for grad, rate in zip(grads, RATES, strict=True):
        for group in theirs.param_groups:
            group["lr"] = rate
        for path, value in flatten_dict(grad, sep="/").items():
            flat[path].grad = torch.tensor(value)
        theirs.step()
    for path, value in flatten_dict(found, sep="/").items():
        np.testing.assert_allclose(value, flat[path].detach().numpy(), atol=1e-5)


def test_a_network_s_kernels_are_decayed_and_its_scales_and_positions_are_not(small):
    _, params = small
    zeros = jax.tree.map(jnp.zeros_like, params)
    optimizer = AdamW(weight_decay=0.5)
    new, _ = optimizer.update(zeros, optimizer.init(params), params, 0.1)
    before, after = flatten_dict(params, sep="/"), flatten_dict(new, sep="/")
    kept = {path for path in before if (before[path] == after[path]).all()}
    assert kept == {path for path in before if path.endswith("/scale") or "relpos_bias" in path}
    for path in before.keys() - kept:
        np.testing.assert_allclose(after[path], 0.95 * before[path], rtol=1e-6)


def test_it_trains(small):
    model, params = small
    batch = unpacked_batch(random_examples(5, 6, source=7, target=6), 8, 8)
    optimizer = AdamW()
    state, update, found = optimizer.init(params), jax.jit(optimizer.update), []
    for _ in range(5):
        (loss, _), grads = loss_and_grads(model, params, batch, "NUM_REAL_TARGET_TOKENS")
        params, state = update(grads, state, params, 1e-2)
        found.append(float(loss))
    assert found == sorted(found, reverse=True)
    assert state["step"] == 5


def test_step_offset_begins_the_correction_anew():
    params, grads = random_trees(1)
    late = AdamW(step_offset=1000)
    state = late.init(params) | {"step": jnp.asarray(1000, jnp.int32)}
    moved, _ = late.update(grads[0], state, params, 0.1)
    fresh = AdamW()
    expected, _ = fresh.update(grads[0], fresh.init(params), params, 0.1)
    assert largest_difference(moved, expected) == 0.0


def test_gradients_are_clipped_to_a_norm_of_all_of_them():
    params, (grads, *_) = random_trees(2)
    norm = float(np.linalg.norm(np.concatenate([x.ravel() for x in jax.tree.leaves(grads)])))
    for threshold, scale in ((norm / 4, 0.25), (norm * 4, 1.0)):
        clipped = AdamW(global_norm_clip_threshold=threshold)
        _, state = ours(clipped, params, [grads], [0.1])
        found = state["param_states"]["decoder"]["wo"]["kernel"]["mu"]
        np.testing.assert_allclose(found, 0.1 * scale * grads["decoder"]["wo"]["kernel"], rtol=1e-5)


def test_slots_are_float32_beside_their_parameters():
    params = {"w": {"kernel": jnp.ones((3, 2), jnp.bfloat16)}}
    optimizer = AdamW()
    new, state = optimizer.update(params, optimizer.init(params), params, 0.1)
    assert new["w"]["kernel"].dtype == jnp.bfloat16
    slots = state["param_states"]["w"]["kernel"]
    assert {name: (slot.shape, slot.dtype.name) for name, slot in slots.items()} == {
        "mu": ((3, 2), "float32"), "nu": ((3, 2), "float32")
    }  # fmt: skip
    assert optimizer.slot_axes((3, 2)) == {"mu": (0, 1), "nu": (0, 1)}


def test_it_is_a_key_to_a_jit_cache_also_with_lists_of_gin():
    assert hash(AdamW(no_decay=["a"])) == hash(AdamW(no_decay=("a",)))
    with pytest.raises(UserError, match="no_decay is a list of patterns"):
        AdamW(no_decay=".*/scale")
    with pytest.raises(UserError, match=r"no_decay: '\(' is no regular expression"):
        AdamW(no_decay=["("])
