"""Names beside the points of a scatter plot: the outermost ones, never over a point or a name."""

import dataclasses
from typing import Any

import numpy as np

MOST = 9

# A label's box and its distance from the point, in points (1/72 inch), at 6.5 point type.
_WIDTH, _HEIGHT, _GAP = 24.0, 7.5, 4.0
_RADIUS = 2.2

Box = tuple[float, float, float, float]
"""left, bottom, right, top."""


@dataclasses.dataclass(frozen=True)
class Label:
    """A label: its text, the point it names, and where it stands from there, in points."""

    text: str
    x: float
    y: float
    offset: tuple[float, float]
    align: str


def place_labels(
    axes: Any, x: np.ndarray, y: np.ndarray, names: list[str], most: int = MOST
) -> list[Label]:
    """Returns labels for the points farthest from the middle, where there is room for them.

    Args:
      axes: matplotlib axes whose limits and layout are settled.
      x, y: [points], the data.
      names: a name per point.
      most: at most so many labels.
    """
    to_points = 72 / axes.figure.dpi
    points = axes.transData.transform(np.column_stack([x, y])) * to_points
    (left, bottom), (right, top) = axes.bbox.get_points() * to_points
    frame = (left, bottom, right + 6, top)
    spread = np.maximum(np.ptp(points, axis=0), 1e-9)
    distance = (((points - points.mean(axis=0)) / spread) ** 2).sum(axis=1)

    labels: list[Label] = []
    taken: list[Box] = []
    for i in np.argsort(-distance, kind="stable"):
        for side, up in ((1, 0), (-1, 0), (1, 6), (-1, 6), (1, -6), (-1, -6)):
            box_left = points[i, 0] + (_GAP if side > 0 else -_GAP - _WIDTH)
            box_bottom = points[i, 1] + up - _HEIGHT / 2
            box = (box_left, box_bottom, box_left + _WIDTH, box_bottom + _HEIGHT)
            if _inside(box, frame) and _free(box, np.delete(points, i, axis=0), taken):
                taken.append(box)
                offset = (side * _GAP, float(up))
                align = "left" if side > 0 else "right"
                labels.append(Label(names[i], float(x[i]), float(y[i]), offset, align))
                break
        if len(labels) == most:
            break
    return labels


def _inside(box: Box, frame: Box) -> bool:
    low = box[0] >= frame[0] and box[1] >= frame[1]
    return low and box[2] <= frame[2] and box[3] <= frame[3]


def _free(box: Box, points: np.ndarray, taken: list[Box]) -> bool:
    """Whether a box covers no point and no label."""
    left, bottom, right, top = box
    near_x = (points[:, 0] > left - _RADIUS) & (points[:, 0] < right + _RADIUS)
    near_y = (points[:, 1] > bottom - _RADIUS) & (points[:, 1] < top + _RADIUS)
    if (near_x & near_y).any():
        return False
    return all(right < a or left > c or top < b or bottom > d for a, b, c, d in taken)
