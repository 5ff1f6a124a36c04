"""Kills a run with SIGKILL again and again, resuming it each time; started by test_sigkill.

    python killed_runs.py FOLDER SEED KILLS

trains FOLDER/undisturbed in one go and FOLDER/killed with KILLS kills, and prints what happened as
JSON. Each attempt is a fork of this process, in which everything is imported and no device is in
use, so that starting costs little. Half of the kills come at any moment, half while a checkpoint is
being written.
"""

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
from absl import logging

from mt5x import run_record
from mt5x.checkpoints.best import KeepBest
from mt5x.train_loop import CheckpointConfig, train
from tests.mt5x import toy

STEPS = 144
PARTIAL = "checkpoint_*.orbax-checkpoint-tmp"


def attempt(folder: Path) -> int:
    """Trains in a fork of this process; returns its id."""
    child = os.fork()
    if child:
        return child
    try:
        train(
            model=toy.model(),
            model_dir=str(folder),
            train_dataset_cfg=toy.dataset(),
            train_eval_dataset_cfg=toy.dataset(split="validation"),
            learning_rate_fn=lambda step: 0.01,
            total_steps=STEPS,
            checkpoint_cfg=CheckpointConfig(
                period=4, keep=2, keep_best=KeepBest("training_eval/toy_eval.aa/loss")
            ),
            eval_period=36,
            eval_steps=1,
            log_period=10,
            tensorboard=False,
        )
    except BaseException as error:
        print(f"attempt failed: {error!r}", file=sys.stderr)
        os._exit(1)
    os._exit(0)


def ended(child: int) -> bool:
    """Whether the process is gone; one that went wrong ends this one, too."""
    found, status = os.waitpid(child, os.WNOHANG)
    if found and status:
        raise SystemExit(f"an attempt ended with status {status}")
    return bool(found)


def alone(folder: Path) -> None:
    """Lets an attempt come to its end."""
    child = attempt(folder)
    while not ended(child):
        time.sleep(0.05)


def kill_when(child: int, moment: Callable[[], bool]) -> bool:
    """Kills the process at a moment; returns False if it came to its end before."""
    while not moment():
        if ended(child):
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def partial_folders(folder: Path) -> dict[str, int]:
    """Checkpoints that are being written, or were left half written, and when they last changed."""
    found = {}
    for path in folder.glob(PARTIAL):
        with contextlib.suppress(FileNotFoundError):
            found[path.name] = path.stat().st_ctime_ns
    return found


class Moments:
    """Chooses when to kill."""

    def __init__(self, folder: Path, seed: int):
        self._folder, self._chance = folder, random.Random(seed)
        self._start = 0.0

    def in_a_save(self) -> Callable[[], bool]:
        """Some milliseconds into one of the first few saves of the attempt."""
        forked, kill_at = time.monotonic(), float("inf")
        left_over = partial_folders(self._folder).items()
        left, wait, seen = self._chance.randint(1, 4), self._chance.uniform(0.0, 0.05), set[str]()

        def now() -> bool:
            nonlocal left, kill_at
            for name, _ in partial_folders(self._folder).items() - left_over:
                if name not in seen:
                    self._start = self._start if seen else time.monotonic() - forked
                    seen.add(name)
                    left -= 1
                    if left == 0:
                        kill_at = time.monotonic() + wait
            return time.monotonic() >= kill_at

        return now

    def any(self) -> Callable[[], bool]:
        """While it starts, which took as long as the last time, or some time after."""
        kill_at = time.monotonic() + self._chance.uniform(0.1, 1.4) * self._start
        return lambda: time.monotonic() >= kill_at


def main(folder: Path, seed: int, kills: int) -> None:
    logging.set_verbosity(logging.FATAL)
    toy.register()
    # There is no gin file, and asking git for the commit takes long.
    run_record.config.resolved = lambda: "TOY = True"
    run_record.environment = dict
    jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    alone(folder / "undisturbed")
    killed = folder / "killed"
    moments = Moments(killed, seed)
    newest, in_a_save = [], 0
    for number in range(kills):
        left_over = partial_folders(killed).items()
        child = attempt(killed)
        if not kill_when(child, moments.any() if number % 2 else moments.in_a_save()):
            raise SystemExit(f"the run came to its end after {number} kills; give it more steps")
        in_a_save += bool(partial_folders(killed).items() - left_over)
        steps = [int(path.name.partition("_")[2]) for path in killed.glob("checkpoint_*[0-9]")]
        newest.append(max(steps, default=0))
    alone(killed)
    print(json.dumps({"newest_after_kill": newest, "killed_in_a_save": in_a_save}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
