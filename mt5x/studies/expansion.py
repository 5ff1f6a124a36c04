"""From a declaration to its stages: each path of a study, what paths share once."""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mt5x.errors import UserError
from mt5x.studies import stage as kinds
from mt5x.studies.experiment import macros_of
from mt5x.studies.plan import Base, Intermediate, Study, Transfer
from mt5x.studies.results import SEVERAL, Condition
from mt5x.studies.stage import Stage

LM_TASK = "mc4_span_corruption"

_RUNS = "t5x_configs/runs"
# What a stage's steps are read from, in its macros.
_STEPS = frozenset({"TRAIN_STEPS", "TRAIN_STEPS_RELATIVE"})
# Macros that name a figure of a run's evaluations.
_NAMED_FIGURES = frozenset({"KEEP_BEST_METRIC", "EARLY_STOPPING_METRIC"})


def expand(study: Study) -> list[Stage]:
    """Returns the stages of a study, parents first, each once.

    Raises:
      UserError: two different stages would have one name.
    """
    found: dict[str, Stage] = {}
    for stage in _every(study):
        if found.setdefault(stage.name, stage) != stage:
            raise UserError(
                f"the study {study.name} describes two different stages called {stage.name}: give "
                "its tasks or intermediate tasks different names"
            )
    return list(found.values())


@dataclasses.dataclass(frozen=True)
class _Model:
    """A trained model that paths go on from.

    Attributes:
      checkpoint: '{NAME}' of the stage that trained it, or a path.
      parents: that stage, if it is one of the study.
      gin_file: the network.
      steps: trained in this study since the base model.
      suffix: what a stage's name says of how it came about.
      condition: what a row says of it.
    """

    checkpoint: str
    parents: tuple[str, ...]
    gin_file: str
    steps: int
    suffix: str
    condition: Condition


def _every(study: Study) -> Iterator[Stage]:
    for base in study.begin_with:
        for seed in study.seeds:
            yield from _of_seed(study, base, seed)


def _of_seed(study: Study, base: Base, seed: int) -> Iterator[Stage]:
    model, stages = _begun(study, base, seed)
    yield from stages
    for transfer in study.transfers:
        # The same of every base model.
        if transfer.train_task is not None and base == study.begin_with[0]:
            yield _baseline(base, transfer, seed)
    models: list[tuple[str | None, _Model]] = []
    if study.without_intermediate:
        models.append((None, model))
    for intermediate in study.intermediates:
        for language in intermediate.languages:
            for size in intermediate.sizes:
                stage, reached = _intermediate(study, model, intermediate, language, size, seed)
                yield stage
                models.append((intermediate.name, reached))
    for transfer in study.transfers:
        for name, reached in models:
            if name is None or transfer.after is None or name in transfer.after:
                yield from _transferred(study, transfer, reached, seed)


def _begun(study: Study, base: Base, seed: int) -> tuple[_Model, list[Stage]]:
    """The base model, and the stages that give it and its LM statistics."""
    condition = Condition(model=base.name)
    of_base = f"-{base.name}" if base.name else ""
    if study.pretraining_seed is not None:
        seed = study.pretraining_seed
    stages = []
    if base.pretraining is None:
        assert base.checkpoint_path is not None
        model = _Model(base.checkpoint_path, (), base.model, 0, of_base, condition)
    else:
        pretrain = Stage(
            name=f"pretrain{of_base}-seed{seed}",
            kind=kinds.TRAIN,
            gin_files=(base.model, f"{_RUNS}/pretrain.gin"),
            macros={
                **study.macros,
                "RANDOM_SEED": seed,
                **base.pretraining,
                "MODEL_DIR": "{folder}",
            },
            parents=(),
            seed=seed,
            task=LM_TASK,
            condition=condition,
        )
        stages.append(pretrain)
        checkpoint = f"{{{pretrain.name}}}"
        model = _Model(checkpoint, (pretrain.name,), base.model, 0, of_base, condition)
    if study.lm_statistics is not None:
        stages.append(
            Stage(
                name=f"lm_statistics{of_base}-seed{seed}",
                kind=kinds.LM_STATISTICS,
                gin_files=(base.model, f"{_RUNS}/lm_statistics.gin"),
                macros={**study.lm_statistics, "CHECKPOINT_PATH": model.checkpoint},
                parents=model.parents,
                seed=seed,
                task=LM_TASK,
                condition=condition,
            )
        )
    return model, stages


