"""The shell commands that guides show, and how a test runs each: as it stands, changed, or not.

What is changed is a table with a reason for each line, so that a reader of the tests sees what is
not tried as it is written; and so is what another program does, which no test can run.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.conftest import REPOSITORY

GUIDES = [*sorted(REPOSITORY.glob("*.md")), *sorted((REPOSITORY / "docs").glob("*.md"))]

# Commands of other programs, by their beginnings: bash reads them, and nothing runs them.
OTHERS: Mapping[str, str] = {
    "bash scripts/quickstart.sh": "CI runs it (.ci/run)",
    "bash scripts/run_tests.sh": "CI runs it (.ci/run)",
    "bash .ci/run": "this is CI",
    "ruff ": "CI runs it (.ci/run)",
    "source .venv/bin/activate": "the tests run in it",
    "python3.11 -m venv": "installs",
    "pip install": "installs; the extras it names are looked up in setup.py",
    "pre-commit install": "changes the checkout",
    "{ grep": "rewrites constraints.txt",
    "mv new.txt": "rewrites constraints.txt",
    "git clone": "needs the network",
    "gcloud ": "needs an account; tests/mt5x/test_tpu_launch.py has a made-up gcloud",
    "mt5x train --coordinator_address": "two at once: tests/mt5x/test_hosts.py",
    "srun ": "needs SLURM",
    "tensorboard ": "serves until it is stopped",
    "python -m t5x.train": "needs T5X, which is not on the package index",
}


# Commands of ours that do not end with 0, and what the guide shows by them.
ENDS: Mapping[str, int] = {
    "mt5x plan --model=mt5_xxl --devices=32 --device=v4": 1,  # It does not fit, and what would.
}


class Change(NamedTuple):
    """What a test writes instead of what a guide shows.

    Attributes:
      shown: a regular expression.
      run: what is put in its place, as in `re.sub`.
      why: so that it can be run here.
    """

    shown: str
    run: str
    why: str


_CHECKPOINT = "a checkpoint of the tiny model instead of the public one"
_MODEL_FILE = r"t5x_configs/models/mt5_(?:small|base)\.gin"
CHANGES: tuple[Change, ...] = (
    Change(r"^mt5x sample-data", "mt5x sample-data --size small", "a small world is soon made"),
    Change(r"checkpoint_20000", "checkpoint_4", "few steps"),
    Change(r":n1000\b", ":n20", "the small world has 300"),
    Change(rf"(mt5x evaluate.*){_MODEL_FILE}", r"\1t5x_configs/models/mt5_tiny.gin", "size"),
    Change(rf"((?:mt5x|--) train.*){_MODEL_FILE}", r"\1t5x_configs/models/mt5_tiny.gin", "size"),
    Change(rf"(-- evaluate.*){_MODEL_FILE}", r"\1t5x_configs/models/mt5_tiny.gin", "size"),
    Change(r"=gs://t5-data/\S+", "=runs/start", _CHECKPOINT),
    Change(r"INITIAL_CHECKPOINT_PATH=(?:PATH|runs/pretrained|checkpoints/\w+)",
           "INITIAL_CHECKPOINT_PATH=runs/start", _CHECKPOINT),
    Change(r"downloads/mt5-small", "downloads/mt5-tiny", "written by `mt5x convert` before"),
    Change(r"~/tensorflow_datasets|/disk/tensorflow_datasets", "runs/sample_world", "data"),
    Change(r"--vocabulary spiece\.model", "--vocabulary byt5", "no vocabulary is downloaded"),
    Change(r" --gin\.TRAIN_STEPS=20000", "", "few steps, which are set below"),
    Change(r"^(mt5x (?:launch slurm.*-- )?train.*)", r"\1 --gin.TRAIN_STEPS_RELATIVE=2 "
           "--gin.EVAL_PERIOD=2", "few steps"),
    Change(r"^(mt5x (?:launch slurm.*-- )?(?:train|evaluate).*)",
           r"\1 --gin.EVALUATOR_NUM_EXAMPLES=4 --gin.BATCH_SIZE=8 "
           "--gin.TASK_FEATURE_LENGTHS=\"{'inputs': 32, 'targets': 24}\"", "few, short examples"),
    Change(r"^mt5x launch slurm( .*) --detach", r"mt5x launch slurm\1", "the next one needs it"),
    Change(r"^mt5x launch slurm (.*) --gpus_per_node=\d+ (?:--cpus_per_task=\d+ --mem_gb=\d+)?",
           r"mt5x launch slurm --cluster=local --poll_seconds=0.1 \1 ", "submitit on one machine"),
    Change(r"^mt5x launch tpu (.*-- (?:train|evaluate))", r"mt5x launch tpu --dry-run \1",
           "no account; a made-up gcloud is in tests/mt5x/test_tpu_launch.py"),
    Change(r"^mt5x launch (?:slurm|tpu) .*-- study run", "mt5x study plan",
           "stages that are launched: tests/mt5x/test_slurm_launch.py and test_tpu_launch.py"),
    Change(r"import-data SRC", "import-data panx_source", "a folder of two sentences a language"),
    Change(r"^mt5x study run (t5x_configs/studies/(?:real/\w+|panx_real)\.gin)",
           r"mt5x study plan \1", "weeks of an accelerator, or an hour of real text"),
    Change(r"t5x_configs/studies/(\w+)\.gin(?! --accelerator)", r"few_steps/\1.gin",
           "the same study with few steps"),
)  # fmt: skip


# What stands for `...` in a guide, and before a line that begins with a flag.
_PANX = (
    "--gin_file=t5x_configs/models/mt5_small.gin --gin_file=t5x_configs/runs/{job}.gin"
    " --gin_file=t5x_configs/experiments/panx_zeroshot.gin"
)
_TRAIN = (
    f"mt5x train {_PANX.format(job='finetune')}"
    " --gin.INITIAL_CHECKPOINT_PATH=PATH --gin.MODEL_DIR=runs/panx"
)
_EVALUATE = (
    f"mt5x evaluate {_PANX.format(job='evaluate')} --gin.EVAL_OUTPUT_DIR=runs/panx/evaluation"
)
ABBREVIATIONS: tuple[tuple[str, str], ...] = (
    (r"^mt5x evaluate (?:\.\.\.|…)", _EVALUATE),
    (r"^mt5x train (?:\.\.\.|…)", _TRAIN),
    (r"^\.\.\.", _TRAIN),
    (r"^(?=--gin\.)", f"{_TRAIN} "),
)


def shown(guide: Path) -> Iterator[str]:
    """The commands of a guide in order, each whole, without comments."""
    text = guide.read_text(encoding="utf-8")
    fence = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
    for block in fence.findall(text):
        commands = re.sub(r" *\\\n *", " ", block)
        # A loop of the shell is one command.
        commands = re.sub(r"^for .*?^done$", lambda loop: loop[0].replace("\n", "\0"), commands,
                          flags=re.MULTILINE | re.DOTALL)  # fmt: skip
        for line in commands.splitlines():
            line = re.sub(r"\s+#.*$", "", line) if "\0" not in line else line
            if line.strip():
                yield line.replace("\0", "\n")


def other_program(command: str) -> str | None:
    """Why nothing runs a command that is no work of ours; None where it is to be run."""
    found = [beginning for beginning in OTHERS if command.startswith(beginning)]
    return OTHERS[max(found, key=len)] if found else None


def changed(command: str) -> str:
    """The command as a test runs it, written out in full."""
    for short, full in ABBREVIATIONS:
        command = re.sub(short, full, command)
    for change in CHANGES:
        command = re.sub(change.shown, change.run, command)
    return command


def is_shell(command: str) -> bool:
    """Whether bash can read it."""
    return subprocess.run(["bash", "-n", "-c", command], check=False).returncode == 0
