"""A study as data: what varies, and the stages that follow from it.

A stage is named by the hash of all that determines it: its resolved config, its parents, the data
and the version of this code. A finished stage is found again under that name and never redone.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mt5x import __version__, config

# Written into every stage's hash: raise it when a change of code changes results.
RESULTS_VERSION = 1

# Macros that name a figure of a run's evaluations.
_NAMED_FIGURES = frozenset({"KEEP_BEST_METRIC", "EARLY_STOPPING_METRIC"})


@dataclasses.dataclass(frozen=True)
class Transfer:
    """One target task: fine-tune on each source language, evaluate on each target language.

    Attributes:
      task: name in the result table, such as 'panx'.
      languages: sources and targets alike.
      mixture: SeqIO mixture with the source's training task and all evaluation tasks, with
        '{source}' for the language.
      train_task: SeqIO task that holds a language's own training examples, '{language}'.
      eval_task: SeqIO task of a language's evaluation examples, '{language}'.
      macros: gin macros of the fine-tuning, such as TASK_FEATURE_LENGTHS.
      split: evaluated split.
    """

    task: str
    languages: Sequence[str]
    mixture: str
    train_task: str
    eval_task: str
    macros: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    split: str = "validation"


@dataclasses.dataclass(frozen=True)
class Study:
    """The declaration that a study file binds.

    Attributes:
      name: folder and result rows carry it.
      question: what the report answers.
      model: gin file of the model.
      data_dir: TFDS_DATA_DIR of all stages.
      output_dir: where stages, results and report go.
      transfers: the target tasks.
      pretraining: gin macros of the pretraining by span corruption.
      lm_statistics: gin macros of the LM statistics of the pretrained model.
      finetuning: gin macros that all fine-tunings share. A figure in them may hold '{source}' for
        the language trained on: with KEEP_BEST_METRIC='eval/panx_eval.{source}/span_f1' the
        checkpoint that is best in it is evaluated.
      evaluation: gin macros of the evaluations, such as EVALUATOR_NUM_EXAMPLES.
      macros: gin macros of every training.
      seeds: one full set of stages for each.
    """

    name: str
    question: str
    model: str
    data_dir: str
    output_dir: str
    transfers: Sequence[Transfer]
    pretraining: Mapping[str, Any]
    lm_statistics: Mapping[str, Any]
    finetuning: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    evaluation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    macros: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seeds: Sequence[int] = (0,)


@dataclasses.dataclass(frozen=True)
class Stage:
    """One job of a study.

    Attributes:
      name: readable, unique in the study.
      kind: 'train', 'evaluate', 'lm_statistics' or 'majority_baseline'.
      gin_files: its configuration.
      macros: its bindings; '{folder}' stands for its own folder, '{NAME}' for the folder of the
        parent called NAME, and '{NAME}/best' for the best checkpoint in that.
      parents: names of the stages whose output it reads.
      seed: random seed.
      task: as in the result table.
      source: language trained on, if any.
      split: evaluated split.
    """

    name: str
    kind: str
    gin_files: tuple[str, ...]
    macros: Mapping[str, Any]
    parents: tuple[str, ...]
    seed: int
    task: str
    source: str | None = None
    split: str = "validation"


def expand(study: Study) -> list[Stage]:
    """Returns the stages of a study, parents first."""
    return [stage for seed in study.seeds for stage in _stages_of_seed(study, seed)]


def _stages_of_seed(study: Study, seed: int) -> list[Stage]:
    suffix = f"-seed{seed}"
    common = {**study.macros, "RANDOM_SEED": seed}
    pretrain = Stage(
        name=f"pretrain{suffix}",
        kind="train",
        gin_files=(study.model, "t5x_configs/runs/pretrain.gin"),
        macros={**common, **study.pretraining, "MODEL_DIR": "{folder}"},
        parents=(),
        seed=seed,
        task="mc4_span_corruption",
    )
    lm_statistics = Stage(
        name=f"lm_statistics{suffix}",
        kind="lm_statistics",
        gin_files=(study.model, "t5x_configs/runs/lm_statistics.gin"),
        macros={**study.lm_statistics, "CHECKPOINT_PATH": f"{{{pretrain.name}}}"},
        parents=(pretrain.name,),
        seed=seed,
        task="mc4_span_corruption",
    )
    stages = [pretrain, lm_statistics]
    for transfer in study.transfers:
        stages.append(_baseline(study, transfer, seed))
        for source in transfer.languages:
            finetuning = {**common, **study.finetuning, **transfer.macros}
            for name in _NAMED_FIGURES & finetuning.keys():
                if finetuning[name] is not None:
                    finetuning[name] = finetuning[name].format(source=source)
            chosen = "/best" if finetuning.get("KEEP_BEST_METRIC") else ""
            finetune = Stage(
                name=f"finetune-{transfer.task}-{source}{suffix}",
                kind="train",
                gin_files=(study.model, "t5x_configs/runs/finetune.gin"),
                macros={
                    **finetuning,
                    "MIXTURE_OR_TASK_NAME": transfer.mixture.format(source=source),
                    "INITIAL_CHECKPOINT_PATH": f"{{{pretrain.name}}}",
                    "MODEL_DIR": "{folder}",
                },
                parents=(pretrain.name,),
                seed=seed,
                task=transfer.task,
                source=source,
            )
            evaluate = Stage(
                name=f"evaluate-{transfer.task}-{source}{suffix}",
                kind="evaluate",
                gin_files=(study.model, "t5x_configs/runs/evaluate.gin"),
                macros={
                    **study.evaluation,
                    "MIXTURE_OR_TASK_NAME": transfer.mixture.format(source=source),
                    "EVALUATOR_ONLY": _eval_tasks(transfer),
                    "SPLIT": transfer.split,
                    "CHECKPOINT_PATH": f"{{{finetune.name}}}{chosen}",
                    "EVAL_OUTPUT_DIR": "{folder}",
                },
                parents=(finetune.name,),
                seed=seed,
                task=transfer.task,
                source=source,
                split=transfer.split,
            )
            stages += [finetune, evaluate]
    return stages


def _baseline(study: Study, transfer: Transfer, seed: int) -> Stage:
    return Stage(
        name=f"majority_baseline-{transfer.task}-seed{seed}",
        kind="majority_baseline",
        gin_files=(study.model, "t5x_configs/runs/majority_baseline.gin"),
        macros={
            "TRAIN_TASKS": [transfer.train_task.format(language=x) for x in transfer.languages],
            "EVAL_TASKS": _eval_tasks(transfer),
            "SPLIT": transfer.split,
        },
        parents=(),
        seed=seed,
        task=transfer.task,
        split=transfer.split,
    )


def _eval_tasks(transfer: Transfer) -> list[str]:
    return [transfer.eval_task.format(language=language) for language in transfer.languages]


def stage_key(resolved: str, parents: Sequence[str], data: str, seed: int) -> str:
    """Returns the short hash that names a stage.

    Args:
      resolved: its resolved configuration, without folders of this machine.
      parents: keys of its parents.
      data: fingerprint of the data.
      seed: its random seed.
    """
    determines = json.dumps([RESULTS_VERSION, __version__, resolved, list(parents), data, seed])
    return hashlib.sha256(determines.encode()).hexdigest()[:12]


def data_fingerprint(data_dir: str | Path) -> str:
    """Returns a hash over the data sets' own records, the vocabulary and the world's truth."""
    digest = hashlib.sha256()
    names = ("dataset_info.json", "world.json", "sentencepiece.model")
    folder = Path(data_dir)
    for file in sorted(folder.rglob("*")):
        if file.name in names:
            digest.update(str(file.relative_to(folder)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def gin_bindings(macros: Mapping[str, Any], folders: Mapping[str, str]) -> list[str]:
    """Writes macros as gin bindings, with folders filled in for '{NAME}' and '{NAME}/best'."""

    def literal(value: Any) -> str:
        place = re.fullmatch(r"\{(.*)\}(/best)?", value) if isinstance(value, str) else None
        return repr(value if place is None else folders[place[1]] + (place[2] or ""))

    return [f"{name} = {literal(value)}" for name, value in macros.items()]


def resolve(stage: Stage) -> str:
    """Returns the stage's resolved config with symbolic folders, the same on every machine."""
    symbolic = {name: name for name in (*stage.parents, "folder")}
    config.load(stage.gin_files, gin_bindings(stage.macros, symbolic))
    return config.resolved()
