"""The sections of `mt5x benchmark` that measure inference run, on a tiny model."""

import json

import pytest

from scripts import main as command_line

TINY = "--model mt5_tiny --batch_size 2 --repeats 1"
SECTIONS = {
    "evaluation": ("--num_examples 1 --padded 40 64", "textbook, padded to 64", "examples/s"),
    "decode": ("--inputs 8 --tokens 4", "recomputing", "tokens/s"),
    "lm-stats": ("--num_examples 3 --plain_examples 1", "one at a time", "tokens/s"),
}


@pytest.mark.parametrize("section", SECTIONS)
def test_both_sides_are_measured(section, tmp_path, capsys):
    arguments, baseline, figure = SECTIONS[section]
    file = tmp_path / "figures.json"
    command = f"benchmark {section} {TINY} {arguments} --json {file}"
    assert command_line.main(command.split()) == 0
    assert baseline in capsys.readouterr().out
    rows = {row["variant"]: row for row in json.loads(file.read_text())["rows"]}
    assert rows["mt5x"]["figures"][figure] > 0
    assert rows[baseline]["mt5x_times_as_fast"] > 0
    if section == "decode":
        assert rows["mt5x"]["figures"]["same tokens %"] == 100
