"""A study of a handful of stages, and jobs that stand in for the engine."""

import dataclasses
import time
from pathlib import Path

from mt5x.errors import UserError
from mt5x.studies import runner, store
from mt5x.studies.plan import Intermediate, Study, Transfer

LENGTHS = {"inputs": 8, "targets": 8}
PANX = Transfer(
    task="panx",
    languages=["en", "fi"],
    mixture="panx_zeroshot.{source}",
    train_task="panx_train.{language}",
    eval_task="panx_eval.{language}",
)
QQP = Intermediate("qqp", "qqp_train.{language}{size}", sizes=(None, 100))


def study_in(folder: Path, **changes) -> Study:
    declared = Study(
        name="toy",
        question="?",
        model="t5x_configs/models/mt5_tiny.gin",
        data_dir=str(folder / "data"),
        output_dir=str(folder / "out"),
        transfers=[PANX],
        pretraining={
            "TRAIN_STEPS": 5,
            "MIXTURE_OR_TASK_NAME": "mc4_span_corruption",
            "TASK_FEATURE_LENGTHS": LENGTHS,
        },
        lm_statistics={"LANGUAGES": ["en"], "TASK_FEATURE_LENGTHS": LENGTHS},
        finetuning={"TRAIN_STEPS_RELATIVE": 3, "TASK_FEATURE_LENGTHS": LENGTHS, "STEP_OFFSET": 5},
    )
    return dataclasses.replace(declared, **changes)


def name_in(title: str) -> str:
    return title.partition("] ")[2]


class Jobs:
    """Stands in for the engine: notes what ran, takes its time, fails where it is told to."""

    def __init__(self, log: Path, seconds: float = 0.0, fail: str | None = None):
        self.log, self.seconds, self.fail = log, seconds, fail

    def kinds(self) -> dict[str, runner.Job]:
        kinds = ("evaluate", "majority_baseline", "lm_statistics")
        return {"train": self._train, **dict.fromkeys(kinds, self._measure)}

    def ran(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []

    def _train(self, title: str) -> store.Figures:
        self._work(title)
        return {}

    def _measure(self, title: str) -> store.Figures:
        self._work(title)
        # As a score a function of the stage alone.
        value = sum(name_in(title).encode()) % 1000 / 10
        return {"en": {"score": value, "num_examples": 10, "step": 1}}

    def _work(self, title: str) -> None:
        time.sleep(self.seconds)
        if self.fail and self.fail in title:
            raise UserError(f"no memory\nfor {self.fail}")
        with self.log.open("a") as log:
            log.write(name_in(title) + "\n")


def table_of(folder: Path) -> list[str]:
    """The lines of the result table, the stages' hashes among them."""
    return (folder / "out" / "results.jsonl").read_text().splitlines()
