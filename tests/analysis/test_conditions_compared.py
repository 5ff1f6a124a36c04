"""Gains, curves and robustness: what was planted is found, and degenerate tables have reasons."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis import curves, gains, robustness, source_sets
from analysis.report import build_report
from mt5x.studies.results import Condition, write_rows
from tests.analysis.made_up_conditions import DROP, GAIN, PER_DOUBLING, SIZES, TARGETS, row, rows


def gain_after(found, **fields) -> Any:
    return next(one for one in found if one.condition == Condition(**fields))


def test_a_planted_gain_is_found_with_its_interval():
    found = gains.gains(rows())
    english = gain_after(found, intermediate="qqp", intermediate_language="en")
    assert set(english.gain.by_language) == set(TARGETS)
    assert english.gain.low < GAIN < english.gain.high
    assert english.gain.p == pytest.approx(2 / 2**7)
    assert english.p_holm >= english.gain.p
    spanish = gain_after(found, intermediate="qqp", intermediate_language="es")
    more: Any = gains.contrast(spanish, english)
    assert more.low < -3 < more.high
    assert set(english.spread) == set(TARGETS)


def test_a_target_that_was_trained_on_is_no_transfer():
    tuned = [row("en", 10.0), row("en", 90.0, intermediate="qqp")]
    (found,) = gains.gains([*rows(), *tuned])[:1]
    assert "en" not in found.gain.by_language


def test_gains_stand_beside_the_same_seed_and_source_alone():
    table = [
        row("sw", 10.0, seed=0), row("sw", 50.0, seed=1), row("sw", 90.0, seed=1, source="de"),
        row("sw", 15.0, seed=0, intermediate="qqp"),
    ]  # fmt: skip
    (found,) = gains.gains(table)
    assert found.gain.by_language == {"sw": 5.0}
    assert found.gain.reason == "only one language, too few for an interval"


def test_halves_by_resources():
    halves = gains.by_resources(["sw", "en", "bn", "de"])
    assert halves == {"high-resource": ("en", "de"), "low-resource": ("bn", "sw")}
    assert gains.by_resources(["sw"]) == {}


def test_a_planted_drop_is_found_and_flips_are_told():
    found: Any = robustness.drops(rows())
    plain = next(one for one in found if one.condition.intermediate is None)
    assert plain.drop.low < DROP < plain.drop.high
    assert plain.relative.mean == pytest.approx(
        np.mean([100 * x / (40 + 3 * n) for n, x in enumerate(plain.drop.by_language.values())]),
        rel=0.05,
    )
    assert (plain.flips, plain.flips_of) == (30.0, {"yes": 20.0})
    english, spanish = (
        next(one for one in found if one.condition.intermediate_language == code)
        for code in ("en", "es")
    )
    more: Any = robustness.contrast(spanish.drop, english.drop)
    assert more.low < DROP / 2 < more.high


def curve_along(axis, **fields) -> Any:
    return next(
        one for one in curves.curves(rows())
        if one.axis == axis and one.condition == Condition(**fields)
    )  # fmt: skip


def test_a_planted_curve_is_the_best_shape_with_its_slope():
    curve = curve_along("intermediate_size", intermediate="qqp", intermediate_language="en")
    assert curve.sizes == [0, *SIZES]
    assert curve.best.shape == "logarithmic"
    assert curve.low < PER_DOUBLING < curve.high
    assert curve.p_trend < 0.001
    by_shape = {fit.shape: fit for fit in curve.fits}
    assert by_shape["logarithmic"].held_out < by_shape["linear"].held_out
    assert by_shape["constant"].rss > by_shape["logarithmic"].rss
    # The fitted mean passes through the mean of all scores.
    fitted = curve.at(by_shape["logarithmic"], np.array(curve.sizes))
    assert fitted.mean() == pytest.approx(np.mean([curve.mean(n) for n in curve.sizes]))


def test_the_logarithmic_fit_is_least_squares_with_a_level_a_language():
    curve = curve_along("intermediate_size", intermediate="qqp", intermediate_language="en")
    import statsmodels.api as sm

    cells = [(n, one, x) for n in curve.points for one, x in curve.points[n].items()]
    levels = np.array([[one == other for other in TARGETS] for _, one, _ in cells], float)
    g = np.log2(1 + np.array([n for n, _, _ in cells]) / SIZES[0])
    fit = sm.OLS(np.array([x for _, _, x in cells]), np.column_stack([g, levels])).fit()
    logarithmic = next(one for one in curve.fits if one.shape == "logarithmic")
    assert logarithmic.b == pytest.approx(fit.params[0], abs=1e-8)
    assert logarithmic.rss == pytest.approx(fit.ssr, abs=1e-8)
    # Page's trend test, as scipy has it.
    blocks = [[curve.points[n][one] for n in curve.sizes] for one in sorted(TARGETS)]
    assert curve.p_trend == pytest.approx(stats.page_trend_test(blocks).pvalue, abs=1e-8)


def test_shots_begin_with_the_zero_shot_score():
    curve = curve_along("shots")
    assert curve.sizes == [0, 4, 8, 16]
    assert curve.best.shape in ("linear", "power")


def test_source_languages_are_counted():
    curve = curve_along("sources")
    assert curve.sizes == [1, 2, 3, 4]
    assert curve.mean(4) - curve.mean(2) == pytest.approx(8, abs=1)


def test_sets_of_sources_are_compared_where_none_of_them_is():
    table = [one for one in rows() if one.intermediate is None and one.shots is None]
    table += [row("sw", 99.0, source="en+sw"), row("ar", 70.0, source="en+sw")]
    found: Any = {one.source: one for one in source_sets.source_sets(table)}
    assert set(found) == {"en+de", "en+de+fr", "en+de+fr+es", "en+sw"}
    three = found["en+de+fr"]
    assert (three.against, len(three.languages)) == ("en", 3)
    assert three.gain.low < 12 < three.gain.high
    # Swahili is a source of one set, and so no target of any.
    assert set(three.gain.by_language) == set(TARGETS) - {"sw"}
    assert source_sets.source_sets([one for one in table if "+" not in str(one.source)]) == []


def line(axis, level, slope, sizes=(0, 10, 20, 40, 80)) -> Any:
    points = {
        n: {one: level + place + slope * np.log2(1 + n / 10) for place, one in enumerate(TARGETS)}
        for n in sizes
    }
    return curves.fitted(axis, "panx", "span_f1", Condition(), points)


def test_curves_meet_where_they_are_equal():
    at = curves.meeting(line("shots", 40, 5), line("shots", 45, 2.5))
    # 5 g = 5 + 2.5 g: g = 2, n = 30.
    assert at.n == pytest.approx(30, rel=1e-6)
    assert at.low == pytest.approx(30, rel=1e-6)
    assert curves.meeting(line("shots", 40, 5), line("shots", 50, 5)).n is None


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ({0: {"sw": 1.0}, 4: {"sw": 2.0}}, "only 2 different numbers"),
        ({n: {"sw": 5.0, "fi": 5.0} for n in (0, 4, 8)}, "the same everywhere"),
    ],
)
def test_what_makes_no_curve_has_a_reason(points, reason):
    found: Any = curves.fitted("shots", "panx", "span_f1", Condition(), points)
    assert reason in found.reason


def test_one_language_has_a_curve_without_an_interval():
    points = {n: {"sw": 10 + n + (n % 3)} for n in (0, 4, 8, 16, 32)}
    curve = curves.fitted("shots", "panx", "span_f1", Condition(), points)
    assert curve.slope is not None
    assert curve.best is not None
    assert (curve.low, curve.p_trend) == (None, None)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("report")
    write_rows(folder / "results.jsonl", rows())
    return build_report(folder / "results.jsonl", folder / "out").read_text("utf-8")


def test_the_report_answers_in_sentences_with_intervals(page):
    assert "The intermediate task that helps most, QQP, adds 8." in page
    assert "QQP in Spanish gives PANX" in page
    assert "less than in English (95% interval" in page
    assert "points a doubling (95% interval" in page
    assert "Over one kind of noise PANX loses" in page
    assert "more than after it in English (95% interval" in page
    assert "Trained on English, German, French and Spanish, PANX scores 1" in page
    for section in ("gains", "sources", "curves", "robustness"):
        assert f'<section id="{section}"' in page
    assert "nan" not in page.lower().replace("nance", "")


DEGENERATE = {
    "one language": [one for one in rows() if one.target == "sw"],
    "one seed": rows(seeds=1),
    "no plain transfer": [one for one in rows() if one.intermediate is not None],
    "all equal": [dataclasses.replace(one, value=50.0) for one in rows()],
    "nothing in common": [
        one for one in rows() if (one.intermediate is None) == (one.target < "h")
    ],
    "zero everywhere": [dataclasses.replace(one, value=0.0) for one in rows()],
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_tables_give_a_report_that_says_what_it_cannot(case, tmp_path):
    write_rows(tmp_path / "results.jsonl", DEGENERATE[case])
    text = build_report(tmp_path / "results.jsonl", tmp_path / "out").read_text("utf-8")
    words = text.replace("svg", "").split("<main>")[1]
    for wrong in (">nan", " nan ", ">None", " None ", "(None)", " inf ", "−inf"):
        assert wrong not in words, wrong
