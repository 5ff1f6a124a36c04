"""How many predictions noise turns over: a noisy evaluation beside the clean one."""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from mt5x.errors import UserError
from mt5x.studies.store import Figures

FLIPS = "flips"
"""Metric: percent of examples whose prediction is another than on clean text; `flips_LABEL` of
those examples alone whose target is LABEL, where there are few different targets."""

_FEW = 5
_PREDICTIONS = "-predictions.jsonl"


def with_flips(figures: Figures, noisy: Path, clean: Path) -> Figures:
    """Returns the figures of a noisy evaluation with its flips.

    Args:
      figures: target language -> metric -> value.
      noisy: folder of the noisy evaluation, with a file of predictions a task.
      clean: folder of the clean one.

    Raises:
      UserError: the two do not hold the same examples.
    """
    before = {_language(path): path for path in clean.glob(f"*{_PREDICTIONS}")}
    found = {target: dict(metrics) for target, metrics in figures.items()}
    for path in sorted(noisy.glob(f"*{_PREDICTIONS}")):
        language = _language(path)
        if language in found and language in before:
            found[language] |= _flips(path, before[language])
    return found


def _flips(noisy: Path, clean: Path) -> Mapping[str, float]:
    after, before = _records(noisy), _records(clean)
    if [one["targets"] for one in after] != [one["targets"] for one in before]:
        raise UserError(
            f"{noisy} and {clean} are not of the same examples, so none can be compared"
        )
    changed: dict[str, list[bool]] = defaultdict(list)
    for one, other in zip(after, before, strict=True):
        changed[one["targets"]].append(one["prediction"] != other["prediction"])
    flips = {FLIPS: _percent([flip for each in changed.values() for flip in each])}
    if len(changed) <= _FEW:
        flips |= {f"{FLIPS}_{target}": _percent(each) for target, each in changed.items()}
    return flips


def _percent(flips: list[bool]) -> float:
    return 100 * sum(flips) / len(flips)


def _records(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _language(path: Path) -> str:
    """Of 'xnli_eval.sw:typos10-000100-predictions.jsonl' 'sw'."""
    task = path.name.removesuffix(_PREDICTIONS).rpartition("-")[0]
    return task.partition(":")[0].rpartition(".")[2]
