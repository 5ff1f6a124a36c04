"""Extractive question answering: TyDiQA-GoldP, XQuAD, MLQA as targets, SQuAD to train on first."""

import functools
from collections.abc import Callable, Mapping

from tasks import formats, languages, metrics, postprocessors
from tasks.definitions.dataset import (
    EVAL,
    TARGET,
    TRAIN,
    TRANSLATED,
    DataSet,
    MetricFn,
    Part,
    Preprocessor,
    Rows,
    Scores,
    intermediate,
    same,
)

_STEPS = (formats.question_answering,)
_NAMES = ("em", "f1", "not_in_context", "wrong_script")


def _squad_functions(code: str) -> tuple[MetricFn, ...]:
    return (metrics.squad, metrics.not_in_context, metrics.wrong_script_rate(code))


def _squad2_functions(code: str) -> tuple[MetricFn, ...]:
    legal = functools.partial(metrics.not_in_context, legal=(metrics.UNANSWERABLE,))
    return (metrics.squad2, legal, metrics.wrong_script_rate(code))


def _mlqa_functions(language: str) -> tuple[MetricFn, ...]:
    """The answer is in the language of the context, which is named first."""
    code = language.partition(".")[0]
    return (metrics.mlqa(code), metrics.not_in_context, metrics.wrong_script_rate(code))


def _scores(
    functions: Callable[[str], tuple[MetricFn, ...]], names: tuple[str, ...] = _NAMES
) -> Scores:
    return Scores(names=names, main="f1", functions=functions, postprocessor=postprocessors.answers)


def _stored(
    name: str, splits: Mapping[str, str], steps: tuple[Preprocessor, ...] = _STEPS
) -> Callable[[str], Rows]:
    """Returns the rows of a data set that has a config a language; `{}` is its code."""
    return lambda code: Rows(
        name.format(code), {ours: theirs.format(code) for ours, theirs in splits.items()}, steps
    )


def _tydiqa_train(code: str) -> Rows:
    """One train split holds all languages."""
    only = functools.partial(formats.ids_that_begin_with, prefix=languages.TYDIQA_NAMES[code])
    return Rows("tydi_qa/goldp:3.0.0", same("train"), (only, *_STEPS))


TYDIQA = DataSet(
    name="tydiqa",
    title="TyDiQA-GoldP",
    cited="Clark et al. 2020",
    role=TARGET,
    group="qa",
    parts={
        TRAIN: Part(languages.TYDIQA, _tydiqa_train),
        # XTREME's translations of the English training set.
        TRANSLATED: Part(
            tuple(code for code in languages.TYDIQA if code != "en"),
            _stored("tydi_qa/goldp:3.0.0", {"train": "translate-train-{}"}),
        ),
        EVAL: Part(
            languages.TYDIQA, _stored("tydi_qa/goldp:3.0.0", {"validation": "validation-{}"})
        ),
    },
    scores=_scores(_squad_functions),
)

XQUAD = DataSet(
    name="xquad",
    title="XQuAD",
    cited="Artetxe et al. 2020",
    role=TARGET,
    group="qa",
    parts={
        # XTREME's translations of SQuAD 1.1.
        TRANSLATED: Part(
            tuple(code for code in languages.of("xquad") if code != "en"),
            _stored("xquad/{}:3.0.0", {"train": "translate-train"}),
        ),
        EVAL: Part(languages.of("xquad"), _stored("xquad/{}:3.0.0", same("test"))),
    },
    scores=_scores(_squad_functions),
    trained_on="squad1",
)

MLQA = DataSet(
    name="mlqa",
    title="MLQA",
    cited="Lewis et al. 2020",
    role=TARGET,
    group="qa",
    parts={EVAL: Part(languages.of("mlqa"), _stored("mlqa/{}:1.0.0", same("validation", "test")))},
    scores=_scores(_mlqa_functions),
    trained_on="squad1",
)

MLQA_CROSS = DataSet(
    name="mlqa_cross",
    title="MLQA, question and context in two languages",
    cited="Lewis et al. 2020",
    role=TARGET,
    group="",
    parts={
        EVAL: Part(
            tuple(
                f"{context}.{question}"
                for context in languages.of("mlqa")
                for question in languages.of("mlqa")
                if context != question
            ),
            lambda pair: Rows(
                f"mlqa_cross/{pair.replace('.', '-')}:1.0.0", same("validation", "test"), _STEPS
            ),
        )
    },
    scores=_scores(_mlqa_functions),
    trained_on="squad1",
)


SQUAD1 = intermediate(
    "squad1",
    "SQuAD v1.1",
    "Rajpurkar et al. 2016",
    "squad/v1.1:3.0.0",
    _STEPS,
    _scores(_squad_functions),
)
SQUAD2 = intermediate(
    "squad2",
    "SQuAD v2.0",
    "Rajpurkar et al. 2018",
    "squad/v2.0:3.0.0",
    _STEPS,
    _scores(
        _squad2_functions,
        (
            *("em", "f1", "HasAns_em", "HasAns_f1", "NoAns_em", "NoAns_f1"),
            *("not_in_context", "wrong_script"),
        ),
    ),
)

DATA_SETS = (TYDIQA, XQUAD, MLQA, MLQA_CROSS, SQUAD1, SQUAD2)
