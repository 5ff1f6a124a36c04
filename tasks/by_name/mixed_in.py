"""Text of mC4 mixed into training: span corruption at a ratio to the examples of a task.

`:mlm10` is continued masked language modelling: one example of `mc4_span_corruption` to 10 of the
tasks. `:nosentinels100` mixes `mc4_no_sentinels` 1:100, with which the answers of a model tuned on
English alone stay in the language of the question (Xue et al. 2021, section 4.1). The languages
are those that the mixture evaluates, and where it evaluates none that mC4 has, the study's ten;
they share by the power of their documents that mT5 used, 0.3 and 0.1.
"""

import dataclasses
from collections.abc import Callable

import seqio

from tasks import languages
from tasks.by_name import grammar
from tasks.by_name.grammar import TRAIN_ONLY, Suffix
from tasks.by_name.text_stage import TRAIN
from tasks.errors import DataError


@dataclasses.dataclass(frozen=True)
class Text:
    """A task family of mC4's text and mT5's exponent of a language's documents for it."""

    data: str
    alpha: float


KINDS = {
    "mlm": Text("mc4_span_corruption", alpha=0.3),
    "nosentinels": Text("mc4_no_sentinels", alpha=0.1),
}


def mixed(
    base: seqio.Task | seqio.Mixture, suffix: Suffix, find: Callable[[str], seqio.Task]
) -> seqio.Mixture:
    """Returns the mixture of `base` with one example of text to every `suffix.amount` of its own.

    The ratio is that of the rates, so it is exact in expectation, and each example is drawn by
    itself. Eval tasks are as they were.

    Raises:
      DataError: the base does not train, or a ratio of 0.
    """
    name = f"{base.name}{suffix}"
    own = seqio.get_subtasks(base)
    training = [task for task in own if TRAIN in task.splits]
    if suffix.amount < 1:
        raise DataError(f"'{name}' must say to how many examples of the task one of text comes")
    if not training:
        raise DataError(
            f"'{name}' mixes text into training, but '{base.name}' has no train split; name a task "
            f"or mixture that trains"
        )
    text = KINDS[suffix.kind]
    if any(grammar.base_of(task.name).startswith(f"{text.data}.") for task in training):
        raise DataError(f"'{name}' mixes {text.data} into a mixture that trains on it already")
    texts = [find(f"{text.data}.{code}{TRAIN_ONLY}") for code in _languages(own, text.data)]

    def rate_of_own(task: seqio.Task) -> float:
        return base.get_rate(task) if isinstance(base, seqio.Mixture) else 1.0

    def share(task: seqio.Task) -> float:
        return task.num_input_examples(TRAIN) ** text.alpha

    def rate_of_text(task: seqio.Task) -> float:
        whole = sum(map(rate_of_own, training)) / suffix.amount
        return whole * share(task) / sum(map(share, texts))

    return seqio.Mixture(
        name,
        [*((task, rate_of_own) for task in own), *((task, rate_of_text) for task in texts)],
    )


def _languages(tasks: list[seqio.Task], data: str) -> list[str]:
    """Returns the evaluated languages that have such text, or else the study's, in one order."""
    codes = set()
    for task in tasks:
        if TRAIN not in task.splits:
            codes.update(_codes_of(grammar.base_of(task.name)))
    registered = [*seqio.TaskRegistry.names()]
    with_text = {
        name.removeprefix(f"{data}.") for name in registered if name.startswith(f"{data}.")
    }
    chosen = sorted(codes & with_text) or list(languages.STUDY)
    return chosen


def _codes_of(name: str) -> set[str]:
    """Returns the languages that the name of an eval task ends in."""
    return set(name.split(".")[1:])
