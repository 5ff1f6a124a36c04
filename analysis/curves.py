"""How a score grows with the number of examples, or of languages: which curve, and how steeply.

Each language has its own level; the curves tell what changes with n. With g as below,

  score(language, n) = level(language) + b g(n) + noise

  constant     g = 0
  linear       g = n
  logarithmic  g = log2(1 + n/n0): a doubling of n much above n0 adds b points. n0 is the least n
               above zero, so that zero, whose logarithm is not there, is one step below n0.
  power        g = (n/n0)^c, 0 < c < 1
  saturating   g = 1 - exp(-n/s)

They are compared by AICc, by BIC and by the error at an n that was held out (leave one n out).
"""

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from analysis import cells
from analysis.cells import Group
from analysis.conditions import changed
from mt5x.studies.results import SEVERAL, Condition, ResultRow

AXES = {
    "intermediate_size": "examples of the intermediate task",
    "source_size": "examples of the source language",
    "shots": "examples of the target language",
    "sources": "source languages",
}
"""What n can be: a field of `Condition`, or 'sources', the number of languages of a source."""

SHAPES = ("constant", "linear", "logarithmic", "power", "saturating")
RESAMPLES = 1_000
FEWEST = 3
"""Fewer different n than this make no curve."""

Shape = Callable[[np.ndarray, float], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Fit:
    """One shape, fitted.

    Attributes:
      shape: of `SHAPES`.
      b: points per unit of g.
      parameter: c or s, or None.
      rss: residual sum of squares, points squared.
      aicc, bic: smaller is better; None where there are too few scores for the correction.
      held_out: root mean squared error, in points, at values of n left out of the fit in turn.
    """

    shape: str
    b: float
    parameter: float | None
    rss: float
    aicc: float | None
    bic: float
    held_out: float | None


@dataclasses.dataclass(frozen=True)
class Curve:
    """A task's score against n.

    Attributes:
      axis: a key of `AXES`.
      task: the task.
      metric: of the scores, in percent.
      condition: all else, the field of the axis left out.
      points: n -> target language -> score, mean over seeds and sources.
      fits: one for each shape; empty with fewer than `FEWEST` n.
      slope: points for a doubling of n, by the logarithmic fit.
      low, high: its 95% interval, Student's over languages; None with fewer than three.
      p_trend: of Page's test that the score rises with n, languages being blocks; None where it
        cannot be computed.
      reason: why there is no curve.
    """

    axis: str
    task: str
    metric: str
    condition: Condition
    points: Mapping[int, Mapping[str, float]]
    fits: Sequence[Fit] = ()
    slope: float | None = None
    low: float | None = None
    high: float | None = None
    p_trend: float | None = None
    reason: str | None = None

    @property
    def best(self) -> Fit | None:
        """The fit of least AICc, or of least BIC where AICc is not known."""
        if not self.fits:
            return None
        return min(self.fits, key=lambda fit: fit.bic if fit.aicc is None else fit.aicc)

    @property
    def sizes(self) -> list[int]:
        """The different n, least first."""
        return sorted(self.points)

    def mean(self, n: int) -> float:
        """The mean over languages at n."""
        return float(np.mean(list(self.points[n].values())))

    def at(self, fit: Fit, n: np.ndarray) -> np.ndarray:
        """The fitted mean over languages at any n."""
        x, y, _ = _table(self.points)
        g = _shapes(min(filter(None, self.sizes), default=1))[fit.shape]
        parameter = fit.parameter or 1.0
        return y.mean() + fit.b * (g(np.asarray(n, float), parameter) - g(x, parameter).mean())


def curves(rows: Sequence[ResultRow], seed: int = 0) -> list[Curve]:
    """Returns a curve for each task, condition and axis along which there are several n.

    n = 0 is the condition without: no intermediate task, or no shots. Targets are those that were
    scored at every n.
    """
    among = [one for one in cells.groups(rows) if one.condition.perturbation is None]
    found: dict[tuple[str, str, str, Condition], dict[int, Group]] = defaultdict(dict)
    for axis in AXES:
        for group in among:
            for n, condition, part in _along(axis, group):
                found[axis, group.task, group.metric, condition][n] = part
        for (of, task, _, condition), points in found.items():
            if of == axis and (without := _without(axis, condition)) is not None:
                none = cells.find(among, task, without)
                if none is not None:
                    points[0] = none
    return [
        fitted(axis, task, metric, condition, common, seed)
        for (axis, task, metric, condition), points in found.items()
        if len(common := _common(points)) > 1
    ]


def fitted(
    axis: str,
    task: str,
    metric: str,
    condition: Condition,
    points: Mapping[int, Mapping[str, float]],
    seed: int = 0,
) -> Curve:
    """Fits every shape to scores by n and language; each n has all languages."""
    plain = Curve(axis, task, metric, condition, points)
    if len(points) < FEWEST:
        return dataclasses.replace(plain, reason=f"only {len(points)} different numbers")
    x, y, language = _table(points)
    if np.ptp(y) == 0:
        return dataclasses.replace(plain, reason="the score is the same everywhere")
    fits = [_fit(shape, x, y, language) for shape in SHAPES]
    slope = next(fit.b for fit in fits if fit.shape == "logarithmic")
    low, high = _slope_interval(points, seed)
    return dataclasses.replace(
        plain, fits=fits, slope=slope, low=low, high=high, p_trend=_trend(points)
    )


@dataclasses.dataclass(frozen=True)
class Meeting:
    """Where two curves have the same mean.

    Attributes:
      n: by the logarithmic fits; None where they do not meet within the numbers that were tried.
      low, high: 95% interval over languages drawn with replacement; None where they meet in fewer
        than nine tenths of the draws.
    """

    n: float | None
    low: float | None = None
    high: float | None = None


def meeting(first: Curve, second: Curve, seed: int = 0) -> Meeting:
    """Returns the number of examples at which two curves meet, over the languages of both."""
    names = sorted(_languages(first) & _languages(second))
    if first.reason or second.reason or not names:
        return Meeting(None)
    n = _crossing(first, second, names)
    rng = np.random.default_rng(seed)
    draws = [
        _crossing(first, second, list(rng.choice(names, len(names)))) for _ in range(RESAMPLES)
    ]
    known = [one for one in draws if one is not None]
    if n is None or len(names) < FEWEST or len(known) < 0.9 * RESAMPLES:
        return Meeting(n)
    low, high = np.quantile(known, [0.025, 0.975])
    return Meeting(n, float(low), float(high))


def _along(axis: str, group: Group) -> list[tuple[int, Condition, Group]]:
    """The points that a group gives along an axis: n, the rest of the condition, the scores."""
    if axis != "sources":
        n = getattr(group.condition, axis)
        return [] if n is None else [(n, changed(group.condition, **{axis: None}), group)]
    by_count: dict[int, dict[cells.Cell, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (seed, source, *rest), score in group.scores.items():
        if source is not None:
            by_count[source.count(SEVERAL) + 1][(seed, None, *rest)].append(score)
    if len(by_count) < 2:
        return []
    return [
        (n, group.condition, dataclasses.replace(group, scores=_means(scores)))
        for n, scores in by_count.items()
    ]


def _means(scores: Mapping[cells.Cell, Sequence[float]]) -> dict[cells.Cell, float]:
    return {cell: float(np.mean(several)) for cell, several in scores.items()}


def _without(axis: str, condition: Condition) -> Condition | None:
    """What n = 0 is called in a row, where it is not called by the number."""
    if axis == "intermediate_size" and condition.intermediate is not None:
        return changed(condition, intermediate=None, intermediate_language=None)
    return condition if axis == "shots" else None


def _common(points: Mapping[int, Group]) -> dict[int, dict[str, float]]:
    """Target language -> score by n, over the cells that are scored at every n; {} without any."""
    ordered = sorted(points)
    parts = cells.shared(*(points[n] for n in ordered))
    if not parts[0].scores:
        return {}
    return {n: cells.by_target(part) for n, part in zip(ordered, parts, strict=True)}


def _languages(curve: Curve) -> set[str]:
    return set(next(iter(curve.points.values())))


def _table(
    points: Mapping[int, Mapping[str, float]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns n, score and the number of the language of every point, each [points]."""
    names = list(next(iter(points.values())))
    cells_of = [(n, points[n][one], place) for n in points for place, one in enumerate(names)]
    n, scores, places = zip(*cells_of, strict=True)
    return np.array(n, float), np.array(scores, float), np.array(places)


def _shapes(n0: float) -> dict[str, Shape]:
    return {
        "constant": lambda n, _: np.zeros_like(n),
        "linear": lambda n, _: n / n0,
        "logarithmic": lambda n, _: np.log2(1 + n / n0),
        "power": lambda n, c: (n / n0) ** c,
        "saturating": lambda n, s: 1 - np.exp(-n / s),
    }


def _bounds(shape: str, x: np.ndarray) -> tuple[float, float] | None:
    """Where the shape's own parameter lies; None for one that has none."""
    if shape == "power":
        return 0.05, 0.95
    if shape == "saturating":
        return float(x[x > 0].min()) / 4, 4 * float(x.max())
    return None


def _fit(shape: str, x: np.ndarray, y: np.ndarray, language: np.ndarray) -> Fit:
    b, parameter, rss = _least_squares(shape, x, y, language)
    count, levels = len(y), len(set(language.tolist()))
    # A level a language, the noise, and what the shape has.
    free = levels + 1 + {"constant": 0, "power": 2, "saturating": 2}.get(shape, 1)
    # Of equal scores the likelihood has no bound; their rounding stands for the noise.
    likelihood = count * np.log(max(rss, 1e-12 * count) / count)
    spare = count - free - 1
    return Fit(
        shape=shape,
        b=b,
        parameter=parameter,
        rss=rss,
        aicc=float(likelihood + 2 * free + 2 * free * (free + 1) / spare) if spare > 0 else None,
        bic=float(likelihood + free * np.log(count)),
        held_out=_held_out(shape, x, y, language),
    )


def _least_squares(
    shape: str, x: np.ndarray, y: np.ndarray, language: np.ndarray
) -> tuple[float, float | None, float]:
    """Returns b, the shape's own parameter, and the residual sum of squares."""
    from scipy import optimize

    g = _shapes(float(x[x > 0].min()))[shape]

    def solved(parameter: float) -> tuple[float, float]:
        inside = _centred(g(x, parameter), language)
        around = _centred(y, language)
        size = float(inside @ inside)
        b = float(inside @ around) / size if size > 0 else 0.0
        return b, float(((around - b * inside) ** 2).sum())

    bounds = _bounds(shape, x)
    if bounds is None:
        b, rss = solved(1.0)
        return b, None, rss
    low, high = np.log(bounds)
    found = optimize.minimize_scalar(
        lambda log: solved(float(np.exp(log)))[1], bounds=(low, high), method="bounded"
    )
    parameter = float(np.exp(found.x))
    b, rss = solved(parameter)
    return b, parameter, rss


def _centred(values: np.ndarray, language: np.ndarray) -> np.ndarray:
    """The values less the mean of their language."""
    means = np.bincount(language, values) / np.bincount(language)
    return values - means[language]


def _held_out(shape: str, x: np.ndarray, y: np.ndarray, language: np.ndarray) -> float | None:
    """The error at each n when it is left out, over all languages; None with too few n."""
    squares: list[np.ndarray] = []
    for n in np.unique(x):
        kept = x != n
        if len(np.unique(x[kept])) < 2 or not (x[kept] > 0).any():
            return None
        b, parameter, _ = _least_squares(shape, x[kept], y[kept], language[kept])
        g = _shapes(float(x[kept][x[kept] > 0].min()))[shape]
        inside = g(x, parameter or 1.0)
        left = np.bincount(language[kept], y[kept] - b * inside[kept])
        levels = left / np.bincount(language[kept])
        squares.append((y - levels[language] - b * inside)[~kept] ** 2)
    return float(np.sqrt(np.concatenate(squares).mean()))


def _slope_interval(
    points: Mapping[int, Mapping[str, float]], seed: int
) -> tuple[float | None, float | None]:
    """95% interval of the logarithmic fit's b, over languages: Student's of their own slopes."""
    from scipy import stats

    slopes = np.array([_slope({n: {one: at[one]} for n, at in points.items()}) for one in
                       next(iter(points.values()))])  # fmt: skip
    if len(slopes) < FEWEST:
        return None, None
    half = stats.t.ppf(0.975, len(slopes) - 1) * slopes.std(ddof=1) / np.sqrt(len(slopes))
    return float(slopes.mean() - half), float(slopes.mean() + half)


def _slope(points: Mapping[int, Mapping[str, float]]) -> float:
    return _least_squares("logarithmic", *_table(points))[0]


def _trend(points: Mapping[int, Mapping[str, float]]) -> float | None:
    """Page's p that the score rises with n."""
    from scipy import stats

    ordered = sorted(points)
    blocks = np.array([[points[n][one] for n in ordered] for one in points[ordered[0]]])
    if len(blocks) < 2:
        return None
    return float(stats.page_trend_test(blocks).pvalue)


def _crossing(first: Curve, second: Curve, names: Sequence[str]) -> float | None:
    """The n at which the logarithmic fits over some languages (with repetition) are equal."""
    from scipy import optimize

    largest = min(max(first.points), max(second.points))

    def mean_at(curve: Curve) -> Callable[[float], float]:
        n0 = min(n for n in curve.points if n > 0)
        g = _shapes(n0)["logarithmic"]
        ordered = sorted(curve.points)
        x = np.array(ordered, float)
        y = np.array([np.mean([curve.points[n][one] for one in names]) for n in ordered])
        b, a = np.polyfit(g(x, 1.0), y, 1)
        return lambda n: float(a + b * g(np.array([n]), 1.0)[0])

    one, other = mean_at(first), mean_at(second)

    def gap(n: float) -> float:
        return one(n) - other(n)

    if gap(0.0) * gap(largest) >= 0:
        return None
    return float(optimize.brentq(gap, 0.0, largest))
