"""The result table of a study, from what its finished stages measured."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mt5x.studies import stage as kinds
from mt5x.studies import store
from mt5x.studies.plan import Study
from mt5x.studies.results import HIGH, LOW, ResultRow, write_rows
from mt5x.studies.stage import Stage
from mt5x.studies.store import Done
from mt5x.whole_file import write_whole

_COUNTS = ("num_examples", "step")


def write_table(study: Study, stages: Sequence[Stage], folders: Mapping[str, Path]) -> Path:
    """Writes output_dir/results.jsonl with what is finished, and the seconds of each stage beside.

    Its rows are in the order of the stages, whoever ran them when.
    """
    finished = [one for one in stages if store.is_done(folders[one.name])]
    kept = {one.name: store.done_of(folders[one.name]) for one in finished}
    results = Path(study.output_dir) / "results.jsonl"
    rows = [
        row
        for one in finished
        for row in rows_of(study, one, kept[one.name], store.key_of(folders[one.name]))
    ]
    write_rows(results, rows)
    seconds = {name: done.seconds for name, done in kept.items() if done.seconds is not None}
    write_whole(results.with_name("seconds.json"), json.dumps(seconds, indent=1) + "\n")
    return results


def rows_of(study: Study, stage: Stage, done: Done, key: str) -> list[ResultRow]:
    """Returns the rows of a finished stage; 'lm_nll:low' is an end of the interval of 'lm_nll'."""
    named = stage.kind == kinds.EVALUATE
    return [
        ResultRow(
            study=study.name,
            stage=stage.name if named else stage.kind,
            seed=stage.seed,
            task=stage.task,
            source=stage.source,
            target=target,
            split=stage.split,
            metric=metric,
            value=metrics[metric],
            num_examples=int(metrics["num_examples"]),
            step=int(metrics["step"]),
            selection=done.selection,
            provenance={"stage": key, **done.record},
            low=metrics.get(metric + LOW),
            high=metrics.get(metric + HIGH),
            **vars(stage.condition),
        )
        for target, metrics in done.figures.items()
        for metric in sorted(metrics.keys() - set(_COUNTS))
        if not metric.endswith((LOW, HIGH))
    ]
