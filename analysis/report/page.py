"""Lays the page out: numbers and sentences into the template."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from analysis.languages import name
from analysis.lm_results import DRAWN, LM_METRICS, SHOWN, digits
from analysis.report import figures, palette, sentences, tables, together
from analysis.report.findings import SIGNIFICANT, Findings
from analysis.report.section import Section
from analysis.report.words import decimal, metric_name, p_number, plain, task_kind, task_name
from analysis.transfer import FORMS, Transfer


def render(
    findings: Findings,
    every: Sequence[tables.Table],
    sections: Sequence[Section],
    figure_folder: Path,
    title: str,
) -> str:
    """Returns the page's HTML and writes its figures into `figure_folder`."""
    package = resources.files("analysis.report")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string((package / "page.html").read_text(encoding="utf-8"))
    forest = figures.forest(findings, figure_folder)
    task_views = [_task(findings, table, figure_folder) for table in findings.main]
    lm_view = _lm(findings, figure_folder)
    return template.render(
        title=title,
        study=", ".join(sorted({row.study for row in findings.rows})),
        css=(package / "page.css").read_text(encoding="utf-8"),
        script=(package / "sort.js").read_text(encoding="utf-8"),
        themes=palette.css(),
        lead=[
            *(one.answer for one in sections if one.answer and not one.closing),
            *sentences.lead(findings),
            *(one.answer for one in sections if one.answer and one.closing),
        ],
        sections=sections,
        plain=plain,
        predictors=sentences.about_predictors(findings) if findings.main else [],
        tasks=task_views,
        lm=lm_view,
        forest=forest,
        xtreme=_xtreme(findings),
        features=_features(findings),
        settings=tables.settings(findings),
        forms=FORMS,
        permutations=f"{findings.permutations:,}",
        resamples=f"{findings.resamples:,}",
        seed=findings.seed,
        significant=SIGNIFICANT,
        tables=every,
        figure_names=sorted(path.stem for path in figure_folder.glob("*.svg")),
        steps=len(palette.HEAT),
    )


def _task(findings: Findings, table: Transfer, folder: Path) -> dict[str, Any]:
    """Returns what the template says about one task."""
    heat = figures.heat_map(findings, table, folder)
    known = [value for _, _, value in table.score.pairs()]
    low, high = palette.bounds(known)
    return {
        "id": table.task,
        "name": task_name(table.task),
        "kind": task_kind(table.task),
        "metric": metric_name(table.metric),
        "split": table.split,
        "seeds": len(table.seeds),
        "headline": sentences.headline(findings, table),
        "sentences": sentences.about_task(table),
        "predictors": sentences.about_planted(findings, table),
        "heat": _heat(findings, table, (low, high), palette.digits(known)),
        "heat_file": heat.name,
        "low": decimal(low, 0),
        "high": decimal(high, 0),
        "scatters": [
            figures.scatter(findings, table, feature, folder)
            for feature in figures.panels(findings, table)
        ],
        "correlations": _correlations(findings, table),
        "together": together.view(findings, table),
        "scores": _scores(findings, table),
        "scores_file": f"scores_{table.task}_{table.metric}",
        "matrix_file": f"matrix_{table.task}_{table.metric}",
    }


def _heat(
    findings: Findings, table: Transfer, bounds: tuple[float, float], digits: int
) -> dict[str, Any]:
    """Returns the heat map as rows of cells; the numbers are those of the matrix table."""
    matrix = tables.matrix(findings, table)
    targets = matrix.columns[1:-1]
    *body, means = matrix.rows
    rows = []
    for source, *values, mean in body:
        cells = []
        for target, value in zip(targets, values, strict=True):
            spread = table.spread.get(source, target)
            spread_text = f" ± {decimal(spread)} (seeds)" if spread is not None else ""
            cells.append(
                {
                    "text": plain(value, digits),
                    "step": None if value is None else palette.step(value, *bounds),
                    "own": source == target,
                    "tip": f"{name(source)} → {name(target)}: {plain(value, 1)}{spread_text}",
                }
            )
        rows.append(
            {"code": source, "name": name(source), "cells": cells, "mean": plain(mean, digits)}
        )
    return {
        "targets": [(target, name(target)) for target in targets],
        "rows": rows,
        "means": [plain(value, digits) for value in means[1:]],
    }


