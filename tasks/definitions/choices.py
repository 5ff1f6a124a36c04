"""Multiple choice: XCOPA as a target; HellaSwag, Cosmos QA, CommonsenseQA as intermediate tasks."""

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
from tasks.tfds_schemas import XCOPA_LABELS


def scores(labels: tuple[str, ...]) -> Scores:
    """Returns the scores of a target that is one of a few labels of equal standing."""
    return Scores(
        names=("accuracy", "illegal_label"),
        main="accuracy",
        functions=everywhere(metrics.accuracy, metrics.illegal_label_rate(labels)),
    )


def _xcopa_eval(code: str) -> Rows:
    """English is COPA, whose test set was published without labels."""
    splits = same("validation") if code == "en" else same("validation", "test")
    return Rows(f"xcopa/{code}:1.0.0", splits, (formats.copa,))


XCOPA = DataSet(
    name="xcopa",
    title="XCOPA",
    cited="Ponti et al. 2020",
    role=TARGET,
    group="classification",
    parts={
        TRAIN: Part(("en",), lambda code: Rows("xcopa/en:1.0.0", same("train"), (formats.copa,))),
        EVAL: Part(languages.of("xcopa"), _xcopa_eval),
    },
    scores=scores(XCOPA_LABELS),
    labels=XCOPA_LABELS,
)


def _numbered(
    name: str, title: str, cited: str, stored: str, preprocessor: Preprocessor, choices: int
) -> DataSet:
    """An English data set whose target is the number of the right choice."""
    labels = tuple(str(number) for number in range(1, choices + 1))
    return intermediate(name, title, cited, stored, (preprocessor,), scores(labels), labels=labels)


DATA_SETS = (
    XCOPA,
    _numbered(
        "hellaswag",
        "HellaSwag",
        "Zellers et al. 2019",
        "hellaswag:1.1.0",
        formats.hellaswag,
        choices=4,
    ),
    _numbered(
        "cosmosqa",
        "Cosmos QA",
        "Huang et al. 2019",
        "cosmos_qa:1.0.0",
        formats.cosmosqa,
        choices=4,
    ),
    _numbered(
        "csqa",
        "CommonsenseQA",
        "Talmor et al. 2019",
        "commonsense_qa:1.11.0",
        formats.csqa,
        choices=5,
    ),
)
