"""`mt5x benchmark checkpoint` and `startup`."""

import json

import pytest

from mt5x.benchmarks import start_up
from mt5x.errors import UserError
from scripts import main as command_line


def test_checkpoint_measures_saving_waiting_and_restoring(tmp_path, capsys):
    arguments = f"benchmark checkpoint --model mt5_tiny --folder {tmp_path} --repeats 2 --json -"
    assert command_line.main(arguments.split()) == 0
    found = json.loads(capsys.readouterr().out)
    by_variant = {row["variant"]: row for row in found["rows"]}
    assert set(by_variant) == {"save, whole", "save, the run waits", "restore"}
    for row in by_variant.values():
        assert len(row["seconds"]) == 2
        assert row["figures"]["GB/s"] > 0
    waits, whole = by_variant["save, the run waits"], by_variant["save, whole"]
    assert all(a < b for a, b in zip(waits["seconds"], whole["seconds"], strict=True))
    assert not list(tmp_path.iterdir())


def test_a_command_that_fails_is_told_with_its_last_line():
    commands = {"one": ["scripts.main", "no-such-command"]}
    with pytest.raises(UserError, match=r"ended in 2: mt5x: error: unknown command"):
        start_up.measure(commands, {"one": {}}, repeats=1)


@pytest.mark.slow
def test_startup_measures_help_and_a_first_step(capsys):
    assert command_line.main("benchmark startup --repeats 1 --json -".split()) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["variant"] for row in rows] == ["mt5x", "mt5x", "nothing kept compiled"]
    assert all(len(row["seconds"]) == 1 for row in rows)
