"""A run's start: its step is compiled ahead, pipelines are built plainly, caches hurt nobody."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf

from mt5x import (
    cache_folder,
    compilation_cache,
    compiled_ahead,
    input_pipeline,
    plain_graphs,
    steps,
    train_state,
)
from mt5x.partitioning import Partitioner
from tests.mt5x import toy

COMPILED = "/jax/core/compile/backend_compile_duration"


@pytest.fixture(autouse=True)
def _tasks() -> None:
    toy.register()


@pytest.mark.parametrize("pack", [False, True])
def test_shapes_of_batches_are_known_before_they_are_read(pack) -> None:
    dataset = toy.dataset(pack=pack)
    batch = next(input_pipeline.training_batches(dataset, seed=0))
    assert input_pipeline.batch_shapes(dataset) == {name: a.shape for name, a in batch.items()}
    assert {array.dtype for array in batch.values()} == {np.dtype(np.int32)}


def test_shapes_that_the_data_decides_are_not_guessed() -> None:
    assert input_pipeline.batch_shapes(toy.dataset(task_feature_lengths=None)) is None


def test_the_step_compiled_ahead_is_the_one_that_is_called() -> None:
    model, mesh, dataset = toy.model(), Partitioner().mesh, toy.dataset()
    shapes = input_pipeline.batch_shapes(dataset)
    assert shapes is not None
    state = jax.tree.map(
        lambda array, place: jax.device_put(np.zeros(array.shape, array.dtype), place),
        train_state.abstract_state(model),
        train_state.state_shardings(model, mesh),
    )
    batch = steps.place(next(input_pipeline.training_batches(dataset, seed=0)), mesh)
    arguments = jax.random.key(0), jnp.float32(0.01)
    compiled_ahead.compile_train_step(model, mesh, 1, shapes).join()
    assert not compiled_ahead.under_way()
    compiled = []

    def note(event: str, duration_secs: float, **_: str | int) -> None:
        if event == COMPILED:
            compiled.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        jax.block_until_ready(steps.train_step(model, mesh, 1)(state, batch, *arguments))
        assert not compiled
        # The listener hears of what is compiled.
        jax.jit(lambda x: x * 3.25)(1.0)
        assert compiled
    finally:
        jax.monitoring.unregister_event_duration_listener(note)


def branching(x: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    if tf.size(x["inputs"]) > 1:
        return {**x, "inputs": x["inputs"][:1]}
    return x


def numbers(split: str, shuffle_files: bool = False, seed: int | None = None) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices({"inputs": [[1, 2]] * 4})


def test_a_preprocessor_that_branches_on_tensors_is_translated_as_ever() -> None:
    def build() -> tf.data.Dataset:
        return numbers("train").map(branching)

    with pytest.raises(TypeError):
        tf.autograph.experimental.do_not_convert(build)()
    for row in plain_graphs.built_plainly(build).as_numpy_iterator():
        assert row["inputs"].tolist() == [1]


def test_a_failure_of_another_cause_is_raised_once_and_alone() -> None:
    def build() -> tf.data.Dataset:
        raise KeyError("nothing here")

    with pytest.raises(KeyError) as caught:
        plain_graphs.built_plainly(build)
    assert caught.value.__context__ is None


def test_plain_graphs_give_the_same_batches(monkeypatch) -> None:
    def batches() -> list[dict[str, np.ndarray]]:
        stream = input_pipeline.training_batches(toy.dataset(shuffle=True, pack=True), seed=3)
        return list(itertools.islice(stream, 5))

    plain = batches()
    monkeypatch.setattr(input_pipeline, "built_plainly", lambda build: build())
    for one, other in zip(plain, batches(), strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("value", ["off", ""])
def test_caching_can_be_switched_off(monkeypatch, value) -> None:
    monkeypatch.setenv(cache_folder.VARIABLE, value)
    assert cache_folder.cache_folder("compiled") is None


def test_the_cache_lies_where_the_person_says(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv(cache_folder.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder.cache_folder("one") == tmp_path / "xdg" / "mt5x" / "one"
    monkeypatch.setenv(cache_folder.VARIABLE, str(tmp_path / "own"))
    assert cache_folder.cache_folder("one") == tmp_path / "own" / "one"
    assert (tmp_path / "own" / "one").is_dir()


def test_a_cache_folder_that_cannot_be_made_is_none(monkeypatch, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(cache_folder.VARIABLE, str(tmp_path / "file"))
    assert cache_folder.cache_folder("compiled") is None


def test_what_was_not_read_for_longest_goes_first(tmp_path) -> None:
    for age, name in enumerate(["new", "old", "older"]):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    cache_folder.keep_below(tmp_path, 300)
    assert len(list(tmp_path.iterdir())) == 3
    cache_folder.keep_below(tmp_path, 299)
    assert {file.name for file in tmp_path.iterdir()} == {"new", "old"}
    cache_folder.keep_below(tmp_path, 0)
    assert not list(tmp_path.iterdir())


def test_jax_that_is_imported_is_left_alone(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv(cache_folder.VARIABLE, str(tmp_path))
    assert compilation_cache.switch_on() is None
    assert not list(tmp_path.iterdir())


PROGRAM = """
import os
from mt5x import compilation_cache
folder = compilation_cache.switch_on()
import jax, jax.numpy as jnp
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
x = jax.jit(lambda key: jnp.tanh(jax.random.normal(key, (64, 64)) @ jnp.ones((64, 64)) / 3).sum())
print(float(x(jax.random.key(0))).hex())
print(hits.count("/jax/compilation_cache/cache_hits"))
"""


def start(cache: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "MT5X_CACHE_DIR": cache, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_a_program_is_compiled_once_and_gives_the_same_bits(tmp_path) -> None:
    """Twice from an empty folder, then with damaged entries, and without any."""
    cache = str(tmp_path / "cache")
    number, hits = start(cache)
    assert hits == "0"
    again, hits = start(cache)
    assert int(hits) > 0
    assert again == number
    for entry in (tmp_path / "cache").rglob("*-cache"):
        entry.write_bytes(entry.read_bytes()[:40])
    assert start(cache) == [number, "0"]
    assert start("off") == [number, "0"]
