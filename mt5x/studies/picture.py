"""The graph of a study as a picture: boxes of stages that are alike, arrows from what they need.

A study has hundreds of stages and few kinds of them, so a box holds all that differ in language,
size, shots and seed alone; its second line says how many there are.
"""

import dataclasses
import html
from collections import defaultdict
from collections.abc import Mapping, Sequence

from mt5x.studies import stage as kinds
from mt5x.studies.stage import Stage

_WIDTH, _HEIGHT, _GAP, _AISLE, _MARGIN, _HEAD = 230, 46, 14, 90, 20, 50
_COLOURS = {
    kinds.TRAIN: "#cfe2f3",
    kinds.EVALUATE: "#d9ead3",
    kinds.LM_STATISTICS: "#fce5cd",
    kinds.MAJORITY_BASELINE: "#eeeeee",
}


@dataclasses.dataclass(frozen=True)
class Box:
    """Stages that are alike.

    Attributes:
      label: what they do.
      kind: their kind.
      count: how many they are.
      steps: training steps of all of them.
      column: how many boxes lie before it on its longest way.
      parents: labels of the boxes that give what they need.
    """

    label: str
    kind: str
    count: int
    steps: int
    column: int
    parents: tuple[str, ...]


def boxes(stages: Sequence[Stage]) -> list[Box]:
    """Returns the boxes of a study's stages, those further left first."""
    label_of = {one.name: _label(one) for one in stages}
    members: dict[str, list[Stage]] = defaultdict(list)
    parents: dict[str, dict[str, None]] = defaultdict(dict)
    for one in stages:
        members[label_of[one.name]].append(one)
        for name in one.parents:
            parents[label_of[one.name]][label_of[name]] = None
    columns: dict[str, int] = {}

    def column(label: str) -> int:
        if label not in columns:
            columns[label] = 1 + max((column(one) for one in parents[label]), default=-1)
        return columns[label]

    found = [
        Box(
            label=label,
            kind=group[0].kind,
            count=len(group),
            steps=sum(one.steps for one in group),
            column=column(label),
            parents=tuple(parents[label]),
        )
        for label, group in members.items()
    ]
    return sorted(found, key=lambda box: box.column)


def svg(stages: Sequence[Stage], title: str) -> str:
    """Returns the picture as an SVG document."""
    found = boxes(stages)
    corners: dict[str, tuple[int, int]] = {}
    heights: dict[int, int] = defaultdict(int)
    for box in found:
        x = _MARGIN + box.column * (_WIDTH + _AISLE)
        corners[box.label] = (x, _HEAD + heights[box.column] * (_HEIGHT + _GAP))
        heights[box.column] += 1
    width = 2 * _MARGIN + len(heights) * (_WIDTH + _AISLE) - _AISLE
    height = _HEAD + max(heights.values()) * (_HEIGHT + _GAP) + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="13" role="img">',
        f"<title>{html.escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{_MARGIN}" y="28" font-size="16" font-weight="bold">{html.escape(title)}</text>',
    ]
    parts += [line for box in found for line in _arrows(box, corners)]
    parts += [_drawn(box, *corners[box.label]) for box in found]
    return "\n".join([*parts, "</svg>\n"])


def _label(stage: Stage) -> str:
    """What a stage does, without what tells it from its like."""
    role, condition = stage.name.partition("-")[0], stage.condition
    label = {
        "pretrain": "pretraining",
        "lm_statistics": "LM statistics",
        "intermediate": f"intermediate {stage.task}",
        "finetune": f"tune on {stage.task}",
        "few_shot": f"few shots of {stage.task}",
        "evaluate": f"evaluate {stage.task}",
        "majority_baseline": f"majority baseline {stage.task}",
    }[role]
    if role == "evaluate" and condition.shots:
        label += ", few shots"
    return label if condition.perturbation is None else f"{label}, {condition.perturbation}"


def _drawn(box: Box, x: int, y: int) -> str:
    runs = f"{box.count} x" + (f", {box.steps:,} steps" if box.steps else "")
    return (
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" '
        f'fill="{_COLOURS[box.kind]}" stroke="#555555"/>'
        f'<text x="{x + 10}" y="{y + 19}" fill="black">{html.escape(box.label)}</text>'
        f'<text x="{x + 10}" y="{y + 37}" fill="#444444">{runs}</text>'
    )


def _arrows(box: Box, corners: Mapping[str, tuple[int, int]]) -> list[str]:
    x, y = corners[box.label]
    lines = []
    for parent in box.parents:
        left, top = corners[parent][0] + _WIDTH, corners[parent][1] + _HEIGHT // 2
        middle, end = (left + x) // 2, y + _HEIGHT // 2
        lines.append(
            f'<path d="M{left},{top} C{middle},{top} {middle},{end} {x},{end}" fill="none" '
            f'stroke="#888888"/>'
        )
    return lines