def _intermediate(
    study: Study,
    model: _Model,
    intermediate: Intermediate,
    language: str,
    size: int | None,
    seed: int,
) -> tuple[Stage, _Model]:
    suffix = f"{intermediate.name}-{language}{_sized(size)}"
    mixture = intermediate.mixture.format(language=_in_names(language), size=_cut(size))
    condition = dataclasses.replace(
        model.condition,
        intermediate=intermediate.name,
        intermediate_language=language,
        intermediate_size=size,
    )
    stage = _training(
        study,
        model,
        name=f"intermediate-{suffix}{model.suffix}-seed{seed}",
        mixture=mixture,
        experiment=intermediate.experiment,
        macros=intermediate.macros,
        seed=seed,
        task=intermediate.name,
        source=language,
        condition=condition,
    )
    return stage, _after(model, stage, f"-after-{suffix}{model.suffix}", condition)


def _transferred(study: Study, transfer: Transfer, model: _Model, seed: int) -> Iterator[Stage]:
    """The fine-tunings of a target task from one model, and what they are evaluated on."""
    if transfer.mixture is None:
        yield from _evaluated(study, transfer, model, transfer.task, None, seed)
        return
    trains = transfer.trains or transfer.task
    for source, size in itertools.product(transfer.trained_sources, transfer.sizes):
        condition = dataclasses.replace(model.condition, source_size=size)
        stage = _training(
            study,
            model,
            name=f"finetune-{trains}-{source}{_sized(size)}{model.suffix}-seed{seed}",
            mixture=transfer.mixture.format(source=_in_names(source), size=_cut(size)),
            experiment=transfer.experiment,
            macros=transfer.macros,
            seed=seed,
            task=trains,
            source=source,
            condition=condition,
        )
        yield stage
        tuned = _after(model, stage, f"{_sized(size)}{model.suffix}", condition)
        yield from _evaluated(study, transfer, tuned, f"{transfer.task}-{source}", source, seed)
        yield from _few_shot(study, transfer, tuned, source, seed)


def _few_shot(
    study: Study, transfer: Transfer, tuned: _Model, source: str, seed: int
) -> Iterator[Stage]:
    """A tuned model trained on a few examples of each target language by itself."""
    chosen = transfer.few_shot_languages
    sources = source.split(SEVERAL)
    targets = [one for one in chosen or transfer.languages if one not in sources]
    for shots in transfer.shots:
        for target in targets:
            assert transfer.few_shot_mixture is not None
            condition = dataclasses.replace(tuned.condition, shots=shots)
            what = f"{transfer.task}-{source}-{target}-{shots}shots"
            stage = _training(
                study,
                tuned,
                name=f"few_shot-{what}{tuned.suffix}-seed{seed}",
                mixture=transfer.few_shot_mixture.format(language=target, shots=shots),
                experiment=transfer.experiment,
                macros={**transfer.macros, **transfer.few_shot_macros},
                seed=seed,
                task=transfer.task,
                source=source,
                condition=condition,
            )
            yield stage
            model = _after(tuned, stage, tuned.suffix, condition)
            yield _evaluation(study, transfer, model, what, source, seed, [target])


def _evaluated(
    study: Study,
    transfer: Transfer,
    model: _Model,
    label: str,
    source: str | None,
    seed: int,
) -> Iterator[Stage]:
    """A model evaluated in all languages: on clean text, and on each kind of noise."""
    clean = _evaluation(study, transfer, model, label, source, seed, transfer.languages)
    yield clean
    for noise in transfer.perturbations:
        kind, strength = _kind_and_strength(transfer, noise)
        condition = dataclasses.replace(model.condition, perturbation=kind, strength=strength)
        noisy = dataclasses.replace(model, condition=condition)
        yield _evaluation(
            study, transfer, noisy, f"{label}-{noise}", source, seed, transfer.languages,
            noise=f":{noise}", clean=clean.name,
        )  # fmt: skip


