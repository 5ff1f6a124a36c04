"""The result table as pandas reads it, and as Parquet: one column a field, one row a number."""

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import Any

from mt5x.studies.results import ResultRow


def frame(rows: Sequence[ResultRow]) -> Any:
    """Returns a pandas DataFrame of the rows; provenance is a column of JSON texts.

    Columns are those of `ResultRow`, in its order: texts, int64 (seed, num_examples, step) and
    float64 (value, in percent but for `lm_nll`); `source` is missing where nothing was tuned.
    """
    import pandas as pd

    names = [field.name for field in dataclasses.fields(ResultRow)]
    records = [{name: getattr(row, name) for name in names} for row in rows]
    for record in records:
        record["provenance"] = json.dumps(record["provenance"], ensure_ascii=False)
    return pd.DataFrame.from_records(records, columns=names)


def write_parquet(rows: Sequence[ResultRow], path: str | os.PathLike[str]) -> None:
    """Writes the table that `frame` returns."""
    frame(rows).to_parquet(path, index=False)
