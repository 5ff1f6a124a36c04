"""What noise in the test set costs, by kind, strength and what the model was trained on before."""

from collections.abc import Sequence
from pathlib import Path

from analysis import gains, robustness
from analysis.conditions import changed
from analysis.paired import Paired
from analysis.report import plots
from analysis.report.drawing import Drawing
from analysis.report.findings import SIGNIFICANT, Findings
from analysis.report.section import NUMBERS, Section, evidence, numbers, points
from analysis.report.tables import Table
from analysis.report.words import count, decimal, listing, task_name
from analysis.robustness import Drop
from mt5x.studies.results import Condition

_METHOD = (
    "A drop is the clean score minus the noisy one, of the same seed, source, target and training, "
    "over the languages that the model was not tuned on; relative drops are in percent of the "
    "clean score. Tests and intervals are those of the gains. Flips are predictions that differ "
    "from those on clean text, in percent of the examples, and of those of one label."
)


def section(findings: Findings, folder: Path) -> Section | None:
    """Returns the section, or None where nothing was perturbed."""
    found = findings.drops
    if not found:
        return None
    return Section(
        id="robustness",
        title="What noise costs",
        answer=_answer(found),
        sentences=[*_trainings(found), *_flips(found)],
        drawings=[_drawing(found, folder)],
        tables=[_table(found), _by_language(found)],
        method=_METHOD,
    )


def noise(drop: Drop) -> str:
    """What a kind of noise is called, such as 'typos in 10%'."""
    return f"{drop.condition.perturbation} at {drop.condition.strength}%"


def _answer(found: Sequence[Drop]) -> str:
    worst = max(found, key=lambda one: one.drop.mean or 0.0)
    mean = worst.drop.mean or 0.0
    if mean <= 0:
        return f"No noise cost anything: the most is {noise(worst)} {evidence(worst.drop)}."
    relative = "" if worst.relative.mean is None else f", {decimal(worst.relative.mean, 0)}% of it"
    return (
        f"The noise that costs most, {noise(worst)}, takes {points(mean)} from zero-shot "
        f"{task_name(worst.task)}{_after(worst)}{relative} {evidence(worst.drop)}."
    )


def _after(drop: Drop) -> str:
    if drop.condition.intermediate is None:
        return ""
    return f" after {gains.label(drop.condition)}"


def _flips(found: Sequence[Drop]) -> list[str]:
    told = [one for one in found if one.flips is not None]
    if not told:
        return []
    most = max(told, key=lambda one: one.flips or 0)
    text = f"{noise(most).capitalize()} turns over {decimal(most.flips or 0)}% of the predictions"
    if most.flips_of:
        each = [f"{decimal(x)}% where it is {label}" for label, x in most.flips_of.items()]
        text += f": {listing(each)}"
    return [f"{text} ({task_name(most.task)}{_after(most)})."]


def _together(found: Sequence[Drop]) -> dict[tuple[str, Condition], Paired]:
    """(task, training) -> mean drop over all its noise."""
    groups: dict[tuple[str, Condition], list[Drop]] = {}
    for one in found:
        training = changed(one.condition, perturbation=None, strength=None)
        groups.setdefault((one.task, training), []).append(one)
    return {key: robustness.together(group) for key, group in groups.items()}


def _trainings(found: Sequence[Drop]) -> list[str]:
    """What all noise together costs after each training, and against the same in English."""
    means = _together(found)
    if len(means) < 2:
        return []
    kinds = count(len({noise(one) for one in found}), "kind")
    texts = []
    for (task, training), mean in means.items():
        after = "without an intermediate task" if training.intermediate is None else (
            f"after {gains.label(training)}"
        )  # fmt: skip
        english = changed(training, intermediate_language="en")
        text = (
            f"Over {kinds} of noise {task_name(task)} loses {decimal(mean.mean or 0)} points "
            f"{after} {evidence(mean)}"
        )
        if training != english and training.intermediate and (task, english) in means:
            more = robustness.contrast(mean, means[task, english])
            word = "more" if (more.mean or 0) > 0 else "less"
            text += f", {points(more.mean or 0)} {word} than after it in English {evidence(more)}"
        texts.append(f"{text}.")
    return texts


def _drawing(found: Sequence[Drop], folder: Path) -> Drawing:
    """Each noise where the training is plain, then all noise together after each training."""
    plain = [one for one in found if one.condition.intermediate is None] or list(found)
    bars = [
        plots.Bar(
            f"{task_name(one.task)}, {noise(one)}",
            one.drop.mean or 0.0, one.drop.low, one.drop.high,
            one.p_holm is not None and one.p_holm < SIGNIFICANT,
        )
        for one in plain
    ]  # fmt: skip
    bars += [
        plots.Bar(
            f"{task_name(task)}, all noise, after {gains.label(training)}",
            mean.mean or 0.0, mean.low, mean.high, mean.p is not None and mean.p < SIGNIFICANT,
        )
        for (task, training), mean in _together(found).items()
        if training.intermediate is not None
    ]  # fmt: skip
    return plots.intervals(bars, "points lost to noise", "drops", folder)


def _table(found: Sequence[Drop]) -> Table:
    columns = ("task", "noise", "strength", "after", "metric", *NUMBERS, "p_holm",
               "relative, %", "flips, %")  # fmt: skip
    rows = [
        (one.task, one.condition.perturbation, one.condition.strength,
         gains.label(one.condition), one.metric, *numbers(one.drop), one.p_holm,
         one.relative.mean, one.flips)
        for one in found
    ]  # fmt: skip
    return Table("drops", "Points lost to noise", columns, rows)


def _by_language(found: Sequence[Drop]) -> Table:
    spoken = sorted({code for one in found for code in one.drop.by_language})
    rows = [
        (one.task, noise(one), gains.label(one.condition),
         *(one.drop.by_language.get(code) for code in spoken))
        for one in found
    ]  # fmt: skip
    columns = ("task", "noise", "after", *spoken)
    return Table("drops_by_language", "Points lost, by target language", columns, rows)
