"""Frozen parameters stay as they are, cost no gradient and no slots; the others train as ever."""

import dataclasses
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict
from hypothesis import given
from hypothesis import strategies as st

from mt5x import accumulation, freezing, optimizers, partitioning, run_record, steps, train_state
from mt5x.checkpoints import native
from mt5x.checkpoints.restore_plan import RestoreConfig
from mt5x.errors import UserError
from mt5x.model import T5Config, Transformer
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import Partitioner
from mt5x.train_loop import CheckpointConfig, train
from tests.mt5x import toy
from tests.mt5x.compiled_step import compile_step
from tests.mt5x.networks import largest_difference
from tests.mt5x.test_partitioning import toy_batch

OPTIMIZERS = [optimizers.Adafactor(), optimizers.AdamW()]
PATTERNS = ("encoder/.*", "token_embedder/.*", r"decoder/.*/scale")


def model(freeze=PATTERNS, optimizer=None, **config: Any) -> EncoderDecoderModel:
    base = toy.model()
    changed = dataclasses.replace(base.module.config, **config)
    optimizer = optimizer or base.optimizer_def
    return dataclasses.replace(
        base, module=Transformer(changed), optimizer_def=optimizer, freeze=freeze
    )


def flat(tree: Any) -> dict[str, np.ndarray]:
    return {path: np.asarray(leaf) for path, leaf in flatten_dict(tree, sep="/").items()}


def trained_for(steps_done: int, made: EncoderDecoderModel, sizes=(1, 1), microbatches: int = 1):
    mesh = partitioning.make_mesh(*sizes)
    state = train_state.init_state(made, mesh, seed=0)
    before, losses = flat(state.params), []
    step = steps.train_step(made, mesh, microbatches)
    batch = steps.place(toy_batch(), mesh)
    for _ in range(steps_done):
        state, metrics = step(state, batch, jax.random.key(1), jnp.float32(0.01))
        losses.append(steps.means(metrics)["loss"])
    return before, state, losses


def is_frozen(path: str) -> bool:
    return path.startswith(("encoder/", "token_embedder/")) or path.endswith("/scale")


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda one: type(one).__name__)
def test_frozen_parameters_keep_their_bits_and_have_no_slots(optimizer):
    before, state, losses = trained_for(3, model(optimizer=optimizer))
    assert losses[-1] < losses[0]
    for path, value in flat(state.params).items():
        assert (value.tobytes() == before[path].tobytes()) == is_frozen(path), path
    owners = {path.rpartition("/")[0] for path in flat(state.opt_state["param_states"])}
    assert owners == {path for path in before if not is_frozen(path)}


