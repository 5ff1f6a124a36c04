"""All rows of all files of ../shared/data, as `test_real_data_scores` checks the first of them."""

import collections
from pathlib import Path

import pytest
import seqio

from tasks import catalogue
from tests.tasks import real_rows
from tests.tasks.test_real_data_scores import check_gold

# Targets that come back otherwise than they stand, by data set; no other data set has any.
LOSSES = {"panx": 967, "tydiqa": 137, "mlqa": 64, "xquad": 37}
# Rows that were looked at, by data set.
ROWS = {
    "xnli": 37350,
    "panx": 229000,
    "tydiqa": 10583,
    "xquad": 7140,
    "mlqa": 4199,
    "pawsx": 14000,
    "xcopa": 7100,
    "mnli": 6763,
    "anli_r1": 1000,
    "anli_r2": 1000,
    "ccg": 585,
    "squad1": 2910,
    "squad2": 6078,
    "qqp": 9917,
    "hellaswag": 10042,
    "cosmosqa": 2985,
    "csqa": 8302,
    "advglue_sst2": 148,
    "advglue_qqp": 78,
    "advglue_mnli": 121,
    "advglue_mnli_mm": 162,
    "advglue_qnli": 148,
    "advglue_rte": 81,
}


@pytest.mark.exhaustive
def test_all_gold_of_all_files(shared: Path, monkeypatch) -> None:
    real_rows.use(shared, monkeypatch, cut=False)
    losses: collections.Counter[str] = collections.Counter()
    counts: collections.Counter[str] = collections.Counter()
    for name in catalogue.names():
        data = catalogue.parse(name).data
        if data in catalogue.TEXT or catalogue.embedded(name):
            continue
        for split in seqio.TaskRegistry.get(name).source.available_splits():
            rows = real_rows.read(name, split)
            # TyDiQA's one train split lacks most languages.
            if rows:
                counts[data] += len(rows)
                losses[data] += check_gold(name, rows)
    assert counts == collections.Counter(ROWS)
    assert +losses == collections.Counter(LOSSES)
