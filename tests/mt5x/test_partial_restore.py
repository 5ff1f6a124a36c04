"""Partial restore: what is loaded, left and fresh, as asked and as printed; vocabulary resizing."""

import dataclasses
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mt5x import optimizers, run_record, train_state
from mt5x.checkpoints import placing, restore
from mt5x.checkpoints.restore import RestoreConfig
from mt5x.checkpoints.restore_plan import plan
from mt5x.checkpoints.tensors import TensorInfo, is_slot
from mt5x.errors import UserError
from mt5x.model import Transformer
from mt5x.models import EncoderDecoderModel
from mt5x.partitioning import make_mesh
from mt5x.train_loop import CheckpointConfig, train
from tests.mt5x import toy
from tests.mt5x.checkpoint_files import InMemory, copy

EMBEDDING, LOGITS = "token_embedder/embedding", "decoder/logits_dense/kernel"


def model_with(rows: int, factored: bool = False) -> EncoderDecoderModel:
    base = toy.model()
    config = dataclasses.replace(base.module.config, vocab_size=rows)
    optimizer = optimizers.Adafactor(min_dim_size_to_factor=16 if factored else 128)
    return dataclasses.replace(base, module=Transformer(config), optimizer_def=optimizer)


def state_of(model: EncoderDecoderModel, seed: int) -> dict[str, np.ndarray]:
    """A state as after some steps: no slot is zero."""
    state = train_state.init_state(model, make_mesh(1, 1), seed)
    flat = placing.flat(jax.device_get(state.as_checkpoint()))
    flat.pop("state/step")
    random = np.random.default_rng(seed)
    return {
        path: 1 + random.random(array.shape, np.float32) if is_slot(path) else array
        for path, array in flat.items()
    }


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return state_of(toy.model(), seed=5)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, arrays) -> str:
    folder = tmp_path_factory.mktemp("whole") / "checkpoint_9"
    return str(copy(InMemory(arrays, step=9), "t5x_legacy", folder))


def restored(
    checkpoint: str, model: EncoderDecoderModel | None = None, **config
) -> dict[str, np.ndarray]:
    state = restore.initial_state(
        checkpoint, model or toy.model(), make_mesh(1, 1), 0, RestoreConfig(**config)
    )
    return placing.flat(jax.device_get(state.as_checkpoint()))


@pytest.fixture(scope="module")
def fresh() -> dict[str, np.ndarray]:
    state = train_state.init_state(toy.model(), make_mesh(1, 1), 0)
    return placing.flat(jax.device_get(state.as_checkpoint()))


def test_what_is_excluded_is_fresh_and_the_rest_is_loaded_with_its_slots(
    checkpoint, arrays, fresh, capsys
):
    flat = restored(checkpoint, exclude=["decoder/.*"])
    assert flat["state/step"] == 9
    for path, array in arrays.items():
        expected = (
            fresh if path.removeprefix("state/param_states/").startswith("decoder/") else arrays
        )
        np.testing.assert_array_equal(flat[path], expected[path], err_msg=path)
        assert array.shape == flat[path].shape
    said = capsys.readouterr().err
    excluded = sum(path.startswith("decoder/") for path in arrays)
    assert f"freshly initialised: {excluded} parameters and {4 * excluded} optimizer slots" in said
    assert f"left: {excluded} parameters and {4 * excluded} optimizer slots (decoder/" in said
    assert f"and {excluded - 10} more" in said


def test_only_what_is_included_is_loaded(checkpoint, arrays, fresh):
    flat = restored(checkpoint, include=[EMBEDDING, "encoder/.*"], exclude=["encoder/relpos.*"])
    for path in arrays:
        parameter = path.removeprefix("state/param_states/")
        loaded = parameter.startswith((EMBEDDING, "encoder/")) and "relpos" not in parameter
        np.testing.assert_array_equal(flat[path], (arrays if loaded else fresh)[path])


def test_parameters_alone_begin_at_step_0(checkpoint, arrays, fresh, capsys):
    flat = restored(checkpoint, optimizer=False)
    assert flat["state/step"] == 0
    for path in arrays:
        np.testing.assert_array_equal(flat[path], (fresh if is_slot(path) else arrays)[path])
    assert "the optimizer starts afresh, at step 0" in capsys.readouterr().err


def test_a_checkpoint_without_an_optimizer_gets_a_fresh_one(tmp_path, arrays, capsys):
    alone = {path: array for path, array in arrays.items() if not is_slot(path)}
    flat = restored(str(copy(InMemory(alone, step=9), "t5x", tmp_path / "checkpoint_9")))
    assert flat["state/step"] == 0
    np.testing.assert_array_equal(flat[EMBEDDING], arrays[EMBEDDING])
    assert "the optimizer starts afresh" in capsys.readouterr().err


