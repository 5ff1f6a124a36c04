"""What an intermediate task adds: scores after it against scores without, language by language."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from analysis import cells, multiplicity
from analysis.conditions import changed
from analysis.paired import Paired, difference, paired
from mt5x.studies.results import SEVERAL, Condition, ResultRow
from tasks import languages
from tasks.definitions import DATA_SETS

MOST_NAMED = 4
"""More languages than these are counted, not named."""

_TITLES = {name: one.title for name, one in DATA_SETS.items()} | {"anli_plus": "ANLI+"}
NONE = {"intermediate": None, "intermediate_language": None, "intermediate_size": None}


@dataclasses.dataclass(frozen=True)
class Gain:
    """The gain of a target task from one intermediate training, zero-shot.

    Attributes:
      task: the target task.
      metric: of the scores, in percent.
      condition: names the intermediate task, its language and its size.
      gain: after it minus without it, in points, by target language.
      spread: target language -> sample standard deviation over seeds; without those of one seed.
      p_holm: its p-value, corrected for all gains together.
    """

    task: str
    metric: str
    condition: Condition
    gain: Paired
    spread: Mapping[str, float]
    p_holm: float | None = None


def gains(rows: Sequence[ResultRow]) -> list[Gain]:
    """Returns the gain of every target task from every intermediate training, on clean text."""
    among = cells.groups(rows)
    found = []
    for group in among:
        if group.condition.intermediate is None or group.condition.perturbation is not None:
            continue
        without = cells.find(among, group.task, changed(group.condition, **NONE))
        if without is None:
            continue
        gain = paired(cells.differences(group, without))
        spread = cells.spreads(group, without)
        found.append(Gain(group.task, group.metric, group.condition, gain, spread))
    corrected = multiplicity.adjusted([one.gain.p for one in found], "holm")
    return [dataclasses.replace(one, p_holm=p) for one, p in zip(found, corrected, strict=True)]


def contrast(first: Gain, second: Gain) -> Paired:
    """Returns first minus second, over the languages that both have: which helps more."""
    return paired(difference(first.gain.by_language, second.gain.by_language))


def of_languages(gain: Gain, wanted: Iterable[str]) -> Paired:
    """Returns the gain over some of the target languages."""
    chosen = set(wanted)
    return paired({one: x for one, x in gain.gain.by_language.items() if one in chosen})


def by_resources(codes: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Splits languages in halves by how much text of them mC4 has.

    Returns:
      'high-resource' and 'low-resource' -> languages, most tokens first; those that mC4 does not
      have are the lowest. Empty for fewer than two languages.
    """
    known = languages.table()

    def tokens(code: str) -> float:
        return (known[code].mc4_tokens_billion or 0.0) if code in known else 0.0

    ordered = sorted(dict.fromkeys(codes), key=lambda code: (-tokens(code), code))
    if len(ordered) < 2:
        return {}
    half = (len(ordered) + 1) // 2
    return {"high-resource": tuple(ordered[:half]), "low-resource": tuple(ordered[half:])}


def label(condition: Condition, titles: Mapping[str, str] = _TITLES) -> str:
    """What an intermediate training is called, such as 'QQP (es), 1,000 examples'."""
    if condition.intermediate is None:
        return "no intermediate task"
    text = titles.get(condition.intermediate, condition.intermediate)
    spoken = (condition.intermediate_language or "en").split(SEVERAL)
    if len(spoken) > MOST_NAMED:
        text += f" ({len(spoken)} languages)"
    elif spoken != ["en"]:
        text += f" ({', '.join(spoken)})"
    if condition.intermediate_size is not None:
        text += f", {condition.intermediate_size:,} examples"
    return text if condition.model is None else f"{text}, {condition.model}"
