"""Made-up rows with intermediate tasks, shots, sizes, several sources and noise."""

import itertools
from typing import Any

import numpy as np

from mt5x.studies.results import ResultRow

TARGETS = ("ar", "bn", "fi", "hi", "id", "ru", "sw")
GAIN, PER_DOUBLING, DROP = 8.0, 2.0, 6.0
SIZES = (100, 200, 400, 800)


def row(target: str, value: float, seed: int = 0, source: str = "en", **fields: Any) -> ResultRow:
    stage = f"evaluate-{source}-{sorted(fields.items())}"
    return ResultRow(
        study="made up", stage=stage, seed=seed, task=fields.pop("task", "panx"), source=source,
        target=target, split="validation", metric=fields.pop("metric", "span_f1"), value=value,
        num_examples=100, step=10, **fields,
    )  # fmt: skip


def rows(seeds: int = 2, noise: float = 0.5) -> list[ResultRow]:
    """GAIN points more after 'qqp', by its size PER_DOUBLING a doubling, DROP less under typos."""
    rng = np.random.default_rng(0)
    found = []
    for seed, (place, target) in itertools.product(range(seeds), enumerate(TARGETS)):

        def score(more: float, level: float = 40.0 + 3 * place) -> float:
            return float(np.clip(level + more + rng.normal(0, noise), 0, 100))

        plain: dict[str, Any] = {"intermediate": "qqp", "intermediate_language": "en"}
        found.append(row(target, score(0), seed))
        found.append(row(target, score(GAIN), seed, **plain))
        found.append(row(target, score(GAIN - 3), seed, **{**plain, "intermediate_language": "es"}))
        found += [
            row(target, score(PER_DOUBLING * np.log2(1 + n / SIZES[0])), seed, **plain,
                intermediate_size=n)
            for n in SIZES
        ]  # fmt: skip
        typos: dict[str, Any] = {"perturbation": "typos", "strength": 10}
        found.append(row(target, score(-DROP), seed, **typos))
        found.append(row(target, 30.0, seed, metric="flips", **typos))
        found.append(row(target, 20.0, seed, metric="flips_yes", **typos))
        found.append(row(target, score(GAIN - DROP / 2), seed, **plain, **typos))
        found.append(row(target, score(GAIN - 3 - DROP), seed,
                         **{**plain, "intermediate_language": "es"}, **typos))  # fmt: skip
        found += [row(target, score(k), seed, shots=k) for k in (4, 8, 16)]
        found += [
            row(target, score(4 * count), seed, source="+".join(["en", "de", "fr", "es"][:count]))
            for count in (2, 3, 4)
        ]
    return found
