"""Mixtures made for a number of source languages, and of a source with a few target examples.

What a data set has is read from SeqIO's registry, so that the user's own data sets count. The
tasks of the mixture `{data}_eval` are evaluated. A language is trained on by the task
`{data}_train.{language}`, or else by the one train task of `{data}_zeroshot.{language}` (XQuAD's
and MLQA's English is SQuAD), or else by its task in `{data}_translate_train`.

Rates are numbers of training examples: every example is drawn as often as every other, as if the
languages had been written into one file. Ten examples of a target language beside 20,000 of the
source are one in 2,001 of a batch's, then.
"""

from collections.abc import Callable, Iterable

import seqio

from tasks import languages
from tasks.by_name import text_stage
from tasks.by_name.grammar import CUT, Chosen, FewShot, Sources, Suffix
from tasks.errors import DataError, nearest

# The number that a misspelt few-shot name is offered with.
_EXAMPLE = Suffix(CUT, 100)

Find = Callable[[str], seqio.Task]


def trained(data: str) -> dict[str, str]:
    """Returns the name of the train task of each language that has one, as they were registered."""
    begins = f"{data}_train."
    tasks = [*seqio.TaskRegistry.names()]
    found = {name.removeprefix(begins): name for name in tasks if name.startswith(begins)}
    mixtures = [*seqio.MixtureRegistry.names()]
    begins = f"{data}_zeroshot."
    for mixture in (name for name in mixtures if name.startswith(begins)):
        if len(training := _training(mixture)) == 1:
            found.setdefault(mixture.removeprefix(begins), training[0])
    if f"{data}_translate_train" in mixtures:
        for name in _training(f"{data}_translate_train"):
            found.setdefault(name.rpartition(".")[2], name)
    return found


def several(name: str, asked: Sources, find: Find) -> seqio.Mixture:
    """Returns the mixture that trains on the first `count` languages and evaluates all."""
    codes = _trained(asked.data)
    if asked.order not in languages.ORDERS:
        near = nearest(asked.order, languages.ORDERS)
        raise DataError(
            f"there is no order '{asked.order}' of languages, as in '{name}'{near}; known are "
            f"{', '.join(languages.ORDERS)}"
        )
    if not 1 <= asked.count <= len(codes):
        raise DataError(
            f"expected 1 to {len(codes)} source languages of {asked.data}, got '{name}'; did you "
            f"mean {asked.data}_sources.{asked.order}.{len(codes)}?"
        )
    if f"{asked.data}_sources.{asked.order}.{asked.count}" != name:
        raise DataError(f"the number of languages in '{name}' is written {asked.count}")
    first = languages.order(codes, by=asked.order)[: asked.count]
    return _mixture(name, asked.data, [find(codes[code]) for code in first])


def chosen(name: str, asked: Chosen, find: Find) -> seqio.Mixture:
    """Returns the mixture that trains on the named languages and evaluates all."""
    codes = _trained(asked.data)
    for code in asked.languages:
        _check_trained(name, asked.data, code, codes)
        if asked.languages.count(code) > 1:
            raise DataError(f"'{name}' names the language '{code}' twice")
    return _mixture(name, asked.data, [find(codes[code]) for code in asked.languages])


def few_shot(name: str, asked: FewShot, suffix: Suffix, find: Find) -> seqio.Mixture:
    """Returns the mixture of a full source and `suffix.amount` examples of a target."""
    check_few_shot(name, asked)
    source, target = (trained(asked.data)[code] for code in (asked.source, asked.target))
    return _mixture(name, asked.data, [find(source), find(f"{target}{suffix}")])


def check_few_shot(name: str, asked: FewShot) -> None:
    """Raises a DataError where the data set, or a language of it, is not there."""
    codes = _trained(asked.data)
    for code in (asked.source, asked.target):
        _check_trained(name, asked.data, code, codes)
    if asked.source == asked.target:
        raise DataError(
            f"'{name}' names '{asked.source}' as source and as target; did you mean "
            f"{asked.data}_zeroshot.{asked.source}{_EXAMPLE}?"
        )
    if name == f"{asked.data}_fewshot.{asked.source}.{asked.target}":
        raise DataError(
            f"'{name}' must say how many examples of '{asked.target}'; did you mean "
            f"{name}{_EXAMPLE}?"
        )


def _trained(data: str) -> dict[str, str]:
    codes = trained(data)
    if not codes:
        mixtures = (name.partition(".")[0] for name in [*seqio.MixtureRegistry.names()])
        names = dict.fromkeys(m.removesuffix("_eval") for m in mixtures if m.endswith("_eval"))
        known = list(filter(trained, names))
        near = nearest(data, known) or f"; there are {' '.join(known)}"
        raise DataError(f"there is no data set '{data}' with train tasks{near}")
    return codes


def _check_trained(name: str, data: str, code: str, codes: Iterable[str]) -> None:
    if code not in codes:
        raise DataError(
            f"'{name}' names the language '{code}', but {data} trains on "
            f"{' '.join(codes)}{nearest(code, codes)}"
        )


def _mixture(name: str, data: str, training: Iterable[seqio.Task]) -> seqio.Mixture:
    evaluated = f"{data}_eval"
    if evaluated not in seqio.MixtureRegistry.names():
        raise DataError(
            f"'{name}' evaluates the mixture '{evaluated}', which is not registered; register the "
            f"eval tasks under that name"
        )
    tasks = [(task, text_stage.count) for task in training]
    # Read only where a split is evaluated, which mixes nothing.
    return seqio.Mixture(name, [*tasks, (seqio.MixtureRegistry.get(evaluated), 1.0)])


def _training(mixture: str) -> list[str]:
    """Returns the names of the tasks that a mixture trains on."""
    tasks = seqio.MixtureRegistry.get(mixture).tasks
    return [task.name for task in tasks if text_stage.TRAIN in task.splits]
