"""The virtual environment of the shell scripts: made once, renewed when setup.py changes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

# Stands in for Python: notes what it is asked for, and "makes" environments of itself.
PYTHON = """\
#!/bin/bash
echo "$*" >> "$CALLS"
case "$*" in
  *sys.version_info*) exit "${TOO_OLD:-0}" ;;
  --version) echo "Python 3.11.0" ;;
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  *"pip install"*) echo "no matching distribution"; exit "${INSTALL_FAILS:-0}" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A folder with what the scripts need, and a Python that only takes notes."""
    folder = tmp_path / "check out"  # a space, as in many a home folder
    (folder / "scripts").mkdir(parents=True)
    for name in ("environment.sh", "quickstart.sh", "run_tests.sh"):
        shutil.copy(REPOSITORY / "scripts" / name, folder / "scripts")
    for name in ("setup.py", "pyproject.toml", "constraints.txt"):
        shutil.copy(REPOSITORY / name, folder)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return folder


def bash(checkout: Path, *command: str, **variables: str) -> subprocess.CompletedProcess:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MT5X_")}
    given = {"PYTHON": str(checkout.parent / "python"), "CALLS": str(checkout.parent / "calls")}
    return subprocess.run(
        ["bash", *command],
        cwd=checkout.parent,  # from anywhere
        env=inherited | given | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def ensure(checkout: Path, **variables: str) -> subprocess.CompletedProcess:
    return bash(
        checkout, "-c", f"source '{checkout}/scripts/environment.sh'; ensure_environment; env",
        **variables,
    )  # fmt: skip


def calls(checkout: Path, what: str) -> int:
    noted = checkout.parent / "calls"
    return noted.read_text().count(what) if noted.exists() else 0


def test_it_is_made_once_and_comes_first_in_path(checkout):
    for _ in range(2):
        done = ensure(checkout)
        assert done.returncode == 0, done.stderr
        assert f"\nPATH={checkout}/.venv/bin:" in done.stdout
    assert calls(checkout, "-m venv") == 1
    assert calls(checkout, "pip install") == 1


@pytest.mark.parametrize("changed", ["setup.py", "constraints.txt"])
def test_it_is_installed_again_when_the_requirements_change(checkout, changed):
    ensure(checkout)
    with (checkout / changed).open("a") as stream:
        stream.write("# another\n")
    ensure(checkout)
    assert calls(checkout, "-m venv") == 1
    assert calls(checkout, "pip install") == 2


def test_it_is_installed_again_where_a_checkout_was_moved(checkout):
    ensure(checkout)
    moved = checkout.rename(checkout.with_name("moved"))
    ensure(moved)
    assert calls(moved, "pip install") == 2


def test_other_extras_in_another_place(checkout, tmp_path):
    done = ensure(checkout, MT5X_VENV=str(tmp_path / "other"), MT5X_EXTRAS="test,lint")
    assert done.returncode == 0, done.stderr
    assert not (checkout / ".venv").exists()
    assert calls(checkout, ".[test,lint]") == 1


def test_a_failed_installation_shows_why_and_is_tried_again(checkout):
    done = ensure(checkout, INSTALL_FAILS="1")
    assert done.returncode == 2
    assert "no matching distribution" in done.stderr
    assert "the whole log is" in done.stderr
    assert ensure(checkout).returncode == 0


def test_a_python_of_another_version_is_refused(checkout):
    done = ensure(checkout, TOO_OLD="1")
    assert done.returncode == 2
    assert "needs Python 3.11" in done.stderr
    assert not (checkout / ".venv").exists()


def test_quickstart_refuses_what_it_does_not_know_before_it_installs(checkout):
    done = bash(checkout, f"{checkout}/scripts/quickstart.sh", "--fast")
    assert done.returncode == 2
    assert done.stderr == (
        "error: unknown argument '--fast': quickstart.sh takes --short or nothing\n"
    )
    assert calls(checkout, "") == 0


def test_run_tests_passes_its_arguments_to_pytest(checkout):
    done = bash(checkout, f"{checkout}/scripts/run_tests.sh", "tests/tasks", "-k", "panx or xnli")
    assert done.returncode == 0, done.stderr
    settings = "-n 2 --dist loadfile --no-loadscope-reorder"
    assert calls(checkout, f"-m pytest {settings} tests/tasks -k panx or xnli\n") == 1
