"""The colours of the report, once: for the figures, and as CSS variables for the page.

The heat scale runs in lightness along one hue, so it reads the same to colour-blind readers, in
grey print, and with the dark theme's scale turned round. Accents are a blue and an orange, which
all common kinds of colour blindness tell apart.
"""

PAPER, INK, MUTED, RULE = "#fdfcfa", "#1d2126", "#626972", "#e2dfd8"
ACCENT, SECOND = "#23618f", "#b8570f"
HEAT = (
    "#f1f4f6", "#dfe9f0", "#c9dce8", "#b1cde0", "#8cb4d1", "#6497bb", "#3f769f", "#2c638d",
    "#1b4d78", "#0e375c",
)  # fmt: skip

DARK = {
    "paper": "#14171a", "ink": "#e9e6e0", "muted": "#9ba3ab", "rule": "#2d3338",
    "accent": "#84b6dc", "second": "#eb9c5c",
}  # fmt: skip
DARK_HEAT = (
    "#1d242a", "#212e38", "#253949", "#2a465a", "#31546d", "#3e6987", "#5f8dad", "#7ca7c6",
    "#a5c5dd", "#cbe0f0",
)  # fmt: skip

LIGHT = {
    "paper": PAPER, "ink": INK, "muted": MUTED, "rule": RULE, "accent": ACCENT, "second": SECOND,
}  # fmt: skip

SMALL = 10.0
"""Tables whose scores are all below this are shown with a decimal."""

FIRST_INVERTED = 6
"""From this step of the heat scale on, the numbers in the cells take the paper's colour."""


def css() -> str:
    """Returns both themes as CSS variables."""
    light = _variables(LIGHT, HEAT)
    dark = _variables(DARK, DARK_HEAT)
    steps = "\n".join(
        f".h{i}{{background:var(--h{i});color:var(--{'paper' if i >= FIRST_INVERTED else 'ink'})}}"
        for i in range(len(HEAT))
    )
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{steps}\n"
    )


def step(value: float, low: float, high: float) -> int:
    """Returns the step of the heat scale, 0 ... 9, for a value between `low` and `high`."""
    if high <= low:
        return 0
    return min(len(HEAT) - 1, max(0, int(len(HEAT) * (value - low) / (high - low))))


def bounds(values: list[float]) -> tuple[float, float]:
    """Returns the ends of a heat scale: the values' range, widened to multiples of 5 (or of 1).

    >>> bounds([12.0, 83.4]), bounds([0.3, 3.4])
    ((10.0, 85.0), (0.0, 4.0))
    """
    nearest = 5 if max(values) >= SMALL else 1
    low = nearest * (min(values) // nearest)
    high = nearest * -(-max(values) // nearest)
    return float(low), float(high if high > low else low + nearest)


def digits(values: list[float]) -> int:
    """Returns how many decimals a heat map shows."""
    return 0 if max(values) >= SMALL else 1


def _variables(theme: dict[str, str], heat: tuple[str, ...]) -> str:
    named = "".join(f"--{name}:{colour};" for name, colour in theme.items())
    return named + "".join(f"--h{i}:{colour};" for i, colour in enumerate(heat))