@pytest.mark.parametrize(
    "ways",
    [
        [({}, (2, 2, 2), 2)],
        pytest.param(
            [({"scan_layers": True, "remat_policy": "full"}, (1, 1, 8), 1), ({}, (1, 1), 4)],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["sharded", "scanned"],
)
def test_everywhere_alike(ways):
    """Sharded fully, over the model, in microbatches, with a loop over the layers."""
    plain = {"dropout_rate": 0.0, "num_encoder_layers": 2, "num_decoder_layers": 2}
    _, expected, losses = trained_for(5, model(**plain))
    for changes, sizes, microbatches in ways:
        before, state, found = trained_for(5, model(**plain, **changes), sizes, microbatches)
        np.testing.assert_allclose(found, losses, rtol=1e-5)
        for path, value in flat(state.params).items():
            assert not is_frozen(path) or value.tobytes() == before[path].tobytes(), path
        assert largest_difference(jax.device_get(state.params), expected.params) < 1e-4


def test_the_others_have_the_gradients_of_a_step_that_freezes_nothing():
    params = train_state.init_state(toy.model(), partitioning.make_mesh(1, 1), seed=0).params

    def gradients(made):
        return accumulation.gradients(made, params, toy_batch(), jax.random.key(0), 1)[0]

    some = flat(jax.jit(gradients, static_argnums=0)(model()))
    everything = flat(jax.jit(gradients, static_argnums=0)(model(())))
    assert some.keys() == {path for path in everything if not is_frozen(path)}
    for path, grad in some.items():
        np.testing.assert_allclose(grad, everything[path], rtol=1e-5, atol=1e-7)


LARGE = T5Config(
    vocab_size=512, emb_dim=64, num_heads=4, head_dim=16, mlp_dim=256,
    num_encoder_layers=3, num_decoder_layers=1,
)  # fmt: skip


def flops(freeze: tuple[str, ...]) -> float:
    compiled, _ = compile_step(LARGE, Partitioner(8), 8, 64, 16, freeze=freeze)
    return float(compiled.cost_analysis()["flops"])


def test_no_gradient_is_computed_that_nothing_needs():
    all_trained = flops(())
    # Forward, and backward by activations, remain where something before is trained: a third of
    # the encoder's products is gone. Two thirds are gone where nothing is.
    kernels = flops((r"encoder/layers_\d+/.*/kernel",))
    nothing_before = flops(("encoder/.*", "token_embedder/.*"))
    assert kernels < 0.8 * all_trained
    assert nothing_before < 0.6 * all_trained
    assert nothing_before < 0.75 * kernels


@pytest.fixture
def _tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    toy.register()
    monkeypatch.setattr(run_record.config, "resolved", lambda: "TOY = True")


@pytest.mark.usefixtures("_tasks")
@pytest.mark.parametrize(
    "optimizer",
    [optimizers.AdamW(), pytest.param(optimizers.Adafactor(), marks=pytest.mark.slow)],
    ids=lambda one: type(one).__name__,
)
def test_a_run_resumes_and_another_starts_from_it(tmp_path, optimizer):
    made = model(optimizer=optimizer)

    def run(name: str, total: int, made=made, initial=None, exclude=()):
        return train(
            model=made, model_dir=str(tmp_path / name), train_dataset_cfg=toy.dataset(),
            learning_rate_fn=lambda step: 0.01, total_steps=total,
            eval_period=0, tensorboard=False, random_seed=len(exclude),
            checkpoint_cfg=CheckpointConfig(initial, restore=RestoreConfig(exclude=exclude)),
        )  # fmt: skip

    def state(result, of=made):
        mesh = Partitioner().mesh
        shapes = train_state.abstract_state(of), train_state.state_shardings(of, mesh)
        return flat(native.restore(result.checkpoint, *shapes).as_checkpoint())

    whole = state(run("whole", 4))
    run("parts", 2)
    parts = state(run("parts", 4))
    assert {path: value.tobytes() for path, value in parts.items()} == {
        path: value.tobytes() for path, value in whole.items()
    }
    # More frozen than before: the slots of the rest are taken, those of the others left.
    more = model((*PATTERNS, "decoder/logits_dense/.*"), optimizer)
    exclude = ("decoder/layers_0/mlp/.*",)
    on = state(run("more", 5, more, str(tmp_path / "whole"), exclude), more)
    kernel = "target/decoder/logits_dense/kernel"
    assert on[kernel].tobytes() == whole[kernel].tobytes()
    assert on["state/step"] == 5
    fresh = "target/decoder/layers_0/mlp/wo/kernel"
    assert np.abs(on[fresh] - whole[fresh]).mean() > 0.05  # by another seed
    # Less frozen: the new ones have no slots there, so the person says what to do.
    with pytest.raises(UserError, match=r"is absent there.*RESTORE_OPTIMIZER = False"):
        run("less", 5, model(("encoder/.*",), optimizer), str(tmp_path / "whole"))


PATHS = ("a/kernel", "a/b/kernel", "b/kernel", "b/c/scale", "c/scale", "d/bias")


@given(st.lists(st.sampled_from(["a/.*", "b/.*", ".*/scale", ".*kernel", "c/scale"]), max_size=4))
def test_parts_join_to_the_whole(patterns):
    tree = unflatten_dict({path: number for number, path in enumerate(PATHS)}, sep="/")
    trained, frozen = freezing.split(tree, patterns)
    assert freezing.joined(trained, frozen) == tree
    expected = {path for path in PATHS if any(re.fullmatch(p, path) for p in patterns)}
    assert set(flatten_dict(frozen, sep="/")) == expected


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (("encodr/.*",), r"FREEZE: 'encodr/\.\*' matches no whole .* did you mean encoder/\.\*"),
        (("encoder",), "FREEZE: 'encoder' matches no whole parameter path of the model, such as"),
        ((".*",), "FREEZE: '.*' matches every parameter of the model, so nothing is left to train"),
        (("encoder/.*", "decoder/.*", "token.*"), "matches every parameter of the model"),
    ],
)
def test_what_cannot_be_meant_is_told(patterns, message):
    with pytest.raises(UserError, match=message):
        train_state.abstract_state(model(patterns))


def test_a_string_or_a_broken_expression_is_told():
    with pytest.raises(UserError, match=r"FREEZE is a list of patterns, such as \['encoder/.*'\]"):
        model("encoder/.*")
    with pytest.raises(UserError, match=r"FREEZE: '\(' is no regular expression"):
        model(("(",))
    assert hash(model(["encoder/.*"])) == hash(model(("encoder/.*",)))
