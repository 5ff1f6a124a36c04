"""The result table: one tidy row per (study, stage, seed, source, target, metric), as JSON lines.

This is the only thing the analysis reads, so a row carries all that a statistic needs and says how
its checkpoint was chosen: a checkpoint selected on target-language data is not zero-shot.
"""

import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mt5x.errors import UserError
from mt5x.studies import result_checks
from mt5x.whole_file import write_whole

MAJORITY_BASELINE = "majority_baseline"
"""Stage name of the trivial baseline: every prediction is the most frequent training target."""

LOW, HIGH = ":low", ":high"
"""Behind a metric's name in what a stage measured: the ends of its interval."""
SEVERAL = "+"
"""Joins the languages of a source that is several, as in 'en+hi+sw'."""


@dataclasses.dataclass(frozen=True)
class Condition:
    """What else a score depends on, besides its task, source and target; None where nothing varies.

    Attributes:
      model: the base model, such as 'mt5_base'; None where there is but one.
      intermediate: what the model was trained on before the target task, such as 'qqp'; None where
        it was nothing.
      intermediate_language: the language of that.
      intermediate_size: training examples of it; None is all that there are.
      source_size: training examples of the source languages; None is all that there are.
      shots: labelled examples of the target language that a tuned model was then trained on; None
        or 0 is zero-shot.
      perturbation: kind of noise in what is evaluated, such as 'typos'; None is the clean test set.
      strength: of the noise, in percent; None where there is none.
    """

    model: str | None = None
    intermediate: str | None = None
    intermediate_language: str | None = None
    intermediate_size: int | None = None
    source_size: int | None = None
    shots: int | None = None
    perturbation: str | None = None
    strength: int | None = None


@dataclasses.dataclass(frozen=True)
class ResultRow:
    """One number and everything it depends on.

    Attributes:
      study: name of the study.
      stage: name of the stage that produced the number.
      seed: random seed of the stage.
      task: data set, such as 'panx'.
      source: language trained on, or several as 'en+hi+sw'; None where no fine-tuning is involved.
      target: language evaluated.
      split: split evaluated.
      metric: name of the metric, such as 'span_f1'.
      value: its value; scores are in percent, `lm_nll` in nats per target token.
      low, high: its 95% interval, where it was measured with one.
      num_examples: examples that the value is a mean over.
      step: training step of the checkpoint.
      selection: how the checkpoint was chosen: 'last', or 'best FIGURE on SPLIT'; what was chosen
        by a target language is not zero-shot.
      provenance: stage hash, commit, versions.
      model, intermediate, intermediate_language, intermediate_size, source_size, shots,
        perturbation, strength: as in `Condition`.
    """

    study: str
    stage: str
    seed: int
    task: str
    source: str | None
    target: str
    split: str
    metric: str
    value: float
    num_examples: int
    step: int
    selection: str = "last"
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)
    model: str | None = None
    intermediate: str | None = None
    intermediate_language: str | None = None
    intermediate_size: int | None = None
    source_size: int | None = None
    shots: int | None = None
    perturbation: str | None = None
    strength: int | None = None
    low: float | None = None
    high: float | None = None

    @property
    def condition(self) -> Condition:
        """What else the value depends on."""
        return Condition(**{name: getattr(self, name) for name in CONDITION_FIELDS})


CONDITION_FIELDS = tuple(field.name for field in dataclasses.fields(Condition))


def write_rows(path: str | os.PathLike[str], rows: Iterable[ResultRow]) -> None:
    """Writes the rows to `path`, whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(dataclasses.asdict(row), ensure_ascii=False) + "\n" for row in rows)
    write_whole(path, "".join(lines))


def read_rows(*paths: str | os.PathLike[str]) -> list[ResultRow]:
    """Reads one result table, or several as one.

    Raises:
      UserError: a file is missing, or a row is none, cannot be or contradicts another
        (`mt5x.studies.result_checks`); the line is named.
    """
    rows, places = [], []
    for path in paths:
        for number, line in enumerate(_lines(Path(path)), start=1):
            where = f"{path}, line {number}"
            try:
                found = json.loads(line)
            except json.JSONDecodeError as error:
                raise UserError(f"{where}: not a result row ({error})") from error
            result_checks.check_fields(found, dataclasses.fields(ResultRow), where)
            rows.append(ResultRow(**found))
            places.append(where)
    result_checks.check_together(rows, places)
    return rows


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"cannot read the result table {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no result table: it is not UTF-8") from error
