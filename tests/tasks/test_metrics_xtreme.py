"""XTREME's averages, by hand and by what their definition implies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import languages, metrics
from tasks.errors import DataError
from tasks.metrics import xtreme

METRICS = xtreme._METRICS


def complete(benchmark: xtreme.Benchmark, value=lambda task, code, metric: 50.0):
    return {
        task: {code: {name: value(task, code, name) for name in METRICS[task]} for code in codes}
        for task, codes in benchmark.languages.items()
    }


def as_rows(scores):
    return [
        {"task": task, "language": code, "metric": name, "value": value}
        for task, of_task in scores.items()
        for code, of_language in of_task.items()
        for name, value in of_language.items()
    ]


def test_the_tasks_and_languages_of_both_benchmarks() -> None:
    assert {task: len(codes) for task, codes in xtreme.XTREME.languages.items()} == {
        "xnli": 15,
        "pawsx": 7,
        "udpos": 33,
        "panx": 40,
        "xquad": 11,
        "mlqa": 7,
        "tydiqa": 9,
        "bucc": 4,
        "tatoeba": 36,
    }
    # Ruder et al. 2021, table 2.
    assert {task: len(codes) for task, codes in xtreme.XTREME_R.languages.items()} == {
        "xnli": 15,
        "xcopa": 11,
        "udpos": 38,
        "panx": 48,
        "xquad": 11,
        "mlqa": 7,
        "tydiqa": 9,
        "tatoeba": 41,
    }
    for benchmark in (xtreme.XTREME, xtreme.XTREME_R):
        assert {t for tasks in benchmark.groups.values() for t in tasks} == set(benchmark.languages)
        assert all(len(set(codes)) == len(codes) for codes in benchmark.languages.values())


def test_averages_by_hand() -> None:
    values = {
        "xnli": {"accuracy": 80.0},
        "pawsx": {"accuracy": 90.0},
        "udpos": {"chunk_f1": 70.0},
        "panx": {"span_f1": 60.0},
        "xquad": {"em": 60.0, "f1": 70.0},
        "mlqa": {"em": 50.0, "f1": 70.0},
        "tydiqa": {"em": 40.0, "f1": 60.0},
        "bucc": {"mining_f1": 80.0},
        "tatoeba": {"retrieval_accuracy_to_source": 50.0},
    }
    scores = complete(xtreme.XTREME, lambda task, _, name: values[task][name])
    # Unweighted over languages: English is one of fifteen.
    scores["xnli"]["en"]["accuracy"] = 95.0
    found = metrics.xtreme_scores(scores)
    assert found.tasks["xnli"].score == pytest.approx(81.0)
    assert found.tasks["mlqa"].score == pytest.approx(60.0)
    assert found.tasks["mlqa"].metrics == {"em": 50.0, "f1": 70.0}
    assert found.groups == {
        "classification": pytest.approx(85.5),
        "structured": pytest.approx(65.0),
        "qa": pytest.approx((65 + 60 + 50) / 3),
        "retrieval": pytest.approx(65.0),
    }
    # Over the nine tasks, not over the four groups.
    assert found.overall == pytest.approx((81 + 90 + 70 + 60 + 65 + 60 + 50 + 80 + 50) / 9)
    assert (found.missing, found.absent, found.unused) == ((), (), ())
    assert metrics.xtreme_scores(as_rows(scores)) == found


def test_what_is_missing_is_named_and_not_averaged_over() -> None:
    scores = complete(xtreme.XTREME)
    del scores["xnli"]["sw"]
    del scores["xquad"]["hi"]["em"]
    del scores["bucc"]
    found = metrics.xtreme_scores(scores)
    assert found.missing == ("xnli.sw", "xquad.hi", "bucc")
    assert found.tasks["xnli"].score is None
    assert found.tasks["xnli"].missing == ("sw",)
    assert found.tasks["bucc"].score is None
    assert found.groups == {
        "classification": None,
        "structured": 50.0,
        "qa": None,
        "retrieval": None,
    }
    assert found.overall is None

    scores["xnli"] = {code: {"accuracy": 70.0} for code in ("en", "ar")}
    found = metrics.xtreme_scores(scores, partial=True)
    assert found.tasks["xnli"].score == pytest.approx(70.0)
    assert found.tasks["xnli"].languages == ("ar", "en")
    assert found.groups["classification"] == pytest.approx(60.0)
    assert found.groups["retrieval"] == pytest.approx(50.0)
    assert found.overall == pytest.approx((70 + 7 * 50) / 8)
    assert "bucc" in found.missing
    assert "xnli.sw" in found.missing


def test_xtreme_r_says_what_it_never_has() -> None:
    found = metrics.xtreme_r_scores(complete(xtreme.XTREME_R))
    assert found.overall == pytest.approx(50.0)
    assert found.missing == ()
    assert found.absent == ("lareqa", "mewslix")
    # What XTREME has and XTREME-R dropped, and English COPA.
    scores = complete(xtreme.XTREME) | {"xcopa": {c: {"accuracy": 50.0} for c in languages.XCOPA}}
    found = metrics.xtreme_r_scores(scores)
    assert found.unused == ("pawsx", "bucc", "xcopa.en")
    assert {name.split(".")[0] for name in found.missing} == {"udpos", "panx", "tatoeba"}


def test_nothing_at_all() -> None:
    found = metrics.xtreme_scores([])
    assert found.overall is None
    assert set(found.missing) == set(xtreme.XTREME.languages)
    assert metrics.xtreme_scores({}, partial=True).overall is None


@given(st.randoms(use_true_random=False))
def test_averages_lie_between_and_the_order_of_rows_is_nothing(random) -> None:
    scores = complete(xtreme.XTREME, lambda *_: random.choice([0.0, 100.0, random.random() * 100]))
    rows = as_rows(scores)
    found = metrics.xtreme_scores(rows)
    random.shuffle(rows)
    assert metrics.xtreme_scores(rows) == found
    values = [row["value"] for row in rows]
    assert found.overall is not None
    for score in (found.overall, *filter(None, found.groups.values())):
        assert min(values) - 1e-9 <= score <= max(values) + 1e-9


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ({"xnly": {}}, "no task 'xnly' in XTREME; the nearest: xnli"),
        ({"xnli": {"en": {"accuracy": 100.5}}}, "accuracy of xnli in en in percent"),
        ({"xnli": {"en": {"accuracy": float("nan")}}}, "got nan"),
        ({"xnli": {"en": {"accuracy": -1.0}}}, "got -1"),
        ([{"task": "xnli", "language": "en", "metric": "accuracy"}], "lacks value"),
        (
            [{"task": "xnli", "language": "en", "metric": "accuracy", "value": 1.0}] * 2,
            "accuracy of xnli in en occurs twice",
        ),
    ],
)
def test_scores_that_are_none(scores, reason) -> None:
    with pytest.raises(DataError, match=reason):
        metrics.xtreme_scores(scores)
