"""The mixtures of the catalogue: what is trained on together, how often, and evaluated beside it.

    {data}_eval                        the eval tasks of all languages
    {data}_zeroshot.{source}           trained on one language, evaluated in all; {data}_zeroshot is
                                       that of English
    {data}_in_language                 trained on the human-made training rows of all languages
    {data}_translate_train             trained on English and on its machine translations
    pawsx_translate_train_original     the same with PAWS-X's own translations, not XTREME's
    panx_zeroshot_xtreme               PANX in XTREME's forty languages, where panx_zeroshot
    panx_eval_xtreme                   evaluates the study's ten
    mnli, qqp, squad1, …               one intermediate task: its train and eval tasks
    anli, anli_plus                    the three rounds of ANLI; ANLI, MNLI and SNLI together;
                                       anli_plus_train.en and anli_plus_eval.en are its halves
    intermediate_nine.{rates}          the nine intermediate tasks of Phang et al. 2020 at once
    mc4_span_corruption                text of the study's ten languages, at mT5's rates
    mc4_no_sentinels                   the same without sentinels, nearer to equal shares

Languages stand side by side with equal shares where their rows are translations of one another, and
by their number of examples where each has its own.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import seqio

from tasks import catalogue, languages
from tasks.definitions import DATA_SETS
from tasks.definitions.dataset import EVAL, INTERMEDIATE, TRAIN, TRANSLATED, DataSet

# mT5's exponent of the number of examples when languages are mixed (Xue et al. 2021) ...
SAMPLING_ALPHA = 0.3
# ... and where text is mixed into fine-tuning against accidental translation (section 4.2).
NO_SENTINELS_ALPHA = 0.1

# P2's nine (Phang et al. 2020, table 1), each by the data sets that it is made of.
ANLI = ("anli_r1", "anli_r2", "anli_r3")
NINE: dict[str, tuple[str, ...]] = {
    "anli_plus": (*ANLI, "mnli", "snli"),
    "mnli": ("mnli",),
    "qqp": ("qqp",),
    "squad2": ("squad2",),
    "squad1": ("squad1",),
    "hellaswag": ("hellaswag",),
    "ccg": ("ccg",),
    "cosmosqa": ("cosmosqa",),
    "csqa": ("csqa",),
}
# T5's artificial data set size limit (Raffel et al. 2020, section 3.5.2) and its temperature.
EXAMPLES_CAP = 2**16
TEMPERATURE = 2.0

# How often one of the nine is drawn, from its number of examples.
NINE_RATES: dict[str, Callable[[float], float]] = {
    "examples": lambda count: count,
    "capped": lambda count: min(count, EXAMPLES_CAP),
    "tempered": lambda count: count ** (1 / TEMPERATURE),
}

# Data sets whose languages have training rows of their own.
_IN_LANGUAGE = ("panx", "udpos", "tydiqa")


def register() -> None:
    """Adds all mixtures; once a process, after the tasks."""
    for data_set in DATA_SETS.values():
        _add(f"{data_set.name}_eval", _tasks(data_set.name, EVAL, data_set.evaluated))
        if data_set.role == INTERMEDIATE:
            halves = (catalogue.task(data_set.name, kind, "en") for kind in (TRAIN, EVAL))
            _add(data_set.name, halves)
        else:
            _register_zeroshot(data_set, f"{data_set.name}_zeroshot", data_set.evaluated)
            _register_translated(data_set)
    panx = DATA_SETS["panx"]
    _add("panx_eval_xtreme", _tasks("panx", EVAL, languages.PANX))
    _register_zeroshot(panx, "panx_zeroshot_xtreme", languages.PANX)
    for name in _IN_LANGUAGE:
        _register_in_language(DATA_SETS[name])
    # In other languages than English, the train rows of XNLI and PAWS-X are translations.
    _register_together("xnli_translate_train", DATA_SETS["xnli"])
    _register_together("pawsx_translate_train_original", DATA_SETS["pawsx"])
    for name, parts in (("anli", ANLI), ("anli_plus", NINE["anli_plus"])):
        training, held_out = (
            [catalogue.task(part, kind, "en") for part in parts] for kind in (TRAIN, EVAL)
        )
        _add(f"{name}_{TRAIN}.en", _by_size(training))
        _add(f"{name}_{EVAL}.en", held_out)
        _add(name, [*_by_size(training), *held_out])
    for rates in NINE_RATES:
        _register_nine(rates)
    for text, alpha in (
        (catalogue.SPAN_CORRUPTION, SAMPLING_ALPHA),
        (catalogue.NO_SENTINELS, NO_SENTINELS_ALPHA),
    ):
        _add(text, [f"{text}.{code}" for code in languages.STUDY], tempered(alpha))


def tempered(alpha: float) -> Callable[[seqio.Task], float]:
    """Returns a SeqIO rate: the number of training examples to the power of `alpha`."""
    return functools.partial(seqio.mixing_rate_num_examples, temperature=1 / alpha)


def evaluation_tasks(data_set: DataSet, evaluated: Iterable[str] | None = None) -> list[str]:
    """Returns the eval tasks of a data set's mixtures.

    Where it is trained on another data set, that one's eval tasks come first: they hold out the
    rows by which a checkpoint is chosen without looking at the target.
    """
    codes = data_set.evaluated if evaluated is None else tuple(evaluated)
    own = _tasks(data_set.name, EVAL, codes)
    if data_set.trained_on == data_set.name:
        return own
    return [*_tasks(data_set.trained_on, EVAL, ("en",)), *own]


def _add(name: str, tasks: Iterable[Any], rate: Any = 1.0) -> None:
    """Adds a mixture; `rate` is that of the tasks without one of their own."""
    seqio.MixtureRegistry.add(name, list(tasks), default_rate=rate)


def _by_size(training: Iterable[str]) -> list[tuple[str, Callable[[seqio.Task], float]]]:
    """Train tasks, each drawn by its number of examples."""
    return [(task, seqio.mixing_rate_num_examples) for task in training]


def _tasks(data: str, kind: str, codes: Iterable[str]) -> list[str]:
    return [catalogue.task(data, kind, code) for code in codes]


def _register_zeroshot(data_set: DataSet, name: str, evaluated: Iterable[str]) -> None:
    """Adds the mixture of every source language, and the one without a name, of English."""
    sources = DATA_SETS[data_set.trained_on].languages_of(TRAIN)
    held_out = evaluation_tasks(data_set, evaluated)
    for code in sources:
        _add(f"{name}.{code}", [catalogue.train_task(data_set.name, code), *held_out])
    if "en" in sources:
        _add(name, [catalogue.train_task(data_set.name, "en"), *held_out])


def _register_in_language(data_set: DataSet) -> None:
    """Trains on the rows of every evaluated language that has some, as many as there are."""
    having = data_set.languages_of(TRAIN)
    training = _tasks(data_set.name, TRAIN, (c for c in data_set.evaluated if c in having))
    _add(f"{data_set.name}_in_language", [*_by_size(training), *evaluation_tasks(data_set)])


def _register_translated(data_set: DataSet) -> None:
    """Trains on English and its translations; MLQA on SQuAD's, which XQuAD's builder holds."""
    holder = DATA_SETS["xquad"] if data_set.name == "mlqa" else data_set
    codes = [c for c in holder.languages_of(TRANSLATED) if c in data_set.evaluated]
    if codes:
        training = [
            catalogue.train_task(data_set.name, "en"),
            *_tasks(holder.name, TRANSLATED, codes),
        ]
        _add(f"{data_set.name}_translate_train", [*training, *evaluation_tasks(data_set)])


def _register_together(name: str, data_set: DataSet) -> None:
    """Trains on the train tasks of all evaluated languages with equal shares."""
    training = _tasks(data_set.name, TRAIN, data_set.evaluated)
    _add(name, [*training, *evaluation_tasks(data_set)])


def _register_nine(rates: str) -> None:
    """All nine at once; MNLI counts twice, as a task of its own and as a part of ANLI+."""
    parts = dict.fromkeys(part for parts in NINE.values() for part in parts)
    training = [
        (catalogue.train_task(part, "en"), functools.partial(_nine_rate, rates=rates, part=part))
        for part in parts
    ]
    held_out = [catalogue.eval_task(part, "en") for part in parts]
    _add(f"intermediate_nine.{rates}", [*training, *held_out])


def _nine_rate(task: seqio.Task, rates: str, part: str) -> float:
    """The share of one data set: of every one of the nine that it is in, by its part of it."""
    sizes = {name: _num_train_examples(name) for parts in _having(part).values() for name in parts}
    total = 0.0
    for parts in _having(part).values():
        whole = sum(sizes[name] for name in parts)
        total += NINE_RATES[rates](whole) * sizes[part] / whole
    return total


def _having(part: str) -> Mapping[str, tuple[str, ...]]:
    return {name: parts for name, parts in NINE.items() if part in parts}


@functools.cache
def _train_task_of(part: str) -> seqio.Task:
    return seqio.TaskRegistry.get(catalogue.train_task(part, "en"))


def _num_train_examples(part: str) -> int:
    return _train_task_of(part).num_input_examples("train")