def test_a_whole_restore_says_only_that(checkpoint, capsys):
    restored(checkpoint)
    said = capsys.readouterr().err
    assert said == f"checkpoint {checkpoint} (t5x_legacy, step 9), loaded whole\n"


# The vocabulary.


@pytest.mark.parametrize("factored", [False, True])
@pytest.mark.parametrize("rows", [380, 390])
def test_rows_of_the_vocabulary_are_dropped_and_added_when_asked(tmp_path, rows, factored, capsys):
    arrays = state_of(model_with(384, factored), seed=5)
    path = str(copy(InMemory(arrays, step=9), "t5x_legacy", tmp_path / "checkpoint_9"))
    model = model_with(rows, factored)
    with pytest.raises(UserError, match=f"384 rows there and {rows} in the model.*RESIZE"):
        restored(path, model)
    flat = restored(path, model, resize_vocabulary=True)
    begun = restored(path, model, resize_vocabulary=True, exclude=[EMBEDDING, LOGITS])
    kept = min(rows, 384)
    np.testing.assert_array_equal(flat[EMBEDDING][:kept], arrays[EMBEDDING][:kept])
    np.testing.assert_array_equal(flat[LOGITS][:, :kept], arrays[LOGITS][:, :kept])
    np.testing.assert_array_equal(flat[EMBEDDING][kept:], begun[EMBEDDING][kept:])
    np.testing.assert_array_equal(flat[LOGITS][:, kept:], begun[LOGITS][:, kept:])
    slot = f"state/param_states/{EMBEDDING}/{'v_col' if factored else 'v'}"
    assert flat[slot].shape[0] == rows
    np.testing.assert_array_equal(flat[slot][:kept], arrays[slot][:kept])
    if rows > 384:
        mean = arrays[slot].mean(axis=0, keepdims=True)
        np.testing.assert_allclose(
            flat[slot][kept:], np.broadcast_to(mean, flat[slot][kept:].shape), rtol=1e-5
        )
    said = capsys.readouterr().err
    grown = f", the last {rows - 384} new" if rows > 384 else ""
    assert f"resized: {EMBEDDING} from 384 to {rows} rows{grown}\n" in said


@pytest.mark.parametrize(("there", "here"), [(250_100, 250_112), (250_112, 250_100)])
def test_mt5_s_two_sizes_need_no_asking(there, here):
    def shapes(rows: int) -> dict[str, TensorInfo]:
        sizes = {
            EMBEDDING: (rows, 8),
            LOGITS: (8, rows),
            f"state/param_states/{LOGITS}/v": (8, rows),
        }
        return {path: TensorInfo(shape, "float32") for path, shape in sizes.items()}

    found = plan(shapes(there), shapes(here), RestoreConfig(), "here")
    assert {(change.old, change.new) for change in found.resized.values()} == {(there, here)}
    assert len(found.resized) == 3
    assert f"resized: {EMBEDDING} from {there:,} to {here:,} rows" in "\n".join(found.lines())


def test_a_job_that_does_not_train_takes_other_rows_as_well(tmp_path, monkeypatch, arrays, capsys):
    monkeypatch.setattr("mt5x.checkpoints.restore_plan._MT5_ROWS", frozenset({384, 392}))
    path = str(copy(InMemory(arrays, step=9), "t5x_legacy", tmp_path / "checkpoint_9"))
    params, step = restore.parameters(path, model_with(392), make_mesh(1, 1))
    assert step == 9
    assert params["token_embedder"]["embedding"].shape == (392, 16)
    np.testing.assert_array_equal(params["token_embedder"]["embedding"][:384], arrays[EMBEDDING])
    assert "from 384 to 392 rows" in capsys.readouterr().err


# What does not fit.


def test_differences_name_three_and_what_to_do(checkpoint):
    base = toy.model()
    wider = dataclasses.replace(base.module.config, emb_dim=32)
    with pytest.raises(UserError, match=r"does not fit.*; and \d+ more; choose.*RESTORE_EXCLUDE"):
        restored(checkpoint, dataclasses.replace(base, module=Transformer(wider)))


