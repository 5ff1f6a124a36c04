"""Paraphrase: PAWS-X as a target, QQP as an intermediate task."""

from tasks import formats, languages, metrics
from tasks.definitions.dataset import (
    EVAL,
    TARGET,
    TRAIN,
    TRANSLATED,
    DataSet,
    Part,
    Rows,
    Scores,
    everywhere,
    intermediate,
    same,
)
from tasks.tfds_schemas import PAWSX_LABELS, QQP_LABELS

_STEPS = (formats.paraphrase,)


def _scores(labels: tuple[str, ...], positive: str) -> Scores:
    return Scores(
        names=("accuracy", "macro_f1", "positive_f1", "illegal_label"),
        main="accuracy",
        functions=everywhere(
            metrics.accuracy,
            metrics.macro_f1(labels),
            metrics.positive_f1(positive),
            metrics.illegal_label_rate(labels),
        ),
    )


PAWSX = DataSet(
    name="pawsx",
    title="PAWS-X",
    cited="Yang et al. 2019",
    role=TARGET,
    group="classification",
    parts={
        # Of other languages than English PAWS-X's own machine translations ...
        TRAIN: Part(
            languages.PAWSX, lambda code: Rows(f"paws_x_wiki/{code}:1.0.0", same("train"), _STEPS)
        ),
        # ... and these are XTREME's.
        TRANSLATED: Part(
            tuple(code for code in languages.PAWSX if code != "en"),
            lambda code: Rows(f"xtreme_pawsx/{code}:1.0.0", same("train"), _STEPS),
        ),
        EVAL: Part(
            languages.PAWSX,
            lambda code: Rows(f"paws_x_wiki/{code}:1.0.0", same("validation", "test"), _STEPS),
        ),
    },
    scores=_scores(PAWSX_LABELS, "paraphrase"),
    labels=PAWSX_LABELS,
)

QQP = intermediate(
    "qqp",
    "QQP",
    "Quora 2017, in GLUE (Wang et al. 2019)",
    "glue/qqp:2.0.0",
    (formats.qqp,),
    _scores(QQP_LABELS, "duplicate"),
    labels=QQP_LABELS,
)

DATA_SETS = (PAWSX, QQP)
