"""Runs the stages of a study in this process, each once, so that they share compilations."""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mt5x import config
from mt5x.checkpoints import best
from mt5x.run_record import environment, write_whole
from mt5x.studies import plan
from mt5x.studies.plan import Stage, Study
from mt5x.studies.results import ResultRow, write_rows

Figures = Mapping[str, Mapping[str, float]]
"""{target language: {metric: value}}, with 'num_examples' and 'step' among the metrics."""

Job = Callable[[str], Figures]
"""Runs a stage whose config is loaded; takes the title for its progress bar."""

_DONE = "done.json"
# Seconds of every stage, beside the results.
_TIMES = "seconds.json"


def run(study: Study, jobs: Mapping[str, Job]) -> Path:
    """Runs what is not yet done and writes the result table.

    Args:
      study: the declaration.
      jobs: for each kind of stage, the function that does it.

    Returns:
      The path of the result table, output_dir/results.jsonl.
    """
    stages = plan.expand(study)
    folders = folders_of(study, stages)
    waiting = [stage for stage in stages if not is_done(folders[stage.name])]
    if len(waiting) < len(stages):
        print(f"{len(stages) - len(waiting)} of {len(stages)} stages are done", file=sys.stderr)
    record = environment() if waiting else {}
    for number, stage in enumerate(stages, start=1):
        folder = folders[stage.name]
        if stage not in waiting:
            continue
        title = f"[{number}/{len(stages)}] {stage.name}"
        places = {name: str(folders[name]) for name in stage.parents} | {"folder": str(folder)}
        config.load(stage.gin_files, plan.gin_bindings(stage.macros, places))
        begin = time.monotonic()
        figures = jobs[stage.kind](title)
        seconds = time.monotonic() - begin
        finish(study, stage, folder, figures, config.macro("CHECKPOINT_PATH"), record, seconds)
    results, taken = write_table(study, stages, folders)
    if waiting:
        print(_time_table(waiting, taken), file=sys.stderr)
    return results


def is_done(folder: Path) -> bool:
    """Whether the stage of this folder has ended well."""
    return (folder / _DONE).is_file()


def finish(
    study: Study,
    stage: Stage,
    folder: Path,
    figures: Figures,
    checkpoint: str | None,
    record: dict[str, Any],
    seconds: float | None = None,
) -> None:
    """Writes down that a stage has ended well, with its rows.

    Args:
      study: the declaration.
      stage: what has ended.
      folder: the stage's.
      figures: what it measured.
      checkpoint: what it measured; None where there is none.
      record: the environment that it ran in.
      seconds: that it took; None where nobody knows.
    """
    rows = _rows(study, stage, figures, best.rule_of(checkpoint), folder.name, record)
    done: dict[str, Any] = {"rows": [dataclasses.asdict(row) for row in rows]}
    if seconds is not None:
        done["seconds"] = round(seconds, 2)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / _DONE, json.dumps(done, ensure_ascii=False) + "\n")


def write_table(
    study: Study, stages: Sequence[Stage], folders: Mapping[str, Path]
) -> tuple[Path, dict[str, float]]:
    """Writes the result table of a study whose stages are done; returns it, and their seconds."""
    finished = {stage.name: _finished(folders[stage.name]) for stage in stages}
    results = Path(study.output_dir) / "results.jsonl"
    write_rows(results, [ResultRow(**row) for done in finished.values() for row in done["rows"]])
    taken = {name: done["seconds"] for name, done in finished.items() if "seconds" in done}
    write_whole(results.with_name(_TIMES), json.dumps(taken, indent=1) + "\n")
    return results, taken


def folders_of(study: Study, stages: Sequence[Stage]) -> dict[str, Path]:
    """Returns the folder of every stage, named by what determines it."""
    data = plan.data_fingerprint(study.data_dir)
    keys: dict[str, str] = {}
    folders = {}
    for stage in stages:
        parents = [keys[name] for name in stage.parents]
        keys[stage.name] = plan.stage_key(plan.resolve(stage), parents, data, stage.seed)
        folder = Path(study.output_dir) / "stages" / f"{stage.name}-{keys[stage.name]}"
        folders[stage.name] = folder.absolute()
    return folders


def _rows(
    study: Study,
    stage: Stage,
    figures: Figures,
    selection: str,
    key: str,
    record: dict[str, Any],
) -> list[ResultRow]:
    rows = []
    for target, metrics in figures.items():
        counts = {"num_examples", "step"}
        for metric in sorted(metrics.keys() - counts):
            rows.append(
                ResultRow(
                    study=study.name,
                    stage=stage.kind if stage.source is None else stage.name,
                    seed=stage.seed,
                    task=stage.task,
                    source=stage.source,
                    target=target,
                    split=stage.split,
                    metric=metric,
                    value=metrics[metric],
                    num_examples=int(metrics["num_examples"]),
                    step=int(metrics["step"]),
                    selection=selection,
                    provenance={"stage": key, **record},
                )
            )
    return rows


def _finished(folder: Path) -> dict[str, Any]:
    """What is kept of a finished stage: 'rows', and 'seconds' unless an older version ran it."""
    done: dict[str, Any] = json.loads((folder / _DONE).read_text(encoding="utf-8"))
    return done


def _time_table(stages: Sequence[Stage], seconds: Mapping[str, float]) -> str:
    """Where the time of these stages went, a line for each kind and task."""
    kinds: dict[str, list[float]] = {}
    for stage in stages:
        name = stage.kind if stage.source is None else f"{stage.kind} {stage.task}"
        kinds.setdefault(name, []).append(seconds[stage.name])
    width = max(map(len, kinds))
    lines = [f"{'stages':<{width}}  number  seconds  each"]
    for name, taken in kinds.items():
        total = sum(taken)
        lines.append(f"{name:<{width}}  {len(taken):>6}  {total:>7.1f}  {total / len(taken):>4.1f}")
    return "\n".join(lines)
