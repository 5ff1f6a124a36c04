"""Every command of the guides is run, in the order of the guide, or is another program's."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.sample_world import writing
from tasks.sample_world.world import Settings
from tests.conftest import REPOSITORY
from tests.guides.commands import (
    CHANGES,
    ENDS,
    GUIDES,
    OTHERS,
    changed,
    is_shell,
    other_program,
    shown,
)

# Whose commands tests/test_docs.py runs.
ELSEWHERE = ("define_a_task.md", "first_study.md")
WALKED = [guide for guide in GUIDES if guide.name not in ELSEWHERE and [*shown(guide)]]
LANGUAGES = "ar bn de en es fi hi id ru sw".split()


def all_shown() -> Iterator[str]:
    for guide in WALKED:
        yield from shown(guide)


def test_each_command_is_ours_or_one_that_is_known_to_be_another_s():
    for command in all_shown():
        assert is_shell(changed(command)), command
        if other_program(command) is None:
            ours = changed(command).startswith(("mt5x ", "export ", "python ", "mkdir ", "for "))
            assert ours, f"{command}: say in tests/guides/commands.py why it is not run"


def test_no_exception_and_no_change_is_there_for_nothing():
    commands = [*all_shown()]
    unused = [name for name in OTHERS if not any(other_program(c) == OTHERS[name]
              and c.startswith(name) for c in commands)]  # fmt: skip
    assert not unused
    for change in CHANGES:
        before = CHANGES[: CHANGES.index(change)]
        assert any(applies(change.shown, command, before) for command in commands), change


def applies(pattern: str, command: str, before: tuple) -> bool:
    from tests.guides.commands import ABBREVIATIONS

    for short, full in ABBREVIATIONS:
        command = re.sub(short, full, command)
    for earlier in before:
        command = re.sub(earlier.shown, earlier.run, command)
    return re.search(pattern, command) is not None


def test_extras_that_are_installed_are_there():
    named = {
        extra
        for command in all_shown()
        for extras in re.findall(r"pip install .*'\.\[([\w,-]+)\]'", command)
        for extra in extras.split(",")
    }
    text = (REPOSITORY / "setup.py").read_text(encoding="utf-8")
    assert named
    assert not [extra for extra in named if f'"{extra}":' not in text]


def few_steps(folder: Path) -> None:
    """The study files with few steps and examples, in a folder of that name."""
    studies = REPOSITORY / "t5x_configs" / "studies"
    for file in studies.rglob("*.gin"):
        text = file.read_text(encoding="utf-8").replace("'t5x_configs/studies/", "'few_steps/")
        for name in ("TRAIN_STEPS", "STEP_OFFSET", "TRAIN_STEPS_RELATIVE"):
            text = re.sub(rf"'{name}': \d+", f"'{name}': 4", text)
        text = re.sub(r":n\d{2,}", ":n20", text)
        target = folder / "few_steps" / file.relative_to(studies)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def run(command: str, folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder, env=environment, input="Wo liegt Nairobi?\n", text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == ENDS.get(command, 0), (
        f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    )


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ours["PATH"] = f"{Path(sys.executable).parent}:{ours['PATH']}"
    return ours | {"TFDS_DATA_DIR": "runs/sample_world"}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """A folder as a reader has it who has done what the README says, with little of all."""
    folder = tmp_path_factory.mktemp("reader")
    world = folder / "runs" / "sample_world"
    writing.write(Settings(size="small"), world, lambda name, done, total: None)
    few_steps(folder)
    (folder / "questions.txt").write_text("Wo liegt Nairobi?\n", encoding="utf-8")
    (folder / "questions.jsonl").write_text('{"inputs": "Wo?"}\n', encoding="utf-8")
    (folder / "panx_source" / "panx").mkdir(parents=True)
    for kind in ("udhr", "pud", "news"):
        (folder / kind).mkdir()
    for language in LANGUAGES:
        for split in ("train", "dev", "test"):
            file = folder / f"panx_source/panx/{split}-{language}.tsv"
            file.write_text("Nairobi\tB-LOC\nruft\tO\n\n" * 2, encoding="utf-8")
        for kind in ("udhr", "pud", "news"):
            (folder / kind / f"{language}.txt").write_text("All are born free.\n", encoding="utf-8")
    begun = changed("...").replace("runs/panx", "runs/start").replace("=runs/start", "=None", 1)
    run(begun, folder, environment)
    shutil.copytree(folder / "runs/start", folder / "runs/panx")
    run("mt5x convert runs/start downloads/mt5-tiny", folder, environment)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("guide", WALKED, ids=lambda guide: guide.name)
def test_a_reader_can_do_what_the_guide_does(guide, start, environment, tmp_path):
    folder = tmp_path / "reader"
    shutil.copytree(start, folder, symlinks=True)
    if guide.name == "README.md":
        # It makes these.
        shutil.rmtree(folder / "runs/sample_world")
        shutil.rmtree(folder / "runs/panx")
    own = dict(environment)
    if guide.name == "tpu_and_gpu.md":
        # As many devices as it speaks of.
        own["JAX_NUM_CPU_DEVICES"] = "8"
    for command in shown(guide):
        if other_program(command) is not None:
            continue
        ours = changed(command)
        if ours.startswith("export "):
            name, value = shlex.split(ours)[1].split("=", 1)
            own[name] = value
            continue
        if "MODEL_DIR=runs/panx " in ours:
            # Each of a guide's runs is a new one.
            shutil.rmtree(folder / "runs/panx", ignore_errors=True)
        run(ours, folder, own)
