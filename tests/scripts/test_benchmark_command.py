"""`mt5x benchmark` as a user meets it."""

import json

import pytest

from scripts import benchmark
from scripts import main as command_line
from tasks import data_dir, network, tfds_writer, vocabulary

ROW = {"sentence1": "a b c d", "sentence2": "b c d a", "label": 1}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data directory of PAWS-X; no choice lasts beyond the test."""
    monkeypatch.setattr(network, "reachable", lambda: False)
    tfds_writer.write_dataset("paws_x_wiki/en:1.0.0", {"train": [ROW] * 40}, tmp_path)
    yield tmp_path
    data_dir.use(None)
    vocabulary.choose("mt5")


@pytest.mark.parametrize("section", benchmark.SECTIONS)
def test_every_section_explains_itself(section, capsys):
    with pytest.raises(SystemExit) as exit_:
        command_line.main(["benchmark", section, "--help"])
    assert exit_.value.code == 0
    assert f"mt5x benchmark {section}" in capsys.readouterr().out.split("examples:")[1]


def measured(capsys, folder, steps: int) -> dict:
    """Returns what the command writes as JSON, after a look at its table."""
    arguments = (
        f"benchmark input --mixture pawsx_train.en --vocabulary byt5 --data_dir {folder} "
        f"--inputs 96 --targets 32 --batch_size 8 --batches 2 --repeats 2 --steps {steps} "
        f"--json {folder}/figures.json"
    )
    assert command_line.main(arguments.split()) == 0
    header, row, *rest = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["seconds", "mt5x", "is", "examples/s"]
    assert row.startswith("pawsx_train.en train, 8 x 96/32  mt5x")
    assert "medians of 2 runs" in rest[-1]
    assert "load of the last 1, 5 and 15 minutes" in rest[-1]
    return json.loads((folder / "figures.json").read_text())


def test_input_is_a_table_of_figures(folder, capsys):
    found = measured(capsys, folder, steps=0)
    (row,) = found["rows"]
    figures = row["figures"]
    assert figures["tokens/s"] > figures["examples/s"] > 0
    assert 0 < figures["filled %"] <= 100
    assert len(row["seconds"]) == 2
    assert {"jax", "flax"} <= {*found["machine"]["versions"]}


@pytest.mark.slow
def test_input_is_compared_with_a_training_step(folder, capsys):
    batch, step = measured(capsys, folder, steps=1)["rows"]
    assert step["variant"] == "step of mt5_tiny"
    assert step["mt5x_times_as_fast"] == step["median_seconds"] / batch["median_seconds"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["input"], "--mixture"),
        (["inptu"], "inptu"),
        ([], "SECTION"),
    ],
)
def test_a_mistake_in_the_arguments_is_one_sentence(capsys, arguments, expected):
    with pytest.raises(SystemExit) as exit_:
        command_line.main(["benchmark", *arguments])
    assert exit_.value.code == 2
    assert expected in capsys.readouterr().err


def test_an_unknown_mixture_is_one_sentence(folder, capsys):
    arguments = ["--mixture", "pawsx_trian.en", "--vocabulary", "byt5"]
    assert command_line.main(["benchmark", "input", *arguments]) == 2
    assert "pawsx_train.en" in capsys.readouterr().err