def _correlations(findings: Findings, table: Transfer) -> list[dict[str, Any]]:
    """Returns a row per feature; positions of the small chart in percent of its width."""
    rows = []
    for feature in findings.features:
        c = findings.correlation(table.task, feature.key)
        row: dict[str, Any] = {"label": feature.label, "group": feature.group, "reason": c.reason}
        if c.r is not None and c.p is not None:
            row |= {
                "r": decimal(c.r, 2),
                "p": p_number(c.p),
                "pairs": c.pairs,
                "at": f"{50 + 50 * c.r:.1f}",
                "significant": c.p < SIGNIFICANT,
                "interval": None,
                **_beside(findings, table.task, feature.key),
            }
            if c.low is not None and c.high is not None:
                row["interval"] = f"{decimal(c.low, 2)} to {decimal(c.high, 2)}"
                row["left"] = f"{50 + 50 * c.low:.1f}"
                row["width"] = f"{50 * (c.high - c.low):.1f}"
        others = [findings.correlation(table.task, feature.key, form) for form in FORMS]
        row["others"] = [None if o.r is None else decimal(o.r, 2) for o in others[1:]]
        rows.append(row)
    return rows


def _beside(findings: Findings, task: str, key: str) -> dict[str, str | None]:
    """Returns what stands beside r: the corrected p, the rank correlations, the slope."""
    corrected, ranks = findings.corrected[task, key], findings.ranks[task, key]
    line = findings.slopes[task, key]
    shown: dict[str, str | None] = {
        method: None if (p := corrected[method]) is None else p_number(p) for method in corrected
    }
    shown["rho"] = None if ranks.rho is None else decimal(ranks.rho, 2)
    shown["tau"] = None if ranks.tau is None else decimal(ranks.tau, 2)
    shown["slope"] = shown["slope_interval"] = None
    if line.value is not None and line.low is not None and line.high is not None:
        shown["slope"] = decimal(line.value)
        shown["slope_interval"] = f"{decimal(line.low)} to {decimal(line.high)}"
    return shown


def _scores(findings: Findings, table: Transfer) -> dict[str, Any]:
    """Returns the score table as text, language names spelt out."""
    source = tables.scores(findings, table)
    rows = []
    for row in source.rows:
        target, base, worst, mean, best, best_source, own, share, _ = row
        span = "–" if worst is None else f"{decimal(worst)} to {decimal(best)}"
        rows.append(
            {
                "name": name(target),
                "cells": [plain(base), plain(mean), span, plain(own)],
                "best": name(best_source) if best_source else "–",
                "share": "–" if share is None else f"{decimal(share, 0)}%",
            }
        )
    return {"rows": rows}


def _xtreme(findings: Findings) -> dict[str, Any] | None:
    """Returns XTREME's averages, a row a benchmark and source; None where no task is complete."""
    table = tables.xtreme(findings)
    if not table.rows:
        return None
    rows = [
        {
            "of": f"{benchmark}, {name(source)}: {task_name(of)}",
            "score": plain(score),
            "missing": missing or "–",
        }
        for benchmark, source, of, score, _, missing in table.rows
    ]
    return {"rows": rows, "file": table.name}


def _lm(findings: Findings, folder: Path) -> dict[str, Any] | None:
    """Returns the LM statistics: sentences, bars and table; None where there are none."""
    if not findings.lm:
        return None
    table = tables.lm_statistics(findings)
    order = [row[0] for row in table.rows]
    metrics = [metric for metric in SHOWN if metric in findings.lm]
    bars = []
    for metric in (metric for metric in DRAWN if metric in findings.lm):
        label, unit = LM_METRICS[metric]
        bars.append(figures.lm_bars(findings, metric, f"{label}, {unit}", order, folder))
    rows = []
    for language in order:
        numbers = [findings.lm[metric].get(language) for metric in metrics]
        cells = [
            "–" if n is None else decimal(n.mean, digits(metric))
            for metric, n in zip(metrics, numbers, strict=True)
        ]
        rows.append({"name": name(language), "cells": cells})
    return {
        "sentences": sentences.about_lm(findings),
        "bars": bars,
        "headings": [LM_METRICS[metric] for metric in metrics],
        "rows": rows,
        "file": table.name,
    }


def _features(findings: Findings) -> list[dict[str, Any]]:
    """Returns what each feature is, with how much of it is known."""
    n = len(findings.languages)
    rows = []
    for feature in [*findings.features, *findings.absent]:
        known = int(feature.values.off_diagonal().sum())
        text = f"{known} of {n * (n - 1)} ordered pairs"
        if feature.shared is not None and known:
            counts = [v for s, t, v in feature.shared.pairs() if s != t]
            low, high = int(min(counts)), int(max(counts))
            text += f"; {low}" + (f" to {high}" if high > low else "") + " features shared"
        rows.append({"label": feature.label, "description": feature.description, "known": text})
    return rows
