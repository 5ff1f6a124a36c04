"""What a row of the result table must be; a table with a row that is not is refused, by line.

A number that cannot be, a score told twice and scores in two units would go into every average
without a trace.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mt5x.errors import UserError, nearest

# Figures that are not in percent: the least that each can be, and their unit.
OTHER_UNITS: Mapping[str, tuple[float, str]] = {
    **dict.fromkeys(("lm_nll", "lm_nll_per_char", "lm_nll_per_byte"), (0.0, "nats")),
    "lm_perplexity": (1.0, "tokens"),
    "lm_tokens": (0.0, "tokens"),
    "lm_characters": (0.0, "characters"),
    "lm_bytes": (0.0, "bytes"),
    "lm_documents": (0.0, "documents"),
}

_TEXTS = ("study", "stage", "task", "target", "split", "metric", "selection")
_COUNTS = ("seed", "num_examples", "step")
_TEXTS_OR_NONE = ("model", "intermediate", "intermediate_language", "perturbation")
_COUNTS_OR_NONE = ("intermediate_size", "source_size", "shots", "strength")
_KEY = ("study", "stage", "seed", "task", "source", "target", "split", "metric", "step",
        "selection", "condition")  # fmt: skip


def check_fields(found: Any, fields: Sequence[dataclasses.Field[Any]], where: str) -> None:
    """Refuses what cannot be one row.

    Args:
      found: what JSON gave.
      fields: of the row's class.
      where: file and line, for the message.

    Raises:
      UserError: it is no object, has other fields, a field of another type, or an impossible value.
    """
    if not isinstance(found, dict):
        raise UserError(f"{where}: not a result row (expected a JSON object)")
    names = [field.name for field in fields]
    for name in found:
        if name not in names:
            raise UserError(f"{where}: unknown field {name!r}{nearest(name, names)}")
    for field in fields:
        needed = field.default is field.default_factory is dataclasses.MISSING
        if needed and field.name not in found:
            raise UserError(f"{where}: not a result row (it lacks {field.name})")
    for name in _TEXTS:
        if name in found and (not isinstance(found[name], str) or not found[name]):
            raise UserError(f"{where}: {name} must be a text, not {found[name]!r}")
    for name in _COUNTS:
        if not _is_whole(found[name]) or found[name] < 0:
            raise UserError(f"{where}: {name} must be a whole number from 0 on, not {found[name]}")
    for name in _TEXTS_OR_NONE:
        value = found.get(name)
        if value is not None and (not isinstance(value, str) or not value):
            raise UserError(f"{where}: {name} must be a text or null, not {value!r}")
    for name in _COUNTS_OR_NONE:
        value = found.get(name)
        if value is not None and (not _is_whole(value) or value < 0):
            raise UserError(f"{where}: {name} must be a whole number from 0 on, not {value!r}")
    source = found["source"]
    if source is not None and (not isinstance(source, str) or not source):
        raise UserError(f"{where}: source must be a language or null, not {source!r}")
    _check_value(found["metric"], found["value"], where)
    for name in ("low", "high"):
        if found.get(name) is not None:
            _check_value(f"{name} of {found['metric']}", found[name], where, found["metric"])
    if (found.get("low") is None) != (found.get("high") is None):
        raise UserError(f"{where}: an interval has two ends, low and high")
    if found.get("low") is not None and found["low"] > found["high"]:
        raise UserError(f"{where}: low is {found['low']}, above high, {found['high']}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_value(name: str, value: Any, where: str, metric: str | None = None) -> None:
    metric = metric or name
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{where}: {name} is {value!r}, which is no number")
    if metric in OTHER_UNITS:
        least, unit = OTHER_UNITS[metric]
        if value < least:
            raise UserError(f"{where}: {name} is {value}, and cannot be below {least:g} {unit}")
    # A mean of floats may be off by a rounding error.
    elif not -1e-6 <= value <= 100 + 1e-6:
        raise UserError(f"{where}: {name} is {value}, and a score is in percent, from 0 to 100")


def check_together(rows: Sequence[Any], places: Sequence[str]) -> None:
    """Refuses rows that contradict each other.

    Args:
      rows: the rows, of one table or of several.
      places: where each is from, for the message.

    Raises:
      UserError: two rows tell the same score, or one study gives a metric in percent and another
        as a fraction.
    """
    first: dict[tuple[Any, ...], int] = {}
    for number, row in enumerate(rows):
        key = tuple(getattr(row, name) for name in _KEY)
        if key in first:
            other = rows[first[key]]
            again = "again" if other.value == row.value else f"as {other.value} and as {row.value}"
            raise UserError(
                f"{places[number]}: {row.task} {row.metric} from {row.source} to {row.target}, "
                f"seed {row.seed}, of the stage {row.stage} is told {again}; the first time in "
                f"{places[first[key]]}"
            )
        first[key] = number
    for task, metric, fraction, percent in _mixed(rows):
        raise UserError(
            f"{places[fraction]}: all of the study {rows[fraction].study} gives {task} {metric} as "
            f"fractions, and {places[percent]} in percent: write all scores in percent"
        )


def _mixed(rows: Sequence[Any]) -> Iterator[tuple[str, str, int, int]]:
    """Yields (task, metric, a row with a fraction, a row in percent) of studies that disagree."""
    largest: dict[tuple[str, str], dict[str, int]] = {}
    for number, row in enumerate(rows):
        if row.metric in OTHER_UNITS or row.source is None:
            continue
        studies = largest.setdefault((row.task, row.metric), {})
        if row.study not in studies or row.value > rows[studies[row.study]].value:
            studies[row.study] = number
    for (task, metric), studies in largest.items():
        fractions = [n for n in studies.values() if 0 < rows[n].value <= 1]
        percents = [n for n in studies.values() if rows[n].value > 1]
        if fractions and percents:
            yield task, metric, fractions[0], percents[0]
