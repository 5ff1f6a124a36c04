"""From counts to percent: the arithmetic that the metrics share."""


def percent(part: float, whole: float) -> float:
    """The share of `part` in `whole`, 0 to 100; 0 where there is nothing to have a share in."""
    return 100.0 * part / whole if whole else 0.0


def f1(right: float, claimed: float, wanted: float) -> float:
    """F1 in percent of `right` among the `claimed` by predictions and the `wanted` by gold.

    0 where nothing is claimed and nothing wanted, as scikit-learn's zero_division=0 says.
    """
    return percent(2 * right, claimed + wanted)
