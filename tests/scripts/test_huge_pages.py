"""A command begins again with huge pages once, and as it was called."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import huge_pages

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAM = """
import os, sys
from pathlib import Path
from scripts import huge_pages
huge_pages._SETTING = Path(sys.argv[1])
print("begun", flush=True)
huge_pages.restart_with_huge_pages()
said = os.environ.get("GLIBC_TUNABLES"), sys.argv[2:], os.getpid()
print(*said, sys.stdin.read(), sys.flags.utf8_mode)
"""


def begun(tmp_path: Path, setting: str, **variables: str) -> tuple[list[str], int]:
    (tmp_path / "enabled").write_text(setting)
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    started = subprocess.Popen(
        [sys.executable, "-X", "utf8", "-c", PROGRAM, tmp_path / "enabled", "two words", "ü"],
        cwd=REPOSITORY,
        env={**environment, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    shown, _ = started.communicate("given")
    assert started.returncode == 0
    return shown.splitlines(), started.pid


def test_it_begins_again_once_with_its_arguments_its_input_and_its_number(tmp_path):
    lines, pid = begun(tmp_path, "always [madvise] never")
    said = f"glibc.malloc.hugetlb=1 ['two words', 'ü'] {pid} given 1"
    assert lines == ["begun", "begun", said]


@pytest.mark.parametrize("setting", ["[always] madvise never", "always madvise [never]"])
def test_where_asking_is_of_no_use_it_goes_on(tmp_path, setting):
    lines, pid = begun(tmp_path, setting)
    assert lines == ["begun", f"None ['two words', 'ü'] {pid} given 1"]


def test_tunables_of_one_s_own_are_kept(tmp_path):
    own = "glibc.malloc.check=0"
    lines, pid = begun(tmp_path, "always [madvise] never", GLIBC_TUNABLES=own)
    assert lines == ["begun", f"{own} ['two words', 'ü'] {pid} given 1"]


def test_on_a_system_without_them_it_goes_on(monkeypatch, tmp_path):
    monkeypatch.setattr(huge_pages, "_SETTING", tmp_path / "none")
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    huge_pages.restart_with_huge_pages()
    assert "GLIBC_TUNABLES" not in os.environ


def test_a_program_that_cannot_begin_again_goes_on(monkeypatch, tmp_path):
    (tmp_path / "enabled").write_text("always [madvise] never")
    monkeypatch.setattr(huge_pages, "_SETTING", tmp_path / "enabled")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    monkeypatch.setenv("GLIBC_TUNABLES", "")
    monkeypatch.delenv("GLIBC_TUNABLES")
    huge_pages.restart_with_huge_pages()
