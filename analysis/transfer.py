"""Transfer tables: how well a model tuned on one language does in every other.

A cell is the score in the target language of a model fine-tuned on the source language, averaged
over seeds. The same table is offered raw, relative to the target's in-language score, as the
difference to it, and with the average of each source and each target taken out.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from analysis.conditions import is_plain
from analysis.pairs import Pair, PairMatrix, mean_or_none
from mt5x.errors import UserError
from mt5x.studies.results import MAJORITY_BASELINE, ResultRow
from tasks import catalogue
from tasks.definitions import DATA_SETS

LM_TASK = catalogue.SPAN_CORRUPTION

FORMS = {
    "score": "the score itself, in points",
    "ratio": "the score divided by the target's in-language score",
    "difference": "the score minus the target's in-language score, in points",
    "adjusted": "what is left of the score, and of the feature, when the effect of each source "
    "and each target is taken out (residuals of an additive model over the zero-shot pairs)",
}


@dataclasses.dataclass(frozen=True)
class Transfer:
    """One task and metric: every source against every target.

    Attributes:
      task: data set, such as 'panx'.
      metric: name of the metric, such as 'span_f1'; scores are in percent.
      split: the split that was scored.
      selection: how the checkpoints were chosen.
      seeds: all seeds that contribute.
      score: mean over seeds; the diagonal holds the in-language scores.
      spread: sample standard deviation over seeds; unknown where a cell has one seed.
      seed_counts: (source, target) -> number of seeds in the cell.
      baseline: target -> score of always predicting the most frequent training target.
      num_examples: target -> examples scored.
    """

    task: str
    metric: str
    split: str
    selection: str
    seeds: tuple[int, ...]
    score: PairMatrix
    spread: PairMatrix
    seed_counts: Mapping[Pair, int]
    baseline: Mapping[str, float]
    num_examples: Mapping[str, int]

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language that is a source or a target."""
        return self.score.languages

    @property
    def sources(self) -> tuple[str, ...]:
        """Languages that a model was tuned on."""
        return tuple(s for s in self.languages if any(p[0] == s for p in self.seed_counts))

    @property
    def targets(self) -> tuple[str, ...]:
        """Languages that were scored."""
        return tuple(t for t in self.languages if any(p[1] == t for p in self.seed_counts))

    def in_language(self, target: str) -> float | None:
        """Returns the score of the model that was tuned on the target language itself."""
        return self.score.get(target, target)

    def zero_shot_to(self, target: str) -> float | None:
        """Returns the mean score in `target` over the models tuned on other languages."""
        return mean_or_none([v for s, t, v in self.score.pairs() if t == target != s])

    def zero_shot_from(self, source: str) -> float | None:
        """Returns the mean score, over other languages, of the model tuned on `source`."""
        return mean_or_none([v for s, t, v in self.score.pairs() if s == source != t])

    def zero_shot(self) -> float | None:
        """Returns the mean over all zero-shot pairs."""
        return mean_or_none([v for s, t, v in self.score.pairs() if s != t])

    def form(self, name: str) -> PairMatrix:
        """Returns the table in one of `FORMS`; a pair without what the form needs is unknown."""
        if name == "score":
            return self.score
        if name == "adjusted":
            return adjusted(self.score)
        own = np.diag(self.score.values)[None, :]
        if name == "difference":
            return PairMatrix(self.languages, self.score.values - own)
        if name == "ratio":
            # A target whose own model scores nothing has no ratio.
            positive = np.where(own > 0, own, np.nan)
            return PairMatrix(self.languages, self.score.values / positive)
        raise ValueError(f"{name!r} is none of {', '.join(FORMS)}")


def main_metric(task: str) -> str | None:
    """Returns the metric that stands for a task where there is room for one; None: not ours."""
    return DATA_SETS[task].scores.main if task in DATA_SETS else None


