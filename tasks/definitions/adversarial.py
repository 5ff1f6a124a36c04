"""AdvGLUE: English sentences of GLUE, changed so that models err. Evaluation only."""

import functools

from tasks import formats
from tasks.definitions import choices, inference
from tasks.definitions.dataset import (
    ADVERSARIAL,
    EVAL,
    DataSet,
    Part,
    Rows,
    same,
)
from tasks.tfds_schemas import QQP_LABELS

# Our name to (config of advglue, its labels).
_PARTS = {
    "sst2": ("sst2", formats.SST2_LABELS),
    "qqp": ("qqp", QQP_LABELS),
    "mnli": ("mnli", inference.LABELS),
    "mnli_mm": ("mnli_mismatched", inference.LABELS),
    "qnli": ("qnli", formats.ENTAILMENT_LABELS),
    "rte": ("rte", formats.ENTAILMENT_LABELS),
}


def _data_set(name: str, config: str, labels: tuple[str, ...]) -> DataSet:
    steps = (functools.partial(formats.advglue, task=config),)
    return DataSet(
        name=f"advglue_{name}",
        title=f"AdvGLUE, {config}",
        cited="Wang et al. 2021",
        role=ADVERSARIAL,
        group="",
        parts={
            EVAL: Part(
                ("en",), lambda code: Rows(f"advglue/{config}:1.0.0", same("validation"), steps)
            )
        },
        scores=choices.scores(labels),
        labels=labels,
    )


DATA_SETS = tuple(_data_set(name, config, labels) for name, (config, labels) in _PARTS.items())
