"""LM statistics read back from result rows: how well the pretrained model knows each language."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from analysis.transfer import LM_TASK
from mt5x.studies.results import ResultRow

LM_METRICS = {
    "lm_nll": ("LM(L)", "nats per target token, lower is better"),
    "lm_perplexity": ("Perplexity", "of a target token, lower is better"),
    "lm_nll_per_char": ("LM(L) per character", "nats per character of the hidden text"),
    "lm_nll_per_byte": ("LM(L) per byte", "nats per UTF-8 byte of the hidden text"),
    "lm_em": ("LM_EM(L), whole sequence", "percent"),
    "lm_token_em": ("LM_EM(L), per token", "percent"),
    "lm_teacher_forced_em": ("LM_EM(L), per token, teacher-forced", "percent"),
    "lm_tokens": ("Target tokens", "measured"),
    "lm_characters": ("Characters", "hidden"),
    "lm_bytes": ("Bytes", "hidden"),
    "lm_documents": ("Documents", "measured"),
}
"""Metric -> (name, unit). The product form of LM_EM is the primary one."""

DRAWN = ("lm_nll", "lm_nll_per_byte", "lm_em", "lm_token_em")
"""What the page draws; its table has those and the other ways of telling LM(L)."""
SHOWN = ("lm_nll", "lm_perplexity", "lm_nll_per_char", *DRAWN[1:], "lm_tokens")
_WHOLE = ("lm_tokens", "lm_characters", "lm_bytes", "lm_documents")


def digits(metric: str) -> int:
    """How many decimals a statistic is told with."""
    if metric in _WHOLE:
        return 0
    return 3 if metric.startswith("lm_nll") else 1


@dataclasses.dataclass(frozen=True)
class LmNumber:
    """One statistic of one language: mean over seeds, sample standard deviation, seeds, sequences.

    `spread` is None for a single seed, which may have the interval from `low` to `high` instead.
    """

    mean: float
    spread: float | None
    seeds: int
    num_examples: int
    low: float | None = None
    high: float | None = None


def lm_numbers(rows: Iterable[ResultRow]) -> dict[str, dict[str, LmNumber]]:
    """Returns metric -> language -> number, of each seed's last step."""
    last: dict[tuple[str, str, int], ResultRow] = {}
    for row in rows:
        if row.task == LM_TASK and row.source is None and row.metric in LM_METRICS:
            key = (row.metric, row.target, row.seed)
            if key not in last or row.step >= last[key].step:
                last[key] = row
    grouped: dict[str, dict[str, list[ResultRow]]] = defaultdict(lambda: defaultdict(list))
    for (metric, language, _), row in last.items():
        grouped[metric][language].append(row)
    return {
        metric: {language: _number(grouped[metric][language]) for language in grouped[metric]}
        for metric in LM_METRICS
        if metric in grouped
    }


def _number(rows: list[ResultRow]) -> LmNumber:
    values = [row.value for row in rows]
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    ends = (rows[0].low, rows[0].high) if len(rows) == 1 else (None, None)
    return LmNumber(float(np.mean(values)), spread, len(rows), rows[-1].num_examples, *ends)
