"""USE_CACHED_TASKS: what is in no cache is cached first; SeqIO's own caches are read as ever."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seqio

from mt5x import (
    cache_folder,
    example_cache,
    input_pipeline,
    run_record,
    stored_examples,
)
from mt5x.input_pipeline import DatasetConfig
from mt5x.train_loop import train
from tests.mt5x import line_tasks, toy

LINES = 300


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(cache_folder.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "examples"


@pytest.fixture(autouse=True)
def _lines(tmp_path) -> Iterator[None]:
    """Registers lines_one and lines_two, their mixture lines_both, and one that draws at random."""
    for name, prefix in (("lines_one", "is "), ("lines_two", "was ")):
        file = line_tasks.write(tmp_path / f"{name}.txt", LINES)
        seqio.TaskRegistry.add_provider(
            name, line_tasks.task(file, name=name, split="train", prefix=prefix)
        )
    drawn = line_tasks.task(file, before=[line_tasks.drawn], name="lines_drawn", split="train")
    seqio.TaskRegistry.add_provider("lines_drawn", drawn)
    seqio.MixtureRegistry.add("lines_both", [("lines_one", 1.0), ("lines_two", rate_of_examples)])
    yield
    for name in ("lines_one", "lines_two", "lines_drawn"):
        seqio.TaskRegistry.remove(name)
    seqio.MixtureRegistry.remove("lines_both")


def rate_of_examples(task: seqio.Task) -> float:
    return seqio.mixing_rate_num_examples(task, maximum=2, fallback_to_num_input_examples=False)


def config(name: str = "lines_one", **changes: Any) -> DatasetConfig:
    return DatasetConfig(name, {"inputs": 16, "targets": 8}, "train", 8, **changes)


def batches(dataset: DatasetConfig, **settings: Any) -> list[dict[str, np.ndarray]]:
    stream = input_pipeline.training_batches(dataset, seed=0, **settings)
    return list(itertools.islice(stream, 60))


def assert_same(found: list[dict[str, np.ndarray]], expected: list[dict[str, np.ndarray]]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) for name in other)


def entries(cache: Path) -> list[Path]:
    return sorted(cache.iterdir()) if cache.exists() else []


@pytest.mark.parametrize("pack", [False, True])
def test_unshuffled_the_batches_are_those_without_a_cache(cache, pack) -> None:
    expected = batches(config(pack=pack))
    assert not entries(cache)
    assert_same(batches(config(pack=pack, use_cached=True)), expected)
    (entry,) = entries(cache)
    # Of 16 files SeqIO gives back the order, and hosts share them out.
    assert len(list(entry.rglob("train.tfrecord-*-of-00016"))) == 16
    assert_same(batches(config(pack=pack, use_cached=True)), expected)


def texts(found: list[dict[str, np.ndarray]]) -> list[bytes]:
    return sorted(row.tobytes() for batch in found for row in batch["encoder_input_tokens"])


@pytest.mark.parametrize("shards", [1, 2, 8])
def test_every_example_is_read_once_in_an_epoch(shards) -> None:
    settings: dict[str, Any] = {"shuffle": True, "num_shards": shards}
    expected = texts(batches(config(), repeat=False))
    found = texts(batches(config(use_cached=True, **settings), repeat=False))
    # The last, incomplete batch is dropped.
    assert len(found) >= LINES - 8 * 8
    assert len(set(found)) == len(found)
    every = texts(batches(config(), repeat=True))
    assert set(found) <= set(every)
    assert len(expected) == LINES // 8 * 8


def test_a_mixture_is_drawn_as_without_a_cache(cache, monkeypatch) -> None:
    monkeypatch.setattr(
        seqio.MixtureRegistry.get("lines_both"), "_task_to_rate", {"lines_one": 1, "lines_two": 2}
    )
    expected = batches(config("lines_both"))
    assert_same(batches(config("lines_both", use_cached=True)), expected)
    assert len(entries(cache)) == 2


def test_what_is_drawn_before_the_placeholder_is_not_kept(cache, capsys) -> None:
    example_cache._tell.cache_clear()
    found = batches(config("lines_drawn", use_cached=True))
    assert_same(found, batches(config("lines_drawn")))
    assert not entries(cache)
    assert capsys.readouterr().err.count("lines_drawn (train) could not be cached") == 1


def test_seqios_own_cache_is_read_as_ever(tmp_path, cache, monkeypatch) -> None:
    expected = batches(config())
    one, two = (seqio.TaskRegistry.get(name) for name in ("lines_one", "lines_two"))
    folder = tmp_path / "seqio"
    for task in (one, two):
        stored_examples.write_for_seqio(folder / task.name, task, "train", 10**9)
    before = [*seqio.get_global_cache_dirs()]
    seqio.add_global_cache_dirs([str(folder)])
    try:
        assert example_cache.cached(one, "train") == (one, True)
        both = seqio.MixtureRegistry.get("lines_both")
        # Its rate is of SeqIO's count of the cached examples.
        assert example_cache.cached(both, "train") == (both, True)
        (tmp_path / "lines_one.txt").write_text("")
        assert_same(batches(config(use_cached=True)), expected)
        assert batches(config("lines_both", use_cached=True))
    finally:
        seqio.utils._GLOBAL_CACHE_DIRECTORIES[:] = before
    assert not entries(cache)
    stats = one.get_cached_stats("train")
    assert stats["examples"] == LINES
    assert stats["targets_tokens"] == 3 * LINES
    assert stats["targets_max_tokens"] == 3


def test_a_run_trains_from_the_cache_that_it_makes(tmp_path, cache, monkeypatch) -> None:
    monkeypatch.setattr(run_record.config, "resolved", lambda: "TOY = True")
    result = train(
        model=toy.model(),
        model_dir=str(tmp_path / "run"),
        train_dataset_cfg=config(use_cached=True, shuffle=True, pack=True),
        learning_rate_fn=lambda step: 0.01,
        total_steps=2,
        eval_period=0,
        tensorboard=False,
    )
    assert Path(result.checkpoint).exists()
    assert len(entries(cache)) == 1


@pytest.mark.exhaustive
def test_every_real_data_set_is_read_as_without_a_cache(shared, cache, monkeypatch) -> None:
    from tasks import catalogue
    from tests.mt5x import test_example_cache as evaluated
    from tests.tasks import real_rows

    real_rows.use(shared, monkeypatch, cut=False)
    read = 0
    for name in catalogue.names():
        task = seqio.TaskRegistry.get(name)
        for split in task.source.available_splits():
            examples = []
            for folder in ("off", str(cache), str(cache)):
                monkeypatch.setenv(cache_folder.VARIABLE, folder)
                found = input_pipeline.evaluation_examples(task, split, None, False, None)
                examples.append(found.raw)
            evaluated.assert_same(examples[1], examples[0])
            evaluated.assert_same(examples[2], examples[0])
            read += 1
    assert len(entries(cache / "examples")) == read > 0
