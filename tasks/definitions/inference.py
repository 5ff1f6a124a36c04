"""Natural language inference: XNLI as a target, MNLI, SNLI and ANLI as intermediate tasks."""

import functools

from tasks import formats, languages, metrics
from tasks.definitions.dataset import (
    EVAL,
    TARGET,
    TRAIN,
    DataSet,
    Part,
    Preprocessor,
    Rows,
    Scores,
    everywhere,
    intermediate,
    same,
)

LABELS = ("0", "1", "2")  # entailment, neutral, contradiction

SCORES = Scores(
    names=("accuracy", "macro_f1", "illegal_label"),
    main="accuracy",
    functions=everywhere(
        metrics.accuracy, metrics.macro_f1(LABELS), metrics.illegal_label_rate(LABELS)
    ),
)


def _xnli_train(code: str) -> Rows:
    """MNLI; in other languages than English XTREME's machine translations of it."""
    if code == "en":
        return Rows("multi_nli:1.1.0", same("train"), (formats.nli,))
    return Rows("xtreme_xnli:1.1.0", same("train"), (_only(code), formats.nli))


def _xnli_eval(code: str) -> Rows:
    return Rows("xnli:1.1.0", same("validation", "test"), (_only(code), formats.nli))


def _only(code: str) -> Preprocessor:
    return functools.partial(formats.one_language, language=code)


XNLI = DataSet(
    name="xnli",
    title="XNLI",
    cited="Conneau et al. 2018",
    role=TARGET,
    group="classification",
    parts={
        TRAIN: Part(languages.XNLI, _xnli_train),
        EVAL: Part(languages.XNLI, _xnli_eval),
    },
    scores=SCORES,
    labels=LABELS,
)


def _intermediate(
    name: str,
    title: str,
    cited: str,
    stored: str,
    preprocessor: Preprocessor,
    held_out: dict[str, str],
) -> DataSet:
    """An English data set of inference, to train on before a target task."""
    steps = (preprocessor,)
    return intermediate(name, title, cited, stored, steps, SCORES, held_out, LABELS)


MNLI = _intermediate(
    "mnli",
    "MNLI",
    "Williams et al. 2018",
    "multi_nli:1.1.0",
    formats.intermediate_nli,
    {
        "validation": "validation_matched",
        "validation_mismatched": "validation_mismatched",
    },
)
SNLI = _intermediate(
    "snli",
    "SNLI",
    "Bowman et al. 2015",
    "snli:1.1.0",
    formats.intermediate_nli,
    same("validation", "test"),
)
ANLI = tuple(
    _intermediate(
        f"anli_r{number}",
        f"ANLI, round {number}",
        "Nie et al. 2020",
        f"anli/r{number}:0.1.0",
        formats.anli,
        same("validation", "test"),
    )
    for number in (1, 2, 3)
)

DATA_SETS = (XNLI, MNLI, SNLI, *ANLI)
