"""MADE-UP result rows for tests: no model was trained, no number here was measured.

Scores follow a formula: a level per source and target, a slope on planted syntactic similarity,
and noise from a fixed seed. They look like a study of three tasks over ten languages, so that a
test of the report has something to say.
"""

import itertools
import json
from pathlib import Path

import numpy as np

from mt5x.studies.results import MAJORITY_BASELINE, ResultRow, write_rows

STUDY = "made-up numbers (test data)"
TEN = "ar bn de en es fi hi id ru sw".split()
TASKS = {
    # task: languages, metric -> in-language level, zero-shot slope, baseline, split
    "panx": (TEN, "span_f1", 82.0, 30.0, 3.0, "test"),
    "xnli": ("ar de en es hi ru sw".split(), "accuracy", 72.0, 18.0, 33.3, "test"),
    "tydiqa": ("ar bn en fi id ru sw".split(), "f1", 64.0, 40.0, 4.0, "validation"),
}


def syntax(seed: int = 0) -> dict[str, dict[str, float]]:
    """A symmetric made-up similarity of the ten languages."""
    rng = np.random.default_rng(seed)
    place = rng.normal(size=(len(TEN), 3))
    distance = np.linalg.norm(place[:, None] - place[None], axis=-1)
    similarity = np.exp(-distance / 3)
    return {
        s: {t: round(float(similarity[i, j]), 4) for j, t in enumerate(TEN)}
        for i, s in enumerate(TEN)
    }


def rows(seeds: int = 3) -> list[ResultRow]:
    """Returns made-up rows of PANX 10 x 10, XNLI 7 x 7, TyDiQA 7 x 7 and LM statistics."""
    rng = np.random.default_rng(1)
    similarity = syntax()
    level = {language: float(rng.normal(0, 4)) for language in TEN}
    result = []

    def add(stage, seed, task, source, target, split, metric, value, n=500, step=2000):
        result.append(
            ResultRow(
                study=STUDY,
                stage=stage,
                seed=seed,
                task=task,
                source=source,
                target=target,
                split=split,
                metric=metric,
                value=round(float(value), 4),
                num_examples=n,
                step=step,
                provenance={"commit": "0000000", "made_up": True},
            )
        )

    for task, (languages, metric, top, slope, base, split) in TASKS.items():
        for source, target in itertools.product(languages, repeat=2):
            own = top + level[target]
            alike = similarity[source][target]
            gap = 0 if source == target else slope * (1.25 - alike) + 0.5 * level[source]
            noise = rng.normal(0, 3)
            for seed in range(seeds):
                score = max(base + 1, own - gap + noise + rng.normal(0, 1.2))
                add("finetune", seed, task, source, target, split, metric, score)
                if task == "tydiqa":
                    add("finetune", seed, task, source, target, split, "em", 0.8 * score)
        for target in languages:
            add(MAJORITY_BASELINE, 0, task, None, target, split, metric, base + rng.uniform(0, 1))
    for language in TEN:
        nll = 2.4 - 0.02 * level[language] + rng.normal(0, 0.15)
        for seed in range(seeds):
            value = nll + rng.normal(0, 0.02)
            metrics = {
                "lm_nll": value,
                "lm_em": 30 * np.exp(-value / 2),
                "lm_token_em": 100 * np.exp(-value / 2.4),
            }
            for metric, value in metrics.items():
                add(
                    "pretrain",
                    seed,
                    "mc4_span_corruption",
                    None,
                    language,
                    "validation",
                    metric,
                    value,
                    n=200,
                )
    return result


def write_study(folder: Path, seeds: int = 3) -> Path:
    """Writes the made-up results.jsonl and a world.json beside it; returns the former."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(2)
    shared = rng.uniform(0, 0.4, size=(len(TEN), len(TEN)))
    shared = (shared + shared.T) / 2
    world = {
        "seed": 0,
        "languages": {language: {"parameters": {}, "script": "Latin"} for language in TEN},
        "syntactic_similarity": syntax(),
        "lexical_overlap": {
            s: {t: 1.0 if s == t else round(float(shared[i, j]), 4) for j, t in enumerate(TEN)}
            for i, s in enumerate(TEN)
        },
        "settings": {"made_up": True},
    }
    (folder / "world.json").write_text(json.dumps(world))
    write_rows(folder / "results.jsonl", rows(seeds))
    return folder / "results.jsonl"
