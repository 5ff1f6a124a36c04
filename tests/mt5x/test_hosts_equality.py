"""Two processes with four devices each do what one with eight does."""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from mt5x import run_record, train_state
from mt5x.checkpoints import native
from mt5x.partitioning import Partitioner
from tests.mt5x import host_jobs, toy
from tests.mt5x.host_processes import free_address, output, processes

pytestmark = pytest.mark.slow

JOBS = [*host_jobs.MESHES, "begun_by_one"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Path, Path]:
    """The folders of all jobs, done by one process and by two."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    toy.register()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_record.config, "resolved", lambda: "TOY = True")
        host_jobs.train_job("begun_by_one", one, steps=2)
        shutil.copytree(one / "begun_by_one", two / "begun_by_one")
        for folder in (one, two):
            texts = [f"is {number:03} even" for number in range(11)]
            (folder / "inputs.txt").write_text("\n".join(texts) + "\n")
        address = free_address()
        commands = [
            ["tests.mt5x.host_jobs", str(two), address, "2", str(index)] for index in range(2)
        ]
        with processes(commands, two) as started:
            for name in JOBS:
                host_jobs.train_job(name, one)
            host_jobs.predict(one)
            for index, process in enumerate(started):
                assert process.wait(timeout=500) == 0, output(two, index)
        # What two processes wrote, one goes on with.
        host_jobs.train_job("data_8", one, steps=6)
        host_jobs.train_job("data_8", two, steps=6)
    return one, two


def figures(folder: Path) -> dict[tuple[int, str], float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {
        (line["step"], name): value
        for line in lines
        for name, value in line.items()
        if name.startswith(("train/", "training_eval/", "eval/"))
    }


def parameters(folder: Path, step: int) -> dict[str, np.ndarray]:
    model, mesh = toy.model(), Partitioner().mesh
    state = native.restore(
        folder / f"checkpoint_{step}",
        train_state.abstract_state(model),
        train_state.state_shardings(model, mesh),
    )
    leaves = jax.tree_util.tree_flatten_with_path(state.as_checkpoint())[0]
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


@pytest.mark.parametrize("job", JOBS)
def test_losses_and_parameters_are_those_of_one_process(runs, job):
    one, two = (folder / job for folder in runs)
    wanted, found = figures(one), figures(two)
    losses = [key for key in wanted if key[1] == "train/loss"]
    assert {step for step, _ in losses} >= {1, 2, 3, 4}
    assert wanted.keys() == found.keys()
    np.testing.assert_allclose(
        [found[key] for key in losses], [wanted[key] for key in losses], rtol=1e-5
    )
    of_one, of_two = parameters(one, 4), parameters(two, 4)
    assert of_one.keys() == of_two.keys()
    for name in of_one:
        np.testing.assert_allclose(of_two[name], of_one[name], atol=1e-5, err_msg=name)


def test_every_example_is_evaluated_once_and_to_the_same_scores(runs):
    one, two = (folder / "data_8" / "inference_eval" for folder in runs)
    for language in toy.LANGUAGES:
        for kind, lines in (("metrics.json", 1), ("predictions.jsonl", 13)):
            name = f"toy_eval.{language}-000004-{kind}"
            assert len((two / name).read_text().splitlines()) == lines
            assert (two / name).read_text() == (one / name).read_text()
    wanted, found = figures(runs[0] / "data_8"), figures(runs[1] / "data_8")
    names = [key for key in wanted if "toy_eval" in key[1]]
    assert {name for _, name in names} >= {
        "eval/toy_eval.aa/accuracy",
        "training_eval/toy_eval.bb/loss",
    }
    for key in names:
        assert found[key] == pytest.approx(wanted[key], rel=1e-5)


def test_predictions_are_those_of_one_process(runs):
    wanted, found = (
        [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
        for folder in runs
    )
    assert len(wanted) == len(found) == 11
    for a, b in zip(wanted, found, strict=True):
        assert (a["inputs"], a["prediction"]) == (b["inputs"], b["prediction"])
        assert a["score"] == pytest.approx(b["score"], abs=1e-4)


def test_one_process_goes_on_with_what_two_wrote(runs):
    one, two = (parameters(folder / "data_8", 6) for folder in runs)
    for name in one:
        np.testing.assert_allclose(two[name], one[name], atol=1e-5, err_msg=name)


def test_parts_of_the_data_make_other_batches(runs):
    wanted, found = figures(runs[0] / "data_8"), figures(runs[0] / "two_shards")
    assert wanted[1, "train/loss"] != found[1, "train/loss"]


def test_only_the_first_process_writes(runs):
    """Lines of a second writer would be doubled, and files of its own left behind."""
    for job in JOBS:
        steps = [step for step, name in figures(runs[1] / job) if name == "train/loss"]
        assert len(steps) == len(set(steps))
        assert not list((runs[1] / job).rglob("*.partial"))
