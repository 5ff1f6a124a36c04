"""The transfer matrix against sums done by hand."""

import numpy as np
import pytest

from analysis.transfer import main_transfers, transfers
from mt5x.errors import UserError
from mt5x.studies.results import ResultRow


def row(source, target, value, seed=0, task="panx", metric="span_f1", stage="finetune", **other):
    fields = {"study": "s", "split": "test", "num_examples": 10, "step": 100, **other}
    return ResultRow(
        stage=stage, seed=seed, task=task, source=source, target=target, metric=metric,
        value=value, **fields,
    )  # fmt: skip


ROWS = [
    row("en", "en", 80.0), row("en", "de", 60.0), row("en", "sw", 20.0),
    row("de", "en", 50.0), row("de", "de", 90.0), row("de", "sw", 10.0),
    row("sw", "en", 30.0), row("sw", "de", 45.0), row("sw", "sw", 50.0),
]  # fmt: skip


def test_forms_by_hand():
    (table,) = transfers(ROWS)
    assert table.languages == ("de", "en", "sw")
    assert table.form("score").get("en", "de") == 60
    assert table.form("ratio").get("en", "sw") == pytest.approx(0.4)
    assert table.form("difference").get("sw", "de") == -45
    assert table.form("ratio").get("de", "de") == 1
    assert table.in_language("sw") == 50
    assert table.zero_shot_to("de") == pytest.approx(52.5)
    assert table.zero_shot_from("de") == pytest.approx(30)
    assert table.zero_shot() == pytest.approx(215 / 6)


def test_adjusted_takes_source_and_target_out():
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=5), rng.normal(size=5)
    extra = {("a", "b"): 4.0}
    letters = "abcde"
    rows = [
        row(s, t, 50 + source[i] + target[j] + extra.get((s, t), 0.0))
        for i, s in enumerate(letters)
        for j, t in enumerate(letters)
    ]
    (table,) = transfers(rows)
    adjusted = table.form("adjusted")
    off = adjusted.off_diagonal()
    assert np.nanmax(adjusted.values) == adjusted.get("a", "b")
    np.testing.assert_allclose(np.where(off, adjusted.values, 0).sum(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.where(off, adjusted.values, 0).sum(axis=1), 0, atol=1e-9)
    assert adjusted.get("a", "a") is None


def test_seeds_are_averaged_and_their_spread_is_kept():
    (table,) = transfers([*ROWS, row("en", "de", 64.0, seed=1)])
    assert table.score.get("en", "de") == 62
    assert table.spread.get("en", "de") == pytest.approx(np.std([60, 64], ddof=1))
    assert table.spread.get("en", "sw") is None
    assert table.seed_counts["en", "de"] == 2
    assert table.seeds == (0, 1)


def test_missing_in_language_leaves_ratio_unknown_not_zero():
    (table,) = transfers([r for r in ROWS if (r.source, r.target) != ("sw", "sw")])
    assert table.form("ratio").get("en", "sw") is None
    assert table.form("difference").get("en", "sw") is None
    assert table.form("score").get("en", "sw") == 20


def test_a_target_that_scores_nothing_has_no_ratio():
    (table,) = transfers([row("en", "de", 0.0), row("de", "de", 0.0)])
    assert table.form("ratio").get("en", "de") is None


def test_the_last_step_the_wider_split_and_the_last_checkpoint_count():
    rows = [
        *ROWS,
        row("en", "de", 99.0, step=50),
        row("en", "de", 1.0, split="validation", step=200),
        row("en", "de", 2.0, selection="best_validation"),
    ]
    (table,) = transfers(rows)
    assert table.split == "test"
    assert table.selection == "last"
    assert table.score.get("en", "de") == 60


def test_splits_that_carry_a_language_are_one_split():
    rows = [row("en", t, 1.0, task="tydiqa", metric="f1", split=f"validation-{t}") for t in "ab"]
    (table,) = transfers(rows)
    assert table.split == "validation"
    assert table.targets == ("a", "b")


def test_baseline_and_main_metric():
    rows = [
        *ROWS,
        row(None, "de", 33.0, stage="majority_baseline"),
        row("en", "de", 5.0, metric="exact"),
        row(None, "en", 2.0, task="mc4_span_corruption", metric="lm_nll"),
    ]
    tables = transfers(rows)
    assert [t.metric for t in tables] == ["span_f1", "exact"]
    assert tables[0].baseline == {"de": 33.0}
    assert [t.metric for t in main_transfers(tables)] == ["span_f1"]


def test_two_stages_for_one_cell_are_refused_or_chosen():
    rows = [*ROWS, row("en", "de", 1.0, stage="fewshot")]
    with pytest.raises(UserError, match=r"from en to de.*finetune and fewshot.*--stage"):
        transfers(rows)
    (table,) = transfers(rows, stage="fewshot")
    assert table.score.get("en", "de") == 1
