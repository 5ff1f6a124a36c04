"""Could the scores be foretold: of a language that was not seen, and of a pair that was not."""

from pathlib import Path
from typing import Any

from analysis.prediction import LANGUAGES, LEVELS, PAIRS, RIDGE, Prediction, Skill
from analysis.report.findings import Findings
from analysis.report.section import Section
from analysis.report.tables import Table
from analysis.report.words import decimal, listing, task_name

_WHAT = {LANGUAGES: "a language that was not seen", PAIRS: "a pair that was not seen"}

_METHOD = (
    "Each language in turn is held out with all of its pairs, and each pair of languages in both "
    "directions. A ridge regression on one measured feature of each kind learns from the rest "
    "alone; its penalty is chosen there, and missing features are filled with their mean there. "
    "It foretells what two baselines without features leave: the mean of all pairs, and levels. "
    "For an unseen language that is the level of the pair's other language, which is known from "
    "its other pairs; for an unseen pair those of its source and of its target. Intervals are over "
    "languages, each left out in turn, on the logarithm of errors and of their ratio. On simulated "
    "studies of ten languages without an effect, features were never said to help in 80 (40 of "
    "each kind); with one as strong as the levels' own spread, in 14 of 40 for languages and 34 of "
    "40 for pairs: no clear gain does not mean that there is none."
)


def section(findings: Findings, folder: Path) -> Section | None:
    """Returns the section, or None where no model was tuned."""
    if not findings.predictions:
        return None
    return Section(
        id="foretelling",
        title="Foretelling what was not seen",
        answer=_answer(findings),
        sentences=sentences(findings),
        drawings=[],
        tables=[table(findings)],
        method=_METHOD,
        closing=True,
    )


def sentences(findings: Findings) -> list[str]:
    """Says of each task how far off features are, beside levels, and whether that is a gain."""
    texts = []
    for (task, unseen), one in findings.predictions.items():
        of = f"Of {_WHAT[unseen]}, {task_name(task)}"
        if one.reason:
            texts.append(f"{of}: cannot be foretold, {one.reason}.")
            continue
        ridge, levels = one.skills[RIDGE], one.skills[LEVELS[unseen]]
        texts.append(
            f"{of} is foretold with a mean error of {decimal(ridge.error)} points from the "
            f"features{_between(ridge)}, and of {decimal(levels.error)} from the "
            f"{LEVELS[unseen]} alone: {_gain(ridge)}."
        )
    return texts


def _answer(findings: Findings) -> str:
    """Says for which tasks features foretell an unseen language better than levels do."""
    helped: list[tuple[str, Skill]] = []
    not_helped: list[tuple[str, Skill]] = []
    reasons = []
    for (task, unseen), one in findings.predictions.items():
        if unseen == LANGUAGES and one.skills:
            ridge = one.skills[RIDGE]
            (helped if _clear(ridge) else not_helped).append((task_name(task), ridge))
        elif unseen == LANGUAGES:
            reasons.append(one.reason)
    if not helped and not not_helped:
        return f"How a language that was not seen would fare cannot be foretold: {reasons[0]}."
    if not helped:
        tasks = listing([task for task, _ in not_helped])
        return (
            "Knowing the features of a pair does not clearly help to foretell how a language that "
            f"was not seen will fare on {tasks}."
        )
    gains = [f"{decimal(100 * (ridge.gain or 0), 0)}% on {task}" for task, ridge in helped]
    text = (
        "Knowing the features of a pair lowers the error of foretelling a language that was not "
        f"seen by {listing(gains)}"
    )
    if not_helped:
        text += f", and not clearly on {listing([task for task, _ in not_helped])}"
    return f"{text}."


def _clear(skill: Skill) -> bool:
    return skill.gain_interval is not None and skill.gain_interval[0] > 0


def _between(skill: Skill) -> str:
    if skill.interval is None:
        return ""
    return f" (95% interval {decimal(skill.interval[0])} to {decimal(skill.interval[1])})"


def _gain(skill: Skill) -> str:
    """Says what features gain, in percent of the levels' error."""
    if skill.gain is None or skill.gain_interval is None:
        return "the difference has no interval"
    low, high = skill.gain_interval
    size = decimal(abs(100 * skill.gain), 0)
    error = (
        "as much error" if size == "0" else f"{size}% {'less' if skill.gain > 0 else 'more'} error"
    )
    text = (
        f"{error} (95% interval of what is gained {decimal(100 * low, 0)} to "
        f"{decimal(100 * high, 0)}%)"
    )
    if low > 0:
        return text
    return f"{text}, a clear loss" if high < 0 else f"{text}, no clear gain"


def table(findings: Findings) -> Table:
    """Returns a row for each task, what is not seen, and way of foretelling it."""
    rows: list[list[Any]] = []
    for (task, unseen), one in findings.predictions.items():
        for way, skill in one.skills.items():
            numbers = [skill.error, *_ends(skill.interval), skill.r_squared]
            numbers += [skill.gain, *_ends(skill.gain_interval)]
            rows.append([task, unseen, way, *numbers, *_size(one), None])
        if one.reason:
            rows.append([task, unseen, *[None] * 11, one.reason])
    columns = (
        "task", "unseen", "foretold_by", "mean_absolute_error", "interval_95_low",
        "interval_95_high", "r_squared", "share_of_error_gone", "gone_95_low", "gone_95_high",
        "predictions", "languages", "features_filled_percent", "cannot_be_computed",
    )  # fmt: skip
    return Table("predictions", "Unseen languages and pairs, foretold", columns, rows)


def _size(one: Prediction) -> tuple[int, int, float]:
    return one.pairs, one.languages, 100 * one.filled


def _ends(interval: tuple[float, float] | None) -> tuple[float | None, float | None]:
    return interval or (None, None)
