"""The declaration of a study: what varies, and the question. A study file binds it by gin.

    base model -> intermediate task -> target task in each source -> few shots -> evaluation

Every combination is one path through the stages that follow from it (`expansion`).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from mt5x.errors import UserError


@dataclasses.dataclass(frozen=True)
class Base:
    """A model to begin with.

    Attributes:
      name: in the result table, such as 'mt5_base'; None where there is one model only.
      model: gin file of the network.
      checkpoint: pretrained parameters, None where the study pretrains; '{model}' in it stands for
        the model file's name without its ending, such as 'mt5_base'.
      pretraining: gin macros of pretraining by span corruption; None where a checkpoint is given.
    """

    name: str | None
    model: str
    checkpoint: str | None = None
    pretraining: Mapping[str, Any] | None = None

    @property
    def checkpoint_path(self) -> str | None:
        """Where the pretrained parameters lie."""
        if self.checkpoint is None:
            return None
        return self.checkpoint.replace("{model}", PurePosixPath(self.model).stem)


@dataclasses.dataclass(frozen=True)
class Intermediate:
    """Training between the base model and the target task.

    Attributes:
      name: in the result table, such as 'qqp'.
      mixture: SeqIO task or mixture trained on; '{language}' stands for the language, '{size}' for
        ':n1000' or, where all is trained on, nothing.
      languages: languages in which it is done, one after another: a path for each. Several joined
        by '+', such as 'en+es', are written 'en_es' in the mixture's name.
      sizes: numbers of training examples, None for all: a path for each.
      macros: gin macros of the training, beside the study's `finetuning`.
      experiment: gin file of macros of the training, such as
        't5x_configs/experiments/intermediate_qqp.gin'; the study's macros go before it.
    """

    name: str
    mixture: str
    languages: Sequence[str] = ("en",)
    sizes: Sequence[int | None] = (None,)
    macros: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    experiment: str | None = None

    def __post_init__(self) -> None:
        """Refuses sizes that the mixture's name has no place for."""
        _refuse_sizes(f"the intermediate task {self.name}", self.mixture, self.sizes)


@dataclasses.dataclass(frozen=True)
class Transfer:
    """One target task: fine-tune on each source, evaluate in each target language.

    Attributes:
      task: name in the result table, such as 'panx'.
      languages: target languages, and the sources where `sources` names none.
      mixture: SeqIO mixture trained on, with '{source}' for the language ('en_hi' for 'en+hi');
        None evaluates the base or intermediate model itself, as for retrieval.
      train_task: SeqIO task that holds a language's own training examples, '{language}'; for the
        majority baseline.
      eval_task: SeqIO task of a language's evaluation examples, '{language}'.
      macros: gin macros of the fine-tuning, such as TASK_FEATURE_LENGTHS.
      split: evaluated split.
      sources: languages trained on, or several joined by '+'.
      sizes: numbers of training examples of the source, None for all; `mixture` then holds
        '{size}', which stands for ':n1000' or nothing.
      evaluated: SeqIO mixture that holds the eval tasks, '{source}'; None: `mixture`.
      trains: what the fine-tuning is called; tasks that fine-tune alike share it under one name.
      shots: numbers of labelled examples of the target language that the tuned model is then
        trained on, each target by itself.
      few_shot_mixture: SeqIO task or mixture of these, '{language}' and '{shots}'.
      few_shot_macros: gin macros of that training.
      few_shot_languages: targets that get shots; None: all but the source.
      perturbations: kinds and strengths of noise, such as 'typos10', in which the zero-shot models
        are evaluated, too.
      after: names of the intermediate tasks that it is done after; None: all of the study.
      experiment: gin file of macros of the fine-tuning, such as
        't5x_configs/experiments/xnli_zeroshot.gin'; the study's macros go before it.
    """

    task: str
    languages: Sequence[str]
    mixture: str | None
    train_task: str | None
    eval_task: str
    macros: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    split: str = "validation"
    sources: Sequence[str] | None = None
    sizes: Sequence[int | None] = (None,)
    evaluated: str | None = None
    trains: str | None = None
    shots: Sequence[int] = ()
    few_shot_mixture: str | None = None
    few_shot_macros: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    few_shot_languages: Sequence[str] | None = None
    perturbations: Sequence[str] = ()
    after: Sequence[str] | None = None
    experiment: str | None = None

    def __post_init__(self) -> None:
        """Refuses what lacks its other half."""
        if self.mixture is None and self.evaluated is None:
            raise UserError(f"{self.task} names neither a mixture to train on nor one to evaluate")
        _refuse_sizes(f"the task {self.task}", self.mixture or "", self.sizes)
        if self.shots and (self.few_shot_mixture is None or self.mixture is None):
            raise UserError(f"{self.task} has shots: name its mixture and its few_shot_mixture")

    @property
    def trained_sources(self) -> Sequence[str]:
        """The languages trained on."""
        return self.languages if self.sources is None else self.sources


