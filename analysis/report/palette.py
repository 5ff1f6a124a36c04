"""The colours of the report, once: for the figures, and as CSS variables for the page.

The heat scale runs in lightness along one hue, so it reads the same to colour-blind readers, in
grey print, and with the dark theme's scale turned round. Accents are a blue and an orange, which
all common kinds of colour blindness tell apart.
"""

PAPER, INK, MUTED, RULE = "#fdfcfa", "#1d2126", "#626972", "#e2dfd8"
ACCENT, SECOND = "#23618f", "#b8570f"
HEAT = (
    "#f1f4f6", "#dce7ee", "#c4d8e5", "#a9c7da", "#8bb3cd", "#6b9dbf", "#4c85ad", "#316c98",
    "#1d527e", "#0f3a60",
)  # fmt: skip

DARK = {
    "paper": "#14171a", "ink": "#e9e6e0", "muted": "#9ba3ab", "rule": "#2d3338",
    "accent": "#84b6dc", "second": "#eb9c5c",
}  # fmt: skip
DARK_HEAT = (
    "#1d242a", "#22303b", "#273d4d", "#2d4b61", "#355b77", "#406d8f", "#5483a7", "#709cbf",
    "#95b9d6", "#c3dbee",
)  # fmt: skip

LIGHT = {
    "paper": PAPER, "ink": INK, "muted": MUTED, "rule": RULE, "accent": ACCENT, "second": SECOND,
}  # fmt: skip

FIRST_INVERTED = 5
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


def bounds(values: list[float], nearest: int = 5) -> tuple[float, float]:
    """Returns the ends of a heat scale: the values' range, widened to multiples of `nearest`.

    >>> bounds([12.0, 83.4])
    (10.0, 85.0)
    """
    low = nearest * (min(values) // nearest)
    high = nearest * -(-max(values) // nearest)
    return float(low), float(high if high > low else low + nearest)


def _variables(theme: dict[str, str], heat: tuple[str, ...]) -> str:
    named = "".join(f"--{name}:{colour};" for name, colour in theme.items())
    return named + "".join(f"--h{i}:{colour};" for i, colour in enumerate(heat))
