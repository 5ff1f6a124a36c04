"""The tables of a report: one object gives both what the page shows and the CSV beside it."""

import csv
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from analysis.languages import name
from analysis.lm_results import LM_METRICS
from analysis.multiplicity import METHODS
from analysis.report.findings import Findings
from analysis.report.words import metric_name, plain, task_name
from analysis.transfer import FORMS, Transfer
from analysis.xtreme import averages

MOST_SHOWN = 5
"""A setting with more values than this is counted, not listed."""


@dataclasses.dataclass(frozen=True)
class Table:
    """Named columns and rows of cells.

    Attributes:
      name: file name without ending.
      caption: what the table holds.
      columns: headings.
      rows: cells: text, numbers, or None where there is nothing to show.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]

    def write(self, folder: Path) -> Path:
        """Writes `name`.csv (RFC 4180, UTF-8; numbers in full, nothing for None)."""
        path = folder / f"{self.name}.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(self.columns)
            writer.writerows([["" if cell is None else cell for cell in row] for row in self.rows])
        return path

    def shown(self, digits: int = 1) -> list[list[str]]:
        """Returns the cells as the page shows them."""
        return [[plain(cell, digits) for cell in row] for row in self.rows]


def matrix(findings: Findings, table: Transfer) -> Table:
    """Returns the heat map's numbers: source by target, with the zero-shot means at the edges."""
    sources, targets = findings.ordered(table.sources), findings.ordered(table.targets)
    rows: list[list[Any]] = [
        [s, *(table.score.get(s, t) for t in targets), table.zero_shot_from(s)] for s in sources
    ]
    rows.append(["zero-shot mean", *(table.zero_shot_to(t) for t in targets), table.zero_shot()])
    return Table(
        f"matrix_{table.task}_{table.metric}",
        f"{_title(table)}: source language (row) by target language (column), mean over seeds",
        ("source", *targets, "zero-shot mean"),
        rows,
    )


def scores(findings: Findings, table: Transfer) -> Table:
    """Returns baseline, zero-shot and in-language score of each target."""
    rows = []
    for target in findings.ordered(table.targets):
        own, zero_shot = table.in_language(target), table.zero_shot_to(target)
        given = {s: v for s, t, v in table.score.pairs() if t == target != s}
        best = max(given, key=lambda s: given[s], default=None)
        rows.append(
            [
                target,
                table.baseline.get(target),
                min(given.values(), default=None),
                zero_shot,
                max(given.values(), default=None),
                best,
                own,
                100 * zero_shot / own if zero_shot is not None and own else None,
                table.num_examples.get(target),
            ]
        )
    columns = (
        "target", "majority baseline", "zero-shot, worst", "zero-shot, mean", "zero-shot, best",
        "best source", "in-language", "mean / in-language, %", "examples",
    )  # fmt: skip
    return Table(f"scores_{table.task}_{table.metric}", _title(table), columns, rows)


def sources(findings: Findings) -> Table:
    """Returns what each source gives: in-language, zero-shot mean, and XTREME's average."""
    rows = []
    for table in findings.tables:
        for source in findings.ordered(table.sources):
            cells = [v for s, _, v in table.score.pairs() if s == source]
            own = table.in_language(source)
            rows.append(
                [
                    table.task,
                    table.metric,
                    source,
                    own,
                    table.zero_shot_from(source),
                    sum(cells) / len(cells),
                    len(cells),
                ]
            )
    columns = (
        "task", "metric", "source", "in_language", "zero_shot_mean",
        "mean_over_all_targets_source_included", "targets",
    )  # fmt: skip
    return Table("sources", "What each source language gives", columns, rows)


def xtreme(findings: Findings) -> Table:
    """Returns XTREME's averages of each source, and what is missing for those without a score."""
    rows = [
        [one.benchmark, one.source, one.of, one.score, one.split, " ".join(one.missing) or None]
        for one in averages(findings.tables)
    ]
    columns = ("benchmark", "source", "average_of", "score", "split", "missing")
    return Table("xtreme", "XTREME's averages", columns, rows)


def transfer(findings: Findings) -> Table:
    """Returns every cell in every form, one row each."""
    rows = []
    for table in findings.tables:
        forms = {form: table.form(form) for form in FORMS}
        for source, target, _ in table.score.pairs():
            rows.append(
                [
                    table.task,
                    table.metric,
                    table.split,
                    table.selection,
                    source,
                    target,
                    table.seed_counts[source, target],
                    *(values.get(source, target) for values in forms.values()),
                    table.spread.get(source, target),
                    table.num_examples.get(target),
                ]
            )
    columns = (
        "task", "metric", "split", "selection", "source", "target", "seeds", *FORMS,
        "score_sd_over_seeds", "examples",
    )  # fmt: skip
    return Table("transfer", "Every score, raw and relative to in-language", columns, rows)


def pairs(findings: Findings) -> Table:
    """Returns every feature of every ordered pair of different languages."""
    rows = []
    for source in findings.languages:
        for target in findings.languages:
            if source == target:
                continue
            cells: list[Any] = [source, target]
            for feature in findings.features:
                cells.append(feature.values.get(source, target))
                if feature.shared is not None:
                    count = feature.shared.get(source, target)
                    cells.append(None if count is None else int(count))
            rows.append(cells)
    columns = ["source", "target"]
    for feature in findings.features:
        columns.append(feature.key)
        if feature.shared is not None:
            columns.append(f"{feature.key}_features_shared")
    return Table("pairs", "Features of every ordered pair", tuple(columns), rows)