def transfers(rows: Iterable[ResultRow], stage: str | None = None) -> list[Transfer]:
    """Returns one table per task and metric of plain transfer, main metrics first.

    Of several splits the one that covers most pairs counts ('test' before others when equal), of
    several selections 'last', of several steps the last.

    Args:
      rows: result rows; those without a source are used for the baseline only.
      stage: reads only this stage's rows; needed where several stages score the same cell.

    Raises:
      UserError: two stages give the same cell for the same seed.
    """
    grouped: dict[tuple[str, str], list[ResultRow]] = defaultdict(list)
    for row in rows:
        wanted = row.stage == MAJORITY_BASELINE or stage in (None, row.stage)
        if row.task != LM_TASK and wanted and is_plain(row):
            grouped[row.task, row.metric].append(row)
    tables = []
    for (task, metric), group in grouped.items():
        tuned = [row for row in group if row.source is not None]
        if tuned:
            baseline = [row for row in group if row.stage == MAJORITY_BASELINE]
            tables.append(_transfer(task, metric, tuned, baseline))
    return sorted(tables, key=lambda t: (t.task, t.metric != main_metric(t.task), t.metric))


def main_transfers(tables: Sequence[Transfer]) -> list[Transfer]:
    """Returns one table per task: its main metric, or its first where that was not computed."""
    first: dict[str, Transfer] = {}
    for table in tables:
        if table.metric == main_metric(table.task):
            first[table.task] = table
        first.setdefault(table.task, table)
    return list(first.values())


def _transfer(
    task: str, metric: str, tuned: list[ResultRow], baseline: list[ResultRow]
) -> Transfer:
    """Builds one table from the rows of one task and metric."""
    split = _preferred(tuned, _split, "test")
    tuned = [row for row in tuned if _split(row) == split]
    selection = _preferred(tuned, lambda row: row.selection, "last")
    tuned = [row for row in tuned if row.selection == selection]

    cells: dict[tuple[str, str, int], ResultRow] = {}
    for row in tuned:
        assert row.source is not None
        key = (row.source, row.target, row.seed)
        other = cells.get(key)
        if other is not None and other.stage != row.stage:
            raise UserError(
                f"{task} {metric} from {row.source} to {row.target}, seed {row.seed}, comes from "
                f"two stages, {other.stage} and {row.stage}: name the one to analyse with --stage"
            )
        if other is None or row.step >= other.step:
            cells[key] = row

    values: dict[Pair, list[float]] = defaultdict(list)
    for (source, target, _), row in cells.items():
        values[source, target].append(row.value)
    languages = sorted({language for pair in values for language in pair})
    spread = {pair: float(np.std(v, ddof=1)) for pair, v in values.items() if len(v) > 1}
    baselines: dict[str, list[float]] = defaultdict(list)
    for row in baseline:
        if _split(row) == split:
            baselines[row.target].append(row.value)
    return Transfer(
        task=task,
        metric=metric,
        split=split,
        selection=selection,
        seeds=tuple(sorted({seed for _, _, seed in cells})),
        score=PairMatrix.from_mapping(languages, {p: float(np.mean(v)) for p, v in values.items()}),
        spread=PairMatrix.from_mapping(languages, spread),
        seed_counts={pair: len(v) for pair, v in values.items()},
        baseline={target: float(np.mean(v)) for target, v in baselines.items()},
        num_examples={target: row.num_examples for (_, target, _), row in cells.items()},
    )


def _split(row: ResultRow) -> str:
    """Returns the split without the language that TyDiQA's names carry ('validation-bn')."""
    return row.split.split("-")[0]


def _preferred(rows: list[ResultRow], key: Callable[[ResultRow], str], favourite: str) -> str:
    """Returns the value of `key` that covers most pairs, `favourite` among equals."""
    covered = Counter(name for name, _, _ in {(key(r), r.source, r.target) for r in rows})
    return max(sorted(covered), key=lambda name: (covered[name], name == favourite))


def adjusted(score: PairMatrix) -> PairMatrix:
    """Returns pairs less the best fit of a source's effect plus a target's; no diagonal."""
    n = len(score.languages)
    known = score.off_diagonal()
    sources, targets = np.nonzero(known)
    design = np.zeros((len(sources), 2 * n))
    design[np.arange(len(sources)), sources] = 1
    design[np.arange(len(sources)), n + targets] = 1
    residuals = np.full((n, n), np.nan)
    if len(sources):
        scores = score.values[known]
        # The minimum-norm solution: the two sets of effects share a constant.
        effects = np.linalg.lstsq(design, scores, rcond=None)[0]
        residuals[known] = scores - design @ effects
    return PairMatrix(score.languages, residuals)
