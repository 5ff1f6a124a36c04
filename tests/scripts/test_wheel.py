"""What a wheel holds, and that it works where there is no checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = ("mt5x", "tasks", "analysis", "scripts", "t5x_configs")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel, built from a copy: building leaves folders behind that a later build would find."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for room in ROOMS:
        shutil.copytree(
            REPOSITORY / room, source / room, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder / "dist", source],
        check=True,
    )
    return next((folder / "dist").glob("mt5x-*.whl"))


@pytest.fixture(scope="module")
def installation(wheel, tmp_path_factory) -> Path:
    """An environment with the wheel in it, and with the packages of this one, but not our code."""
    folder = tmp_path_factory.mktemp("installation")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    # Read as a plain path: the editable install in there is not taken along.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", folder / "bin/python", "install", "-q"]
    subprocess.run([*install, "--no-deps", "--ignore-installed", wheel], check=True)
    return folder


def mt5x(installation: Path, folder: Path, *argv: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [installation / "bin/mt5x", *argv],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_wheel_holds_the_rooms_and_nothing_else(wheel):
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    wanted = {
        str(path.relative_to(REPOSITORY))
        for room in ROOMS
        for path in (REPOSITORY / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".sh"
    }
    assert packed == wanted


@pytest.mark.slow
def test_an_installed_wheel_shows_its_help(installation, tmp_path):
    done = mt5x(installation, tmp_path, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: mt5x" in done.stdout


@pytest.mark.slow
def test_an_installed_wheel_trains_from_its_own_gin_files(installation, tmp_path, monkeypatch):
    done = mt5x(installation, tmp_path, "sample-data", "--out=world", "--size=small")
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("TFDS_DATA_DIR", "world")
    done = mt5x(
        installation,
        tmp_path,
        "train",
        "--gin_file=t5x_configs/models/mt5_tiny.gin",
        "--gin_file=t5x_configs/runs/finetune.gin",
        "--gin_file=t5x_configs/experiments/panx_zeroshot.gin",
        "--gin.MODEL_DIR=runs/panx",
        "--gin.TRAIN_STEPS_RELATIVE=3",
        "--gin.EVAL_PERIOD=0",
        "--gin.BATCH_SIZE=8",
        "--gin.TASK_FEATURE_LENGTHS={'inputs': 64, 'targets': 32}",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/panx/checkpoint_3").is_dir()