def test_what_the_model_lacks_is_an_error_unless_patterns_say_so(checkpoint, capsys):
    base = toy.model()
    config = dataclasses.replace(base.module.config, logits_via_embedding=True)
    tied = dataclasses.replace(base, module=Transformer(config))
    with pytest.raises(UserError, match=f"{LOGITS} is .* there and absent in the model"):
        restored(checkpoint, tied)
    flat = restored(checkpoint, tied, exclude=[LOGITS])
    assert LOGITS not in flat
    assert f"left: 1 parameters and 4 optimizer slots ({LOGITS})" in capsys.readouterr().err


def test_another_optimizer_s_slots_are_told(tmp_path):
    arrays = state_of(model_with(384, factored=True), seed=5)
    path = str(copy(InMemory(arrays, step=9), "t5x_legacy", tmp_path / "checkpoint_9"))
    with pytest.raises(UserError, match="RESTORE_OPTIMIZER = False to take the parameters alone"):
        restored(path)
    assert restored(path, optimizer=False)["state/step"] == 0


def test_a_missing_parameter_is_told(tmp_path, arrays):
    kept = {path: array for path, array in arrays.items() if EMBEDDING not in path}
    path = str(copy(InMemory(kept, step=9), "t5x_legacy", tmp_path / "checkpoint_9"))
    with pytest.raises(UserError, match=f"{EMBEDDING} is absent there"):
        restored(path)
    restored(path, exclude=[EMBEDDING])


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({"exclude": ["decodr/.*"]}, "RESTORE_EXCLUDE: 'decodr/.*' matches no whole parameter"),
        ({"include": ["mlp"]}, "RESTORE_INCLUDE: 'mlp' matches no whole parameter"),
        ({"include": ["("]}, "no regular expression"),
        ({"exclude": "decoder/.*"}, "is a list of patterns"),
    ],
)
def test_a_pattern_that_does_nothing_is_told(checkpoint, patterns, message):
    with pytest.raises(UserError, match=re.escape(message)):
        restored(checkpoint, **patterns)


_paths = st.dictionaries(
    st.from_regex(r"[a-c](/[a-c]){0,2}/kernel", fullmatch=True),
    st.tuples(st.integers(1, 3)),
    min_size=1,
    max_size=8,
)


@given(there=_paths, here=_paths, pattern=st.sampled_from([".*", "a.*", "b/.*", ".*/c/kernel"]))
def test_any_plan_accounts_for_every_tensor_once(there, here, pattern):
    available = {path: TensorInfo(shape, "float32") for path, shape in there.items()}
    wanted = {path: TensorInfo(shape, "float32") for path, shape in here.items()}
    try:
        found = plan(available, wanted, RestoreConfig(include=[pattern]), "here")
    except UserError:
        chosen = [path for path in here if re.fullmatch(pattern, path)]
        fits = all(here[path] == there.get(path) for path in chosen)
        matches = any(re.fullmatch(pattern, path) for path in {**there, **here})
        assert not fits or not matches or (pattern == ".*" and there.keys() - here.keys())
        return
    assert sorted([*found.loaded, *found.fresh]) == sorted(wanted)
    assert sorted([*found.loaded, *found.left]) == sorted(available)
    assert all(available[path] == wanted[path] for path in found.loaded)
    assert all(re.fullmatch(pattern, path) for path in found.loaded)
    assert found.whole == (available == wanted == {p: wanted[p] for p in found.loaded})


# In training.


def test_training_goes_on_from_t5x_s_formats_as_from_ours(tmp_path, monkeypatch):
    """Bit for bit: two steps of ours, converted, and two more."""
    toy.register()
    monkeypatch.setattr(run_record.config, "resolved", lambda: "TOY = True")

    def run(folder: Path, steps: int, start: Path | None = None) -> dict[str, np.ndarray]:
        result = train(
            model=toy.model(),
            model_dir=str(folder),
            train_dataset_cfg=toy.dataset(),
            learning_rate_fn=lambda step: 0.01,
            total_steps=steps,
            checkpoint_cfg=CheckpointConfig(initial_path=str(start) if start else None),
            eval_period=0,
            tensorboard=False,
        )
        return _arrays(result.checkpoint)

    run(tmp_path / "first", 2)
    source = restore.formats.open_source(tmp_path / "first")
    expected = run(tmp_path / "t5x", 4, tmp_path / "first")
    for name in ("t5x", "t5x_legacy"):
        converted = copy(source, name, tmp_path / f"{name}_there" / "checkpoint_2")
        found = run(tmp_path / f"{name}_run", 4, converted)
        assert found.keys() == expected.keys()
        assert all(found[path].tobytes() == expected[path].tobytes() for path in expected)


def _arrays(checkpoint: Path) -> dict[str, np.ndarray]:
    source = restore.formats.open_source(checkpoint)
    return {path: source.read(path) for path in source.tensors}
