"""A figure as the page holds it, and how one is saved: SVG and PNG files, themed in the page.

In the page an SVG's colours become the page's CSS variables, so one drawing serves light and dark;
its text stays text, in the page's font.
"""

import dataclasses
import io
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.report.palette import ACCENT, INK, MUTED, PAPER, RULE, SECOND

STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 8,
    "svg.fonttype": "none",
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A figure as the page holds it.

    Attributes:
      name: file name without ending.
      svg: the element for the page; no XML header, no outside reference.
      alt: what a reader who does not see it needs to know.
    """

    name: str
    svg: str
    alt: str


def save(figure: Figure, file_name: str, alt: str, folder: Path) -> Drawing:
    """Writes `file_name`.svg and .png into `folder` and returns the drawing for the page."""
    settle(figure)
    # The salt and the missing date make the same numbers give the same bytes.
    with mpl.rc_context({"svg.hashsalt": file_name}):
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Title": alt})
    (folder / f"{file_name}.svg").write_text(stream.getvalue(), encoding="utf-8")
    figure.savefig(folder / f"{file_name}.png", format="png", dpi=160, facecolor=PAPER)
    return Drawing(file_name, _for_page(stream.getvalue(), file_name, alt), alt)


def settle(figure: Figure) -> None:
    """Lays the figure out once; each later drawing would do it again."""
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")


def blank(width: float, height: float) -> tuple[Figure, Any]:
    """Returns a figure of so many inches, and its axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


_VARIABLES = {
    PAPER: "paper", INK: "ink", MUTED: "muted", RULE: "rule", ACCENT: "accent", SECOND: "second",
}  # fmt: skip


def _for_page(svg: str, prefix: str, alt: str) -> str:
    """Returns matplotlib's SVG as an element for the page: themed, its ids its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"<title>.*?</title>", "", svg, flags=re.S)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg)
    svg = re.sub(r'\s(width|height|version)="[^"]*"', "", svg, count=3)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = re.sub(r'xlink:href="#', f'href="#{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    # `font: 8px 'DejaVu Sans', ...` names a family; the page has its own.
    svg = re.sub(r"font: (?:(\d+|bold) )?([\d.]+px) [^;\"]*", r"font-size: \2", svg)
    escaped = alt.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return svg.replace("<svg", f'<svg role="img" aria-label="{escaped}"', 1).strip()
