"""Numbers as a reader wants them, and names of things."""

from typing import Any

from analysis.correlation import Correlation

TASK_NAMES = {
    "panx": "PANX",
    "pawsx": "PAWS-X",
    "tydiqa": "TyDiQA",
    "xnli": "XNLI",
}
TASK_KINDS = {
    "panx": "named entities",
    "pawsx": "paraphrases",
    "tydiqa": "question answering",
    "xnli": "inference",
}
METRIC_NAMES = {
    "accuracy": "accuracy",
    "em": "exact match",
    "f1": "F1",
    "span_f1": "span F1",
}

_NUMBER_WORDS = "no one two three four five six seven eight nine ten eleven twelve".split()


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
    """Returns a p-value for a sentence, such as 'p = 0.013'."""
    return equal("p", p_number(p))


def equal(symbol: str, value: str) -> str:
    """Returns 'symbol = value', which no line break parts."""
    return f"{symbol}\u00a0=\u00a0{value}"


def p_number(p: float) -> str:
    """Returns a p-value with as many decimals as it needs, two to four.

    >>> p_number(0.0001), p_number(0.0132), p_number(0.42)
    ('0.0001', '0.013', '0.42')
    """
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
