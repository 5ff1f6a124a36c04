"""Variants of tasks and mixtures: cut to n training examples, perturbed, or their train split."""

from collections.abc import Callable, Sequence
from typing import Any

import seqio

from tasks import catalogue, perturbations
from tasks.by_name import grammar, text_stage
from tasks.by_name.grammar import Suffix
from tasks.by_name.subset import SubsetSource
from tasks.by_name.text_stage import TRAIN
from tasks.errors import DataError

# What perturbations call the data of a task that is not the catalogue's.
_OWN = "own"


def cut(task: seqio.Task, suffix: Suffix) -> seqio.Task:
    """Returns the task with so many training examples; its other splits are as they were."""
    if suffix.amount < 1:
        raise DataError(f"expected at least 1 training example, got '{task.name}{suffix}'")
    if TRAIN not in task.splits:
        raise DataError(
            f"'{task.name}{suffix}' cuts the train split, which '{task.name}' does not have; cut "
            f"the task or mixture that trains"
        )
    _, rest = text_stage.preprocessors(task)
    balanced = catalogue.labels(task.name) is not None
    return task.replace(
        name=f"{task.name}{suffix}",
        source=SubsetSource(task, suffix.amount, suffix.seed, balanced),
        preprocessors=rest,
    )


def perturbed(task: seqio.Task, suffix: Suffix) -> seqio.Task:
    """Returns an eval task whose inputs are perturbed."""
    if TRAIN in task.splits:
        raise DataError(
            f"'{task.name}{suffix}' perturbs what is evaluated, but '{task.name}' has a train "
            f"split; give the evaluation a task of its own"
        )
    base = grammar.base_of(task.name)
    try:
        known = catalogue.parse(base)
        # Of questions across languages the first is the context's.
        data, language = known.data, known.language.partition(".")[0]
    except DataError:
        data, language = _OWN, base.rpartition(".")[2]
    before, rest = text_stage.preprocessors(task)
    change = perturbations.preprocessor(
        suffix.kind,
        strength=suffix.amount,
        seed=suffix.seed,
        data=data,
        language=language,
        pool=lambda: [
            text_stage.read(task, split) for split in text_stage.stored_splits(task.source)
        ],
    )
    return task.replace(name=f"{task.name}{suffix}", preprocessors=[*before, change, *rest])


def train_only(task: seqio.Task) -> seqio.Task:
    """Returns the task without its other splits, so that mixing it in evaluates nothing more."""
    if TRAIN not in task.splits:
        raise DataError(f"'{task.name}' has no train split; it has {' '.join(task.splits)}")
    return task.replace(name=task.name + grammar.TRAIN_ONLY, source=_TrainOnly(task.source))


def of_mixture(
    mixture: seqio.Mixture, suffix: Suffix, change: Callable[[seqio.Task], seqio.Task]
) -> seqio.Mixture:
    """Returns a mixture of changed tasks in the same rates; rates of sizes follow the new sizes.

    Args:
      mixture: the mixture, which may hold others.
      suffix: what is appended to its name.
      change: returns the task to put in place of a task; the same one where it is to stay.
    """
    parts = []
    for name, rate in mixture.rate_per_task_name.items():
        part = mixture._task_map[name]
        if isinstance(part, seqio.Mixture):
            parts.append((of_mixture(part, suffix, change), rate))
        else:
            parts.append((change(part), rate))
    return seqio.Mixture(f"{mixture.name}{suffix}", parts, sample_fn=mixture._sample_fn)


class _TrainOnly(seqio.DataSource):
    """The train split of another source."""

    def __init__(self, source: seqio.DataSource):
        super().__init__(splits=(TRAIN,), caching_permitted=source.caching_permitted)
        self._whole = source

    @property
    def supports_arbitrary_sharding(self) -> bool:
        """As the whole source."""
        return self._whole.supports_arbitrary_sharding

    def list_shards(self, split: str) -> Sequence[str]:
        """As the whole source."""
        return self._whole.list_shards(split)

    def num_input_examples(self, split: str) -> int | None:
        """As the whole source."""
        return self._whole.num_input_examples(split)

    def available_splits(self) -> tuple[str, ...]:
        """Returns the train split where it lies on disk now."""
        return tuple(s for s in text_stage.stored_splits(self._whole) if s == TRAIN)

    def get_dataset(self, *args: Any, **kwargs: Any) -> Any:
        """As the whole source."""
        return self._whole.get_dataset(*args, **kwargs)
