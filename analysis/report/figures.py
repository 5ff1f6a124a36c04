"""The figures of plain transfer and of the pretrained model, drawn with matplotlib."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from analysis.features.pair_feature import PairFeature
from analysis.languages import name
from analysis.lm_results import LmNumber
from analysis.report import palette
from analysis.report.drawing import STYLE, Drawing, blank, save, settle
from analysis.report.findings import LEXICAL, SIGNIFICANT, SYNTACTIC, Findings
from analysis.report.labels import place_labels
from analysis.report.palette import ACCENT, HEAT, INK, MUTED, PAPER, RULE, SECOND
from analysis.report.words import decimal, equal, metric_name, p_value, task_name
from analysis.transfer import Transfer

PANELS = 4
"""Scatter plots per task."""


def heat_map(findings: Findings, table: Transfer, folder: Path) -> Drawing:
    """Draws source by target; the diagonal, the in-language scores, is framed."""
    sources, targets = findings.ordered(table.sources), findings.ordered(table.targets)
    values = np.array([[_or_nan(table.score.get(s, t)) for t in targets] for s in sources])
    known = [value for _, _, value in table.score.pairs()]
    low, high = palette.bounds(known)
    task = task_name(table.task)
    metric = metric_name(table.metric)
    with mpl.rc_context(STYLE):
        figure, axes = blank(1.3 + 0.42 * len(targets), 1.1 + 0.36 * len(sources))
        colours = mpl.colors.ListedColormap(HEAT)
        image = axes.imshow(values, cmap=colours, vmin=low, vmax=high, aspect="auto")
        for i, j in np.argwhere(~np.isnan(values)):
            inverted = palette.step(values[i, j], low, high) >= palette.FIRST_INVERTED
            own = sources[i] == targets[j]
            axes.text(
                j,
                i,
                decimal(values[i, j], palette.digits(known)),
                ha="center",
                va="center",
                color=PAPER if inverted else INK,
                weight="bold" if own else "normal",
            )
            if own:
                corner = (j - 0.46, i - 0.46)
                frame = Rectangle(corner, 0.92, 0.92, fill=False, edgecolor=INK, linewidth=1.4)
                axes.add_patch(frame)
        axes.set_xticks(range(len(targets)), targets)
        axes.set_yticks(range(len(sources)), [name(s) for s in sources])
        axes.tick_params(length=0, labelcolor=INK)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("target language (evaluated)")
        axes.set_title(f"{task}: {metric}, mean over seeds")
        bar = figure.colorbar(image, ax=axes, fraction=0.045, pad=0.02)
        bar.outline.set_visible(False)
        alt = f"Heat map of {task} {metric}, source by target; the numbers are in the table."
        return save(figure, f"heatmap_{table.task}", alt, folder)


def panels(findings: Findings, table: Transfer) -> list[PairFeature]:
    """Returns the features to draw: syntax, shared words, LM(target), then the strongest."""
    wanted: list[PairFeature] = []
    for keys in (SYNTACTIC[:1], SYNTACTIC[1:], LEXICAL, ("lm_target",)):
        feature = findings.first_known(keys)
        if feature is not None:
            wanted.append(feature)

    def strength(feature: PairFeature) -> float:
        return -abs(findings.correlation(table.task, feature.key).r or 0.0)

    for feature in sorted(findings.features, key=strength):
        if feature.key not in {f.key for f in wanted}:
            wanted.append(feature)
    drawable = [f for f in wanted if findings.correlation(table.task, f.key).r is not None]
    return drawable[:PANELS]


def scatter(findings: Findings, table: Transfer, feature: PairFeature, folder: Path) -> Drawing:
    """Draws one feature against the score, a dot per ordered pair, with the regression line."""
    cells = [
        (s, t, value, score)
        for s, t, score in table.score.pairs()
        if s != t and (value := feature.values.get(s, t)) is not None
    ]
    x, y = np.array([c[2] for c in cells]), np.array([c[3] for c in cells])
    c = findings.correlation(table.task, feature.key)
    assert c.r is not None
    assert c.p is not None
    metric = metric_name(table.metric)
    with mpl.rc_context(STYLE):
        figure, axes = blank(2.7, 2.4)
        axes.grid(axis="y", color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.scatter(x, y, s=13, color=ACCENT, alpha=0.75, linewidths=0)
        ends = np.array([x.min(), x.max()])
        axes.plot(ends, np.polyval(np.polyfit(x, y, 1), ends), color=SECOND, linewidth=1.6)
        axes.margins(0.09, 0.12)
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_xlabel(feature.label)
        axes.set_ylabel(f"zero-shot {metric}")
        axes.set_title(f"{equal('r', decimal(c.r, 2))}, {p_value(c.p)}", pad=9)
        settle(figure)
        for label in place_labels(axes, x, y, [f"{s}→{t}" for s, t, _, _ in cells]):
            axes.annotate(
                label.text,
                (label.x, label.y),
                xytext=label.offset,
                textcoords="offset points",
                ha=label.align,
                va="center",
                fontsize=6.5,
                color=MUTED,
            )
        task = task_name(table.task)
        alt = (
            f"Scatter plot, {task}: {feature.label} against zero-shot {metric} over {c.pairs} "
            f"ordered pairs; {equal('r', decimal(c.r, 2))}, {p_value(c.p)}."
        )
        return save(figure, f"scatter_{table.task}_{feature.key}", alt, folder)


def lm_bars(
    findings: Findings, metric: str, label: str, order: Sequence[str], folder: Path
) -> Drawing:
    """Draws one LM statistic by language, best known language on top."""
    numbers = findings.lm[metric]
    spoken = [language for language in order if language in numbers]
    means = [numbers[language].mean for language in spoken]
    digits = 2 if metric.startswith("lm_nll") else 1
    with mpl.rc_context(STYLE):
        figure, axes = blank(3.0, 0.75 + 0.24 * len(spoken))
        rows = np.arange(len(spoken))
        ends = np.array([_ends(numbers[language]) for language in spoken]).T
        axes.barh(rows, means, height=0.66, color=ACCENT)
        if (ends[1] > ends[0]).any():
            axes.errorbar(means, rows, xerr=np.abs(ends - means), fmt="none", ecolor=INK, lw=1)
        top = ends[1].max()
        for row, mean, end in zip(rows, means, ends[1], strict=True):
            axes.text(end + 0.015 * top, row, decimal(mean, digits), va="center", color=INK)
        axes.set_yticks(rows, [name(language) for language in spoken])
        axes.tick_params(axis="y", labelcolor=INK)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.15 * top if top > 0 else 1)
        axes.spines["bottom"].set_visible(False)
        axes.set_xticks([])
        axes.set_title(label)
        shown = ", ".join(f"{name(x)} {decimal(numbers[x].mean, digits)}" for x in spoken)
        return save(figure, metric, f"Bar chart of {label}: {shown}.", folder)


def _ends(number: LmNumber) -> tuple[float, float]:
    """The ends of its bar: its interval, or its spread over seeds to both sides."""
    if number.low is not None and number.high is not None:
        return min(number.low, number.mean), max(number.high, number.mean)
    spread = number.spread or 0.0
    return number.mean - spread, number.mean + spread


def forest(findings: Findings, folder: Path) -> Drawing | None:
    """Draws every correlation with its interval; None when there is none."""
    tasks = [table.task for table in findings.main]
    features = [
        f
        for f in findings.features
        if any(findings.correlation(task, f.key).r is not None for task in tasks)
    ]
    if not features:
        return None
    with mpl.rc_context(STYLE):
        figure = Figure(
            figsize=(1.9 + 2.1 * len(tasks), 0.9 + 0.24 * len(features)), layout="constrained"
        )
        FigureCanvasAgg(figure)
        for number, task in enumerate(tasks):
            axes = figure.add_subplot(1, len(tasks), number + 1)
            axes.axvline(0, color=MUTED, linewidth=0.8)
            for row, feature in enumerate(features):
                c = findings.correlation(task, feature.key)
                if c.r is None or c.p is None:
                    continue
                if c.low is not None and c.high is not None:
                    axes.plot([c.low, c.high], [row, row], color=ACCENT, linewidth=1.4)
                face = ACCENT if c.p < SIGNIFICANT else PAPER
                axes.plot(c.r, row, "o", markersize=5, color=ACCENT, markerfacecolor=face)
            axes.set_xlim(-1.05, 1.05)
            axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["−1", "−0.5", "0", "0.5", "1"])
            axes.set_ylim(len(features) - 0.5, -0.5)
            axes.set_yticks(
                range(len(features)),
                [f.label for f in features] if number == 0 else [""] * len(features),
            )
            axes.tick_params(axis="y", labelcolor=INK)
            axes.grid(axis="x", color=RULE, linewidth=0.6)
            axes.spines[:].set_visible(False)
            axes.set_title(task_name(task))
        alt = (
            "Pearson's r of every feature with zero-shot transfer, 95% intervals; filled: p < 0.05."
        )
        return save(figure, "correlations", alt, folder)


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
