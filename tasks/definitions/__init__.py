"""The declarative table of data sets: one module for each kind of task, one entry a data set."""

from tasks.definitions import (
    adversarial,
    choices,
    inference,
    paraphrase,
    questions,
    retrieval,
    tagging,
)
from tasks.definitions.dataset import DataSet

# By name, targets before intermediate before adversarial data sets.
DATA_SETS: dict[str, DataSet] = {
    one.name: one
    for role in ("target", "intermediate", "adversarial")
    for module in (inference, tagging, questions, paraphrase, choices, retrieval, adversarial)
    for one in module.DATA_SETS
    if one.role == role
}