def features(findings: Findings) -> Table:
    """Returns what each feature is and for how many pairs it is known."""
    total = len(findings.languages) * (len(findings.languages) - 1)
    rows = [
        [f.key, f.label, f.group, f.description, int(f.values.off_diagonal().sum()), total]
        for f in [*findings.features, *findings.absent]
    ]
    columns = ("feature", "label", "group", "description", "pairs_known", "pairs")
    return Table("features", "What each feature is", columns, rows)


def correlations(findings: Findings) -> Table:
    """Returns every correlation of every feature with every form of transfer."""
    rows = []
    for (task, key, form), c in findings.correlations.items():
        rows.append(
            [
                task,
                key,
                form,
                c.pairs,
                c.languages,
                c.r,
                c.low,
                c.high,
                c.drawn_low,
                c.drawn_high,
                c.p,
                c.p_naive,
                c.relabellings or None,
                c.exhaustive if c.r is not None else None,
                c.reason,
            ]
        )
    columns = (
        "task", "feature", "form", "pairs", "languages", "r", "interval_95_low",
        "interval_95_high", "bootstrap_95_low", "bootstrap_95_high", "p_permutation",
        "p_naive_pairs_taken_as_independent", "relabellings", "all_relabellings",
        "cannot_be_computed",
    )  # fmt: skip
    return Table("correlations", "Pearson correlations with transfer", columns, rows)


def associations(findings: Findings) -> Table:
    """Returns, of each feature and task, all that asks whether it goes with the score."""
    rows = []
    for (task, key), ranks in findings.ranks.items():
        r, line = findings.correlation(task, key), findings.slopes[task, key]
        corrected = findings.corrected[task, key]
        rows.append(
            [
                task,
                key,
                r.r,
                r.p,
                *(corrected[method] for method in METHODS),
                *(findings.corrected_over_all[task, key][method] for method in METHODS),
                ranks.rho,
                ranks.rho_p,
                ranks.tau,
                ranks.tau_p,
                line.value,
                line.low,
                line.high,
                line.p,
                line.degrees or None,
                line.averaged if line.value is not None else None,
                r.reason or line.reason,
            ]
        )
    columns = (
        "task", "feature", "pearson_r", "p", "p_holm", "p_benjamini_hochberg",
        "p_holm_over_all_tasks", "p_benjamini_hochberg_over_all_tasks", "spearman_rho",
        "spearman_p", "kendall_tau_b", "kendall_p", "slope_between_levels", "slope_95_low",
        "slope_95_high", "slope_p", "slope_degrees_of_freedom", "directions_averaged",
        "cannot_be_computed",
    )  # fmt: skip
    return Table("associations", "What goes with the zero-shot score", columns, rows)


def lm_statistics(findings: Findings) -> Table:
    """Returns the LM statistics, best known language first."""
    metrics = [metric for metric in LM_METRICS if metric in findings.lm]
    spoken = {language for metric in metrics for language in findings.lm[metric]}
    nll = findings.lm.get("lm_nll", {})

    def badness(language: str) -> tuple[float, str]:
        return (nll[language].mean if language in nll else float("inf"), language)

    rows = []
    for language in sorted(spoken, key=badness):
        cells: list[Any] = [language, name(language)]
        numbers = [findings.lm[metric].get(language) for metric in metrics]
        for number in numbers:
            cells += [number.mean, number.spread] if number else [None, None]
        first = next(number for number in numbers if number)
        rows.append([*cells, first.seeds, first.num_examples])
    columns = ["language", "name"]
    for metric in metrics:
        columns += [metric, f"{metric}_sd_over_seeds"]
    columns += ["seeds", "examples"]
    return Table("lm_statistics", "LM statistics by language", tuple(columns), rows)


def settings(findings: Findings) -> Table:
    """Returns every setting that the numbers depend on."""
    rows: list[tuple[str, Any]] = []

    def add(setting: str, values: Iterable[Any]) -> None:
        distinct = sorted({_shown(value) for value in values})
        if len(distinct) > MOST_SHOWN:
            distinct = [f"{len(distinct)} different ones"]
        if distinct:
            rows.append((setting, ", ".join(distinct)))

    add("study", (row.study for row in findings.rows))
    add("stages", (row.stage for row in findings.rows))
    add("seeds", (row.seed for row in findings.rows))
    add("result rows", [len(findings.rows)])
    for table in findings.main:
        task = task_name(table.task)
        metric = metric_name(table.metric)
        add(f"{task}: metric, split, checkpoint", [f"{metric}, {table.split}, {table.selection}"])
    add("data folder", [findings.data_dir] if findings.data_dir else [])
    add("relabellings drawn per test", [findings.permutations])
    add("resamples per interval", [findings.resamples])
    add("seed of the statistics", [findings.seed])
    keys = sorted({key for row in findings.rows for key in row.provenance})
    for key in keys:
        add(key, (row.provenance[key] for row in findings.rows if key in row.provenance))
    return Table("settings", "Settings", ("setting", "value"), rows)


def every(findings: Findings) -> list[Table]:
    """Returns all tables of the report."""
    tables = [matrix(findings, t) for t in findings.tables]
    tables += [scores(findings, t) for t in findings.tables]
    tables += [sources(findings), xtreme(findings), transfer(findings)]
    tables += [pairs(findings), features(findings), correlations(findings)]
    tables += [associations(findings)]
    tables += [lm_statistics(findings), settings(findings)]
    return [table for table in tables if table.rows]


def _shown(value: Any) -> str:
    """Returns a setting as text: a dict of versions as 'name version, name version'."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {value[key]}" for key in value)
    return str(value)


def _title(table: Transfer) -> str:
    task = task_name(table.task)
    return f"{task}, {metric_name(table.metric)} ({table.split})"
