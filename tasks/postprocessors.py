"""From decoded texts to what the metrics compare. SeqIO calls these for gold and predictions."""

from collections.abc import Mapping
from typing import Any


def stripped(text: str, **unused: Any) -> str:
    """The text without white space at its ends, which a tokenizer may add."""
    return text.strip()


def answers(
    text: str, example: Mapping[str, Any] | None = None, is_target: bool = False, **unused: Any
) -> str | list[str]:
    """The predicted answer; for the gold side all gold answers of the example."""
    if not is_target or example is None:
        return text
    return [gold.decode("utf-8") for gold in example["answers"]]
