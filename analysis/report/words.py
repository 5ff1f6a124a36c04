"""Numbers as a reader wants them, and names of things."""

from typing import Any

from analysis.correlation import Correlation
from tasks.definitions import DATA_SETS
from tasks.definitions.dataset import ADVERSARIAL

# Where a data set's title is too long for a figure.
_SHORTER = {"tydiqa": "TyDiQA", "mlqa_cross": "MLQA across languages"}
_KINDS = {
    "named entities": ("panx",),
    "parts of speech": ("udpos",),
    "supertags": ("ccg",),
    "inference": ("xnli", "mnli", "snli", "anli_r1", "anli_r2", "anli_r3"),
    "paraphrases": ("pawsx", "qqp"),
    "question answering": ("tydiqa", "xquad", "mlqa", "mlqa_cross", "squad1", "squad2"),
    "multiple choice": ("xcopa", "hellaswag", "cosmosqa", "csqa"),
    "finding translations": ("tatoeba", "bucc"),
    "adversarial inputs": tuple(name for name, one in DATA_SETS.items() if one.role == ADVERSARIAL),
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}
_METRICS = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "positive_f1": "F1 of the positive class",
    "span_f1": "span F1",
    "em": "exact match",
    "f1": "F1",
    "HasAns_em": "exact match, answerable",
    "HasAns_f1": "F1, answerable",
    "NoAns_em": "exact match, unanswerable",
    "NoAns_f1": "F1, unanswerable",
    "tag_accuracy": "tag accuracy",
    "tag_macro_f1": "macro F1 of tags",
    "chunk_f1": "chunk F1",
    "retrieval_accuracy": "retrieval accuracy, to English",
    "retrieval_accuracy_to_source": "retrieval accuracy, from English",
    "mining_f1": "mining F1",
    "mining_precision": "mining precision",
    "mining_recall": "mining recall",
    "mining_f1_cosine": "mining F1 by cosine",
    "mining_precision_cosine": "mining precision by cosine",
    "mining_recall_cosine": "mining recall by cosine",
    "illegal_label": "illegal labels",
    "not_in_context": "answers not in the context",
    "wrong_script": "answers in another script",
    "wrong_length": "wrong numbers of tags",
}

_NUMBER_WORDS = "no one two three four five six seven eight nine ten eleven twelve".split()


def task_name(task: str) -> str:
    """Returns the name of a data set, or what it is called in the results where it is not ours."""
    if task in _SHORTER or task not in DATA_SETS:
        return _SHORTER.get(task, task)
    return DATA_SETS[task].title


def task_kind(task: str) -> str:
    """Returns what a data set asks for, or '' where it is not ours."""
    return _KIND_OF.get(task, "")


def metric_name(metric: str) -> str:
    """Returns a score's name, or what it is called in the results where it is not ours."""
    return _METRICS.get(metric, metric)


def plain(cell: Any, digits: int = 1) -> str:
    """Returns a table cell as text: a real number with `digits` decimals, None as a dash."""
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return decimal(cell, digits) if isinstance(cell, float) else str(cell)


def decimal(value: float, digits: int = 1) -> str:
    """Returns a number with `digits` decimals and a real minus sign; never '−0.0'.

    >>> decimal(-3.14159), decimal(-0.001)
    ('−3.1', '0.0')
    """
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def p_value(p: float) -> str:
    """Returns a p-value for a sentence, such as 'p = 0.013' or 'p < 0.0001'."""
    number = p_number(p)
    return f"p\u00a0<\u00a0{number[1:]}" if number.startswith("<") else equal("p", number)


def equal(symbol: str, value: str) -> str:
    """Returns 'symbol = value', which no line break parts."""
    return f"{symbol}\u00a0=\u00a0{value}"


def p_number(p: float) -> str:
    """Returns a p-value with as many decimals as it needs, two to four.

    >>> p_number(0.0001), p_number(0.0132), p_number(0.42), p_number(3e-7)
    ('0.0001', '0.013', '0.42', '<0.0001')
    """
    if p < 0.00005:
        return "<0.0001"
    if p >= 0.1:
        return f"{p:.2f}"
    if p >= 0.01:
        return f"{p:.3f}"
    return f"{p:.4f}"


def count(number: int, singular: str, plural: str | None = None) -> str:
    """Returns a count in words up to twelve, with its noun.

    >>> count(1, 'language'), count(90, 'pair'), count(0, 'study', 'studies')
    ('one language', '90 pairs', 'no studies')
    """
    noun = singular if number == 1 else (plural or f"{singular}s")
    word = _NUMBER_WORDS[number] if number < len(_NUMBER_WORDS) else f"{number:,}"
    return f"{word} {noun}"


def listing(items: list[str]) -> str:
    """Returns 'a', 'a and b' or 'a, b and c'."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def sentence(text: str) -> str:
    """Returns the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def evidence(c: Correlation) -> str:
    """Returns r, its interval, p and the number of pairs, for the end of a sentence."""
    assert c.r is not None
    assert c.p is not None
    parts = [equal("r", decimal(c.r, 2))]
    if c.low is not None and c.high is not None:
        parts.append(f"95% interval {decimal(c.low, 2)} to {decimal(c.high, 2)}")
    parts += [p_value(c.p), count(c.pairs, "pair").replace(" ", "\u00a0")]
    return ", ".join(parts)
