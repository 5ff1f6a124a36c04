"""Experiments run on T5X as they are: its macros, no import but `tasks`, the guide's command."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
EXPERIMENTS = sorted((REPOSITORY / "t5x_configs" / "experiments").glob("*.gin"))
GUIDE = (REPOSITORY / "docs" / "t5x.md").read_text(encoding="utf-8")

# Macros of T5X's t5x/configs/runs/finetune.gin and its model files (commit cc342d4).
REQUIRED = set("MODEL_DIR MIXTURE_OR_TASK_NAME TASK_FEATURE_LENGTHS TRAIN_STEPS".split()) | {
    "INITIAL_CHECKPOINT_PATH"
}
OPTIONAL = set(
    "DROPOUT_RATE USE_CACHED_TASKS BATCH_SIZE EVAL_STEPS EVAL_PERIOD EVALUATOR_NUM_EXAMPLES "
    "RANDOM_SEED LOSS_NORMALIZING_FACTOR LABEL_SMOOTHING Z_LOSS".split()
)
# Ours: T5X leaves a macro alone that nothing reads, and the guide says what to give instead.
EXPLAINED = {"TRAIN_STEPS_RELATIVE"}


def bound(path: Path) -> set[str]:
    return set(re.findall(r"^([A-Z][A-Z_0-9]*)\s*=", path.read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_experiments_bind_t5x_s_macros(path):
    assert bound(path) <= REQUIRED | OPTIONAL | EXPLAINED
    assert all(macro in GUIDE for macro in bound(path) & EXPLAINED)


def inherited(path: Path) -> set[str]:
    """The macros of a file and of those that it includes."""
    included = re.findall(r"^include '(.+)'", path.read_text(encoding="utf-8"), re.M)
    return bound(path).union(*(inherited(REPOSITORY / name) for name in included))


@pytest.mark.parametrize(
    # Retrieval is evaluated only, on vectors that T5X does not give.
    "path",
    [path for path in EXPERIMENTS if not path.stem.endswith("_eval")],
    ids=lambda path: path.stem,
)
def test_the_guide_s_command_fills_every_hole_that_an_experiment_leaves(path):
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE, re.S)
    commands = [block for block in blocks if "t5x.train" in block]
    assert len(commands) == 1
    given = set(re.findall(r"--gin\.([A-Z_]+)=", commands[0]))
    # An experiment that starts afresh, or includes another, binds its holes there.
    assert inherited(path) | given >= REQUIRED


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_experiments_import_tasks_alone(path):
    text = path.read_text(encoding="utf-8")
    imported = re.findall(r"^(?:import|from) .*$", text, re.M)
    assert set(imported) <= {"from __gin__ import dynamic_registration", "import tasks"}


def test_tasks_have_mt5_s_vocabulary_without_being_told():
    """T5X chooses none; in a process of its own, since this one may have chosen."""
    program = "from tasks import vocabulary; print(vocabulary._spec)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["mt5"]