@dataclasses.dataclass(frozen=True)
class Study:
    """The declaration that a study file binds.

    Attributes:
      name: folder and result rows carry it.
      question: what the report answers.
      data_dir: TFDS_DATA_DIR of all stages.
      output_dir: where results and report go.
      transfers: the target tasks.
      model: gin file of the one base model.
      checkpoint: its pretrained parameters; None where the study pretrains.
      pretraining: gin macros of the pretraining by span corruption.
      bases: several base models, in the place of the three.
      lm_statistics: gin macros of the LM statistics of the pretrained model; None: none.
      intermediates: training between the base model and the target tasks: a path for each.
      without_intermediate: also the path that goes from the base model straight to the target.
      finetuning: gin macros that all fine-tunings share. A figure in them may hold '{source}' for
        the language trained on: with KEEP_BEST_METRIC='eval/panx_eval.{source}/span_f1' the
        checkpoint that is best in it is evaluated. STEP_OFFSET counts the base model's steps; those
        of the stages between are added.
      evaluation: gin macros of the evaluations, such as EVALUATOR_NUM_EXAMPLES.
      macros: gin macros of every training.
      seeds: one full set of stages for each.
      pretraining_seed: all seeds begin with the model pretrained with this one; None: each its own.
      stages_dir: where the stages lie, which studies share; None: 'stages' beside `output_dir`.
    """

    name: str
    question: str
    data_dir: str
    output_dir: str
    transfers: Sequence[Transfer]
    model: str | None = None
    checkpoint: str | None = None
    pretraining: Mapping[str, Any] | None = None
    bases: Sequence[Base] = ()
    lm_statistics: Mapping[str, Any] | None = None
    intermediates: Sequence[Intermediate] = ()
    without_intermediate: bool = True
    finetuning: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    evaluation: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    macros: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seeds: Sequence[int] = (0,)
    pretraining_seed: int | None = None
    stages_dir: str | None = None

    def __post_init__(self) -> None:
        """Refuses a study without a model, or with one told twice."""
        if bool(self.bases) == (self.model is not None):
            raise UserError(f"the study {self.name} needs a model or several bases, one of the two")
        for base in self.begin_with:
            if (base.checkpoint is None) == (base.pretraining is None):
                raise UserError(
                    f"the study {self.name} needs a checkpoint of {base.name or base.model} or "
                    "macros for its pretraining, one of the two"
                )
        if not self.intermediates and not self.without_intermediate:
            raise UserError(
                f"the study {self.name} has no path: without_intermediate is False, and there is "
                "no intermediate task"
            )

    @property
    def begin_with(self) -> Sequence[Base]:
        """The base models."""
        if self.bases:
            return self.bases
        assert self.model is not None
        return (Base(None, self.model, self.checkpoint, self.pretraining),)


def _refuse_sizes(what: str, mixture: str, sizes: Sequence[int | None]) -> None:
    """Refuses sizes that the mixture's name has no place for, and those that are none."""
    if "{size}" not in mixture and any(size is not None for size in sizes):
        raise UserError(
            f"{what} has sizes: write '{{size}}' into its mixture, as in '{mixture}{{size}}'"
        )
    if any(size is not None and size < 1 for size in sizes):
        raise UserError(f"the sizes of {what} begin with 1; None stands for all there is")
