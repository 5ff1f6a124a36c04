"""The tables of what several features say together: one regression a task, fitted three ways."""

from typing import Any

from analysis.mixed_effects import BOTH_WAYS, REST, SOURCE, TARGET
from analysis.report.findings import Findings
from analysis.report.tables import Table


def every(findings: Findings) -> list[Table]:
    """Returns those that have rows."""
    found = [regressions(findings), mixed_effects(findings), regularised(findings)]
    return [table for table in found if table.rows]


def regressions(findings: Findings) -> Table:
    """Returns, of each task, the regression of the score on several features at once."""
    rows = []
    for task, fit in findings.regressions.items():
        whole = [fit.pairs, fit.r2, fit.r2_p, fit.condition]
        if fit.reason:
            rows.append([task, None, *[None] * 5, *whole, fit.reason])
        for key, one in fit.coefficients.items():
            numbers = [one.beta, one.partial_r, one.p, one.p_naive, one.vif]
            rows.append([task, key, *numbers, *whole, one.reason])
    columns = (
        "task", "feature", "beta", "partial_r", "p_permutation",
        "p_naive_pairs_taken_as_independent", "variance_inflation", "pairs", "r2",
        "r2_p_permutation", "condition_number", "cannot_be_computed",
    )  # fmt: skip
    return Table("regressions", "The zero-shot score on several features at once", columns, rows)


def mixed_effects(findings: Findings) -> Table:
    """Returns, of each task, the same regression with sources and targets as random effects."""
    rows: list[list[Any]] = []
    for task, fit in findings.mixed.items():
        spreads = [fit.spreads.get(name) for name in (SOURCE, TARGET, BOTH_WAYS, REST)]
        if fit.reason:
            rows.append([task, *[None] * 6, fit.pairs, *spreads, fit.reason])
        for key, one in fit.effects.items():
            numbers = [one.value, one.low, one.high, one.p, one.degrees]
            rows.append([task, key, *numbers, fit.pairs, *spreads, one.reason])
    columns = (
        "task", "feature", "points_per_standard_deviation", "interval_95_low",
        "interval_95_high", "p", "degrees_of_freedom", "pairs", "sd_of_sources", "sd_of_targets",
        "sd_of_pairs_both_ways", "sd_of_the_rest", "cannot_be_computed",
    )  # fmt: skip
    return Table("mixed_effects", "Features at once, languages as random effects", columns, rows)


def regularised(findings: Findings) -> Table:
    """Returns, of each task, the same regression by ridge and by lasso."""
    rows: list[list[Any]] = []
    for (task, kind), fit in findings.regularised.items():
        whole = [fit.penalty, fit.explained, fit.pairs, fit.languages]
        if fit.reason:
            rows.append([task, kind, *[None] * 3, *whole, fit.reason])
        for key, one in fit.features.items():
            rows.append([task, kind, key, one.beta, one.stays, *whole, one.reason])
    columns = (
        "task", "kind", "feature", "beta", "same_sign_without_each_language", "penalty",
        "r_squared_of_languages_left_out", "pairs", "languages", "cannot_be_computed",
    )  # fmt: skip
    return Table("regularised", "Features at once, by ridge and by lasso", columns, rows)
