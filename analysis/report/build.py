"""Builds the report's folder: whole, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from analysis.report import made_from, tables, together_tables
from analysis.report.findings import Findings, find
from analysis.results_table import write_parquet
from mt5x.errors import UserError
from mt5x.studies.results import read_rows
from mt5x.whole_file import write_whole

QUESTION = "What carries over from one language to another?"

_MADE_FROM = "made_from.txt"
_OWNED = ("figures", "tables", "results.parquet", _MADE_FROM, "index.html")
"""What a report consists of; the page comes last, so that a page never lacks its tables."""


def build_report(
    results: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out_dir: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    title: str | None = None,
    stage: str | None = None,
    wals_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """Writes `index.html`, `tables/*.csv`, `figures/*.svg|png` and `results.parquet`.

    The page holds everything it shows and asks the network for nothing. An earlier report in
    `out_dir` is replaced, unless it was made from the same; other files there are left alone.

    Args:
      results: the result table, JSON lines of `mt5x.studies.results.ResultRow`, or several that
        are read as one.
      out_dir: folder of the report, made if need be.
      data_dir: folder of the data sets (TFDS_DATA_DIR), for lexical overlap from the pretraining
        text and, where it holds a sample world, the planted truth.
      title: the question that heads the page.
      stage: the stage whose scores are analysed, where several stages score the same cells.
      wals_dir: a CLDF release of WALS, whose chapters are then features, by area.

    Returns:
      The path of the page.

    Raises:
      UserError: the table cannot be read or holds nothing to report, or `out_dir` is a file.
    """
    out = Path(out_dir)
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file, and a report is a folder; name another --out")
    if data_dir is not None and not Path(data_dir).is_dir():
        raise UserError(f"there is no folder {data_dir}; --data-dir is where the data sets lie")
    paths = [results] if isinstance(results, str | os.PathLike) else results
    rows = read_rows(*paths)
    folders = [Path(folder) for folder in (data_dir, wals_dir) if folder is not None]
    digest = made_from.digest(paths, folders, data_dir, title, stage, wals_dir)
    if _is_made_from(digest, out):
        return out / "index.html"
    findings = find(rows, data_dir, stage, wals_dir=wals_dir)

    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    try:
        partial.chmod(0o755)  # mkdtemp's 0700 would keep a web server out.
        _write(findings, partial, title or QUESTION)
        write_whole(partial / _MADE_FROM, digest + "\n")
        _put_in_place(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return out / "index.html"


def _is_made_from(digest: str, out: Path) -> bool:
    """Whether a whole report is there, made from the same."""
    if not all((out / owned).exists() for owned in _OWNED):
        return False
    return (out / _MADE_FROM).read_text(encoding="utf-8").strip() == digest


def _write(findings: Findings, folder: Path, title: str) -> None:
    from analysis.report import sections  # brings matplotlib
    from analysis.report.page import render

    (folder / "tables").mkdir()
    (folder / "figures").mkdir()
    parts = sections.every(findings, folder / "figures")
    every = [*(table for part in parts for table in part.tables), *tables.every(findings)]
    every += together_tables.every(findings)
    for table in every:
        table.write(folder / "tables")
    page = render(findings, every, parts, folder / "figures", title)
    write_parquet(findings.rows, folder / "results.parquet")
    write_whole(folder / "index.html", page)


def _put_in_place(partial: Path, out: Path) -> None:
    """Moves a finished report from `partial` to `out`, what was there before into `partial`."""
    if not out.exists():
        partial.rename(out)
        return
    replaced = partial / "replaced"
    replaced.mkdir()
    for owned in _OWNED:
        if (out / owned).exists():
            (out / owned).rename(replaced / owned)
        (partial / owned).rename(out / owned)
