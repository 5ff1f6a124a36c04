"""What is written beside a run, so that anyone can tell later what it was.

config.gin         the resolved configuration
model-info.txt     every parameter: size, shape, logical axes, where it lives
environment.json   package versions, git commit, devices, the step that the run began at
sentencepiece.model  the vocabulary, where it is a SentencePiece model
"""

import importlib.metadata
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh

from mt5x import config, distributed, train_state
from mt5x.errors import UserError
from mt5x.models import EncoderDecoderModel
from mt5x.whole_file import write_whole

_PACKAGES = (
    "mt5x jax jaxlib flax optax orbax-checkpoint seqio tensorflow tensorflow-datasets numpy"
).split()

CONFIG_FILE = "config.gin"
VOCABULARY_FILE = "sentencepiece.model"

_SECONDS_TO_APPEAR = 90

# Changing one of these continues a run; anything else makes it another run.
_MAY_CHANGE = frozenset(
    "MODEL_DIR TRAIN_STEPS TRAIN_STEPS_RELATIVE EVAL_STEPS EVAL_PERIOD CHECKPOINT_PERIOD "
    "CHECKPOINTS_TO_KEEP KEEP_BEST_METRIC KEEP_BEST_MODE NUM_PARTITIONS FSDP_PARTITIONS "
    "NUM_MICROBATCHES ATTENTION_KERNEL REMAT_POLICY SCAN_LAYERS SKIP_BATCHES LOSS_SPIKE_FACTOR "
    "LOSS_SPIKE_FLOOR LOSS_SPIKE_STEPS LOSS_SPIKE_WINDOW EARLY_STOPPING_METRIC "
    "EARLY_STOPPING_MODE EARLY_STOPPING_PATIENCE EARLY_STOPPING_MIN_DELTA".split()
)


def refuse_other_config(model_dir: Path) -> None:
    """Leaves a folder alone that holds a run of another config than the loaded one.

    Raises:
      UserError: it does; the first difference is named. Or several processes were started with
        different configs.
    """
    distributed.refuse_disagreement(
        {"config": config.resolved()}, "start all of them with the same gin files and flags"
    )
    existing = model_dir / CONFIG_FILE
    if not existing.is_file():
        return
    before = config.bindings_of(existing.read_text(encoding="utf-8"))
    now = config.bindings_of(config.resolved())
    for name in sorted(before.keys() | now.keys()):
        if name not in _MAY_CHANGE and before.get(name) != now.get(name):
            raise UserError(
                f"MODEL_DIR {model_dir} belongs to another config: {name} is "
                f"{before.get(name, 'unset')} there and {now.get(name, 'unset')} here; "
                "choose another MODEL_DIR or delete that one"
            )


def open_run(model_dir: Path, model: EncoderDecoderModel, mesh: Mesh, initial_step: int) -> None:
    """Writes the record of a run that begins, or goes on, in `model_dir`; process 0 does.

    Raises:
      UserError: it cannot be written, or another process does not see it.
    """
    if jax.process_index() == 0:
        _write(model_dir, model, mesh, initial_step)
    distributed.barrier("run record")
    if jax.process_count() > 1:
        distributed.refuse_disagreement(
            {"MODEL_DIR": "with config.gin" if _appears(model_dir / CONFIG_FILE) else "without"},
            "set MODEL_DIR to a folder that all hosts share",
        )


def _appears(file: Path) -> bool:
    """Whether a file is there; a network's file system may show it late."""
    for _ in range(_SECONDS_TO_APPEAR):
        if file.is_file():
            return True
        time.sleep(1.0)
    return False


def _write(model_dir: Path, model: EncoderDecoderModel, mesh: Mesh, initial_step: int) -> None:
    model_dir.mkdir(parents=True, exist_ok=True)
    record = {"initial_step": initial_step, **environment()}
    write_whole(model_dir / CONFIG_FILE, config.resolved())
    write_whole(model_dir / "model-info.txt", parameter_overview(model, mesh))
    write_whole(model_dir / "environment.json", json.dumps(record, indent=1) + "\n")
    # SeqIO's vocabularies hold the serialised model, with the sentinels that were added to it.
    vocabulary = getattr(model.vocabulary, "sp_model", None)
    if vocabulary is not None:
        write_whole(model_dir / VOCABULARY_FILE, vocabulary)


def initial_step(model_dir: Path) -> int:
    """Returns the step at which the run in `model_dir` began; data is counted from there."""
    record = json.loads((model_dir / "environment.json").read_text(encoding="utf-8"))
    return int(record["initial_step"])


def parameter_overview(model: EncoderDecoderModel, mesh: Mesh) -> str:
    """One line a parameter, as T5X's model-info.txt: size, shape and partition spec."""
    shapes = train_state.abstract_state(model).params
    shardings = train_state.state_shardings(model, mesh).params
    lines, total = [], 0
    leaves = jax.tree_util.tree_flatten_with_path(shapes)[0]
    for (path, leaf), sharding in zip(leaves, jax.tree.leaves(shardings), strict=True):
        name = "/".join(str(key.key) for key in path)
        lines.append(f"{name:<72} size {leaf.size:>12,} shape {leaf.shape!s:<16} {sharding.spec}")
        total += leaf.size
    return "\n".join([*lines, f"Total number of parameters: {total:,}", ""])


def environment() -> dict[str, Any]:
    """Package versions, git commit (None outside a checkout) and devices."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    devices = jax.devices()
    return {
        "versions": versions,
        "git_commit": git_commit(),
        "devices": f"{len(devices)} x {devices[0].device_kind}",
    }


def git_commit() -> str | None:
    """Returns the commit of the checkout that this code runs from, '+changes' if it was edited."""
    git = ["git", "-C", str(config.INSTALLATION_ROOT)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        changes = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + ("+changes" if changes.stdout.strip() else "")