def _evaluation(
    study: Study,
    transfer: Transfer,
    model: _Model,
    label: str,
    source: str | None,
    seed: int,
    targets: Iterable[str],
    noise: str = "",
    clean: str | None = None,
) -> Stage:
    mixture = transfer.evaluated or transfer.mixture
    assert mixture is not None
    return Stage(
        name=f"evaluate-{label}{model.suffix}-seed{seed}",
        kind=kinds.EVALUATE,
        gin_files=(model.gin_file, f"{_RUNS}/evaluate.gin"),
        macros={
            **study.evaluation,
            "MIXTURE_OR_TASK_NAME": mixture.format(source=_in_names(source or ""), size="") + noise,
            "EVALUATOR_ONLY": [transfer.eval_task.format(language=one) + noise for one in targets],
            "SPLIT": transfer.split,
            "CHECKPOINT_PATH": model.checkpoint,
            "EVAL_OUTPUT_DIR": "{folder}",
        },
        parents=(*model.parents, *([] if clean is None else [clean])),
        seed=seed,
        task=transfer.task,
        source=source,
        split=transfer.split,
        condition=model.condition,
        compared_with=clean,
    )


def _training(
    study: Study,
    model: _Model,
    *,
    name: str,
    mixture: str,
    experiment: str | None,
    macros: Mapping[str, Any],
    seed: int,
    task: str,
    source: str,
    condition: Condition,
) -> Stage:
    """A training that goes on from a model."""
    files = (model.gin_file, f"{_RUNS}/finetune.gin", *([experiment] if experiment else []))
    recipe = macros_of(experiment) if experiment else {}
    steps = {name: recipe[name] for name in _STEPS & recipe.keys()}
    bound = {**steps, **study.macros, "RANDOM_SEED": seed, **study.finetuning, **macros}
    for figure in _NAMED_FIGURES & bound.keys():
        if bound[figure] is not None:
            bound[figure] = bound[figure].format(source=source)
    if bound.get("STEP_OFFSET") is not None:
        bound["STEP_OFFSET"] += model.steps
    return Stage(
        name=name,
        kind=kinds.TRAIN,
        gin_files=files,
        macros={
            **bound,
            "MIXTURE_OR_TASK_NAME": mixture,
            "INITIAL_CHECKPOINT_PATH": model.checkpoint,
            "MODEL_DIR": "{folder}",
        },
        parents=model.parents,
        seed=seed,
        task=task,
        source=source,
        condition=condition,
    )


def _after(model: _Model, stage: Stage, suffix: str, condition: Condition) -> _Model:
    """The model that a training gives."""
    chosen = "/best" if stage.macros.get("KEEP_BEST_METRIC") else ""
    return _Model(
        checkpoint=f"{{{stage.name}}}{chosen}",
        parents=(stage.name,),
        gin_file=model.gin_file,
        steps=model.steps + stage.steps,
        suffix=suffix,
        condition=condition,
    )


def _baseline(base: Base, transfer: Transfer, seed: int) -> Stage:
    assert transfer.train_task is not None
    return Stage(
        name=f"majority_baseline-{transfer.task}-seed{seed}",
        kind=kinds.MAJORITY_BASELINE,
        gin_files=(base.model, f"{_RUNS}/majority_baseline.gin"),
        macros={
            "TRAIN_TASKS": [transfer.train_task.format(language=x) for x in transfer.languages],
            "EVAL_TASKS": [transfer.eval_task.format(language=x) for x in transfer.languages],
            "SPLIT": transfer.split,
        },
        parents=(),
        seed=seed,
        task=transfer.task,
        split=transfer.split,
    )


def _in_names(language: str) -> str:
    """A source as names of mixtures write it: 'en_hi' for 'en+hi'."""
    return language.replace(SEVERAL, "_")


def _cut(size: int | None) -> str:
    """How a mixture's name says that it is cut."""
    return "" if size is None else f":n{size}"


def _sized(size: int | None) -> str:
    """How a stage's name says it."""
    return "" if size is None else f"-n{size}"


def _kind_and_strength(transfer: Transfer, noise: str) -> tuple[str, int]:
    match = re.fullmatch(r"([a-z_]+)([0-9]+)(?:\.s[0-9]+)?", noise)
    if match is None:
        raise UserError(
            f"{transfer.task} is perturbed by '{noise}', which is no kind and strength such as "
            "typos10"
        )
    return match[1], int(match[2])
