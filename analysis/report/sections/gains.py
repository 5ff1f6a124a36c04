"""What an intermediate task adds to a target task: who gains, how much, how surely."""

from collections.abc import Sequence
from pathlib import Path

from analysis import gains
from analysis.conditions import changed
from analysis.gains import Gain
from analysis.languages import name
from analysis.report import plots
from analysis.report.drawing import Drawing
from analysis.report.findings import SIGNIFICANT, Findings
from analysis.report.section import NUMBERS, Section, evidence, numbers, points
from analysis.report.tables import Table
from analysis.report.words import count, decimal, listing, task_name

_MOST_BY_RESOURCES = 3
_METHOD = (
    "A gain is the score after an intermediate task minus the score without it, of the same seed, "
    "source and target. Languages are the units: gains are averaged over seeds and sources in each "
    "of them; the interval is Student’s over languages, p flips the signs of the languages’ "
    "gains (all ways, or 9,999 of them), and Holm’s correction counts every gain of the page. Only "
    "target languages that the model was not tuned on count."
)


def section(findings: Findings, folder: Path) -> Section | None:
    """Returns the section, or None where no intermediate task was tried."""
    whole = _at_their_largest(findings.gains)
    if not whole:
        return None
    return Section(
        id="gains",
        title="What an intermediate task adds",
        answer=_answer(whole),
        sentences=[*_clear(whole), *_by_resources(whole), *_languages(whole)],
        drawings=[_drawing(whole, folder)],
        tables=[_table(findings.gains), _by_language(findings.gains)],
        method=_METHOD,
    )


def _at_their_largest(found: Sequence[Gain]) -> list[Gain]:
    """Of each training its largest size: the others are a curve."""
    largest: dict[tuple, Gain] = {}
    for one in found:
        condition = one.condition
        key = (one.task, condition.model, condition.intermediate, condition.intermediate_language,
               condition.shots, condition.source_size)  # fmt: skip
        if key not in largest or _size(one) > _size(largest[key]):
            largest[key] = one
    return list(largest.values())


def _size(gain: Gain) -> float:
    size = gain.condition.intermediate_size
    return float("inf") if size is None else size


def _answer(found: Sequence[Gain]) -> str:
    best = max(found, key=lambda one: one.gain.mean or 0.0)
    mean = best.gain.mean or 0.0
    label = gains.label(best.condition)
    if mean <= 0:
        return (
            f"No intermediate task helped: the least loss is {points(mean)} of "
            f"{task_name(best.task)}, after {label} {evidence(best.gain)}."
        )
    what = "The intermediate task" if len(found) == 1 else "The intermediate task that helps most"
    return (
        f"{what}, {label}, adds {points(mean)} to zero-shot {task_name(best.task)} "
        f"{evidence(best.gain)}."
    )


def _clear(found: Sequence[Gain]) -> list[str]:
    if len(found) < 2:
        return []
    clear = [one for one in found if one.p_holm is not None and one.p_holm < SIGNIFICANT]
    up = [one for one in clear if (one.gain.mean or 0) > 0]
    texts = [
        f"Of {count(len(found), 'pair')} of an intermediate and a target task, "
        f"{count(len(up), 'gain')} and {count(len(clear) - len(up), 'loss', 'losses')} are clear "
        "after Holm’s correction."
    ]
    by_task: dict[str, list[Gain]] = {}
    for one in found:
        by_task.setdefault(gains.label(one.condition), []).append(one)
    if len(by_task) > 1 and len({one.task for one in found}) > 1:
        means = {
            label: sum(one.gain.mean or 0 for one in group) / len(group)
            for label, group in by_task.items()
        }
        ordered = sorted(means, key=lambda label: -means[label])
        texts.append(
            "Over all target tasks the mean gain is "
            + listing([f"{decimal(means[label])} after {label}" for label in ordered])
            + " points."
        )
    texts += [
        f"{task_name(one.task)} gains {decimal(one.gain.mean or 0)} points after "
        f"{gains.label(one.condition)} {evidence(one.gain)}."
        for one in sorted(clear, key=lambda one: -(one.gain.mean or 0))
    ]
    return texts


def _by_resources(found: Sequence[Gain]) -> list[str]:
    """Languages with much text in mC4 and with little apart."""
    texts = []
    best = max(found, key=lambda one: one.gain.mean or 0.0)
    for one in found if len(found) <= _MOST_BY_RESOURCES else [best]:
        halves = gains.by_resources(one.gain.by_language)
        parts = {label: gains.of_languages(one, codes) for label, codes in halves.items()}
        if len(parts) < 2 or any(part.mean is None for part in parts.values()):
            continue
        told = [
            f"{decimal(part.mean or 0)} in {label} languages "
            f"({', '.join(part.by_language)}) {evidence(part)}"
            for label, part in parts.items()
        ]
        texts.append(
            f"{task_name(one.task)} after {gains.label(one.condition)}, points gained: "
            f"{listing(told)}."
        )
    return texts


def _languages(found: Sequence[Gain]) -> list[str]:
    """The same intermediate task in other languages against English."""
    texts = []
    for one in found:
        condition = one.condition
        if condition.intermediate_language in (None, "en"):
            continue
        english = next((
            other for other in found
            if other.task == one.task and other.condition.intermediate == condition.intermediate
            and other.condition.intermediate_language == "en"
        ), None)  # fmt: skip
        if english is None:
            continue
        more = gains.contrast(one, english)
        if more.mean is not None:
            word = "more" if more.mean > 0 else "less"
            spoken = listing([name(code) for code in condition.intermediate_language.split("+")])
            told = gains.label(changed(condition, intermediate_language="en"))
            texts.append(
                f"{told} in {spoken} gives {task_name(one.task)} "
                f"{points(more.mean)} {word} than in English {evidence(more)}."
            )
    return texts


def _drawing(found: Sequence[Gain], folder: Path) -> Drawing:
    several = len({one.task for one in found}) > 1
    bars = [
        plots.Bar(
            f"{task_name(one.task)} after {gains.label(one.condition)}" if several
            else gains.label(one.condition),
            one.gain.mean or 0.0, one.gain.low, one.gain.high,
            one.p_holm is not None and one.p_holm < SIGNIFICANT,
        )
        for one in found
    ]  # fmt: skip
    return plots.intervals(bars, "points gained over none", "gains", folder)


def _table(found: Sequence[Gain]) -> Table:
    columns = ("task", "intermediate", "language", "size", "metric", *NUMBERS, "p_holm")
    rows = [
        (one.task, one.condition.intermediate, one.condition.intermediate_language,
         one.condition.intermediate_size, one.metric, *numbers(one.gain), one.p_holm)
        for one in found
    ]  # fmt: skip
    return Table("gains", "Points gained over no intermediate task", columns, rows)


def _by_language(found: Sequence[Gain]) -> Table:
    spoken = sorted({code for one in found for code in one.gain.by_language})
    rows = [
        (one.task, gains.label(one.condition), *(one.gain.by_language.get(x) for x in spoken))
        for one in found
    ]
    columns = ("task", "after", *spoken)
    return Table("gains_by_language", "Points gained, by target language", columns, rows)
