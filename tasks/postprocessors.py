"""From decoded texts to what the metrics compare. SeqIO calls these for gold and predictions."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

# Zero-width spaces, joiners and marks, and the byte-order mark.
_WITHOUT_WIDTH = re.compile("[\u200b-\u200f\ufeff]")


def stripped(text: str, **unused: Any) -> str:
    """The text without white space at its ends, which a tokenizer may add."""
    return text.strip()


def comparable(text: str, **unused: Any) -> str:
    """The text as mT5's vocabulary can say it, whichever vocabulary was chosen.

    mT5's SentencePiece model reads text in NFKC and zero-width joiners as spaces, so a model with
    that vocabulary can never write 'km²' or a joiner. Compared as they stand, its own gold targets
    would score 89.7 span F1 on PANX's Swahili dev set and 95.7 on the Bengali one, and the byte
    vocabulary's 100. So gold and prediction are both compared in this form.
    """
    return " ".join(_WITHOUT_WIDTH.sub(" ", unicodedata.normalize("NFKC", text)).split())


def answers(
    text: str, example: Mapping[str, Any] | None = None, is_target: bool = False, **unused: Any
) -> str | list[str]:
    """The predicted answer; for the gold side all gold answers of the example. Comparable."""
    if not is_target or example is None:
        return comparable(text)
    return [comparable(gold.decode("utf-8")) for gold in example["answers"]]
