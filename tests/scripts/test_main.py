"""The command line as a user meets it."""

import argparse
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from mt5x.errors import UserError
from scripts import main as command_line

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def command(monkeypatch):
    """Registers a made-up subcommand `act`; the test says what its run does."""

    def register(run, add_arguments=lambda parser: None):
        module = types.ModuleType("scripts.act")
        module.__dict__.update(
            SUMMARY="act", EXAMPLES="  mt5x act\n", add_arguments=add_arguments, run=run
        )
        monkeypatch.setitem(sys.modules, "scripts.act", module)
        monkeypatch.setitem(command_line.COMMANDS, "act", "scripts.act")

    return register


def raising(error: BaseException):
    def run(args: argparse.Namespace) -> None:
        raise error

    return run


def mt5x(*argv: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "scripts.main", *argv],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_every_command_within_half_a_second():
    mt5x("--help")  # warms the disk
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        done = mt5x("--help")
        seconds.append(time.perf_counter() - start)
    assert done.returncode == 0
    for name in command_line.COMMANDS:
        assert f"\n  {name} " in done.stdout
    assert min(seconds) < 0.5  # the fastest: others share the machine


def test_no_arguments_show_the_help(capsys):
    assert command_line.main([]) == 0
    assert "usage: mt5x COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize("name", command_line.COMMANDS)
def test_every_command_explains_itself_with_an_example(name, capsys):
    with pytest.raises(SystemExit) as exit_:
        command_line.main([name, "--help"])
    assert exit_.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: mt5x {name}" in shown
    assert f"mt5x {name}" in shown.split("examples:")[1]


def test_the_version_is_the_package_s(capsys):
    assert command_line.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mt5x 0.")


def test_an_unknown_command_is_answered_with_the_nearest():
    done = mt5x("trian")
    assert done.returncode == 2
    assert done.stderr == "mt5x: error: unknown command trian; did you mean train?\n"


def test_a_user_error_is_one_sentence_and_exit_code_2(command, capsys):
    command(raising(UserError("no such task panx; did you mean panx_zeroshot?")))
    assert command_line.main(["act"]) == 2
    assert capsys.readouterr().err == (
        "mt5x: error: no such task panx; did you mean panx_zeroshot?\n"
    )


def test_a_data_error_is_a_user_error(command, capsys):
    def run(args: argparse.Namespace) -> None:
        from tasks.errors import DataError

        raise DataError("wikiann/en:1.0.0 is not in runs/data")

    command(run)
    assert command_line.main(["act"]) == 2
    assert capsys.readouterr().err == "mt5x: error: wikiann/en:1.0.0 is not in runs/data\n"


def test_the_call_sites_that_gin_adds_are_left_out(command, capsys):
    import gin

    @gin.configurable("act_configured", module="tests")
    def configured():
        raise UserError("the batch does not divide")

    command(lambda args: configured())
    assert command_line.main(["act"]) == 2
    assert capsys.readouterr().err == "mt5x: error: the batch does not divide\n"


def test_a_full_disk_is_a_user_error(command, capsys):
    command(raising(OSError(28, "No space left on device", "runs/panx")))
    assert command_line.main(["act"]) == 2
    assert "the disk is full at runs/panx; free some space" in capsys.readouterr().err


def test_an_interruption_is_one_line_and_exit_code_130(command, capsys):
    command(raising(KeyboardInterrupt()))
    assert command_line.main(["act"]) == 130
    assert capsys.readouterr().err == "mt5x: interrupted\n"


@pytest.mark.parametrize("error", [RuntimeError("ours"), OSError(5, "Input/output error")])
def test_a_defect_keeps_its_traceback(command, error):
    command(raising(error))
    with pytest.raises(type(error)):
        command_line.main(["act"])


def test_an_exit_code_is_passed_on(command):
    command(lambda args: 3)
    assert command_line.main(["act"]) == 3


def test_a_missing_argument_is_one_sentence(command, capsys):
    command(lambda args: 0, lambda parser: parser.add_argument("--out", required=True))
    with pytest.raises(SystemExit) as exit_:
        command_line.main(["act"])
    assert exit_.value.code == 2
    assert capsys.readouterr().err == (
        "mt5x: error: the following arguments are required: --out; see `mt5x act --help`\n"
    )


def test_a_gin_flag_given_to_a_command_without_gin_is_unknown(command, capsys):
    command(lambda args: 0)
    with pytest.raises(SystemExit):
        command_line.main(["act", "--gin.A=1"])
    assert "unknown argument --gin.A=1" in capsys.readouterr().err
