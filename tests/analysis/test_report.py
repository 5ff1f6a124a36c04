"""The report: whole, self-contained, accessible, and in agreement with its tables."""

import csv
import html.parser
import itertools
import json
import re
import shutil
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.report import build_report, made_from, palette, tables, together_tables
from analysis.report.findings import find
from analysis.report.labels import place_labels
from analysis.report.sections import foretelling
from analysis.report.words import count, decimal, listing, p_number, plain
from mt5x.errors import UserError
from mt5x.studies.results import ResultRow, write_rows
from scripts import report as command
from scripts.main import main
from tests.analysis.made_up_results import rows, write_study


class Page(html.parser.HTMLParser):
    """Collects what the tests ask about."""

    VOID = frozenset("meta link img br hr input path rect use".split())

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], []
        self.captions, self.headings = 0, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            return
        self.text.append(data)
        if self.open and re.fullmatch(r"h[1-6]", self.open[-1]):
            self.headings.append((int(self.open[-1][1]), data.strip()))

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A report on the made-up study of three tasks, by way of the command line."""
    study = tmp_path_factory.mktemp("study")
    results = write_study(study)
    out = study / "deep" / "report"
    assert main(["report", str(results), "--out", str(out), "--data-dir", str(study)]) == 0
    return out


@pytest.fixture(scope="module")
def text(folder):
    return (folder / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_nothing_is_loaded_from_anywhere(text, page):
    assert not re.search(r"https?://|[\"'(]//|@import|<script[^>]|<link|<iframe|<img", text)
    for tag, attrs in page.tags:
        for key in ("src", "href", "srcset", "data", "action", "poster"):
            if key in attrs:
                assert tag in ("a", "use"), tag
                assert re.match(r"#|tables/|figures/", attrs[key])


def test_every_link_leads_somewhere(folder, page):
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for target in {attrs["href"] for attrs in page.all("a") + page.all("use")}:
        assert target[1:] in ids if target.startswith("#") else (folder / target).is_file()
    for url in re.findall(r"url\(#([^)]+)\)", str(page.tags)):
        assert url in ids


def test_the_structure_is_one_a_screen_reader_can_follow(page):
    assert page.all("html")[0]["lang"] == "en"
    assert page.all("title")
    assert [len(page.all(tag)) for tag in ("main", "header", "h1")] == [1, 1, 1]
    levels = [level for level, _ in page.headings]
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels)), levels
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(attrs.get("scope") in ("col", "row") for attrs in page.all("th"))
    for svg in page.all("svg"):
        assert svg["role"] == "img"
        assert len(svg["aria-label"]) > 20
    for section in page.all("section"):
        assert section["aria-labelledby"]


def test_the_sentences_carry_numbers_and_no_nan(page):
    words = " ".join("".join(page.text).split())
    assert "What carries over from one language to another?" in words
    assert re.search(r"planted syntax goes with more transfer on PANX \(r = 0\.\d\d, p = ", words)
    assert re.search(
        r"Similarity of the planted syntax: r = 0.\d\d, 95% interval .* 90 pairs", words
    )
    assert "similarity of syntax in lang2vec: r = " in words
    assert re.search(r"All 90 zero-shot scores lie between|\d+ of 90 zero-shot scores lie", words)
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b|{{|}}", words)


def test_the_heat_map_shows_the_numbers_of_its_csv(folder, page):
    table = read(folder / "tables" / "matrix_panx_span_f1.csv")
    shown = re.findall(r"\d\d(?= )", " ".join(page.text))
    for row in table[1:-1]:
        for cell in row[1:-1]:
            assert decimal(float(cell), 0) in shown
    own = [attrs for attrs in page.all("td") if "own" in attrs.get("class", "")]
    assert len(own) == 10 + 7 + 7
    assert "Arabic → Arabic" in {attrs["title"].split(":")[0] for attrs in own}


def test_csv_files_hold_the_tables(folder):
    study = folder.parent.parent
    from mt5x.studies.results import read_rows

    findings = find(read_rows(study / "results.jsonl"), study)
    every = [*tables.every(findings), *together_tables.every(findings)]
    every += [foretelling.table(findings)]
    assert {path.stem for path in (folder / "tables").iterdir()} == {t.name for t in every}
    for table in every:
        written = read(folder / "tables" / f"{table.name}.csv")
        assert written[0] == list(table.columns)
        assert len(written) - 1 == len(table.rows)
        for line, row in zip(written[1:], table.rows, strict=True):
            for field, cell in zip(line, row, strict=True):
                if isinstance(cell, float):
                    assert float(field) == cell
                else:
                    assert field == ("" if cell is None else str(cell))
        assert "nan" not in (folder / "tables" / f"{table.name}.csv").read_text()


def test_figures_are_there_as_svg_and_png(folder):
    names = sorted(path.name for path in (folder / "figures").iterdir())
    stems = {name.rsplit(".", 1)[0] for name in names}
    assert names == sorted(f"{stem}.{kind}" for stem in stems for kind in ("png", "svg"))
    wanted = {"correlations", "lm_nll", "lm_em", "heatmap_panx", "scatter_panx_planted_syntax"}
    assert wanted <= stems
    assert (folder / "figures" / "lm_nll.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_results_give_the_same_files(tmp_path):
    write_rows(tmp_path / "results.jsonl", [r for r in rows(1) if r.task == "xnli"])
    for out in ("one", "two"):
        build_report(tmp_path / "results.jsonl", tmp_path / out)
    for path in sorted((tmp_path / "one").rglob("*.*")):
        assert (
            path.read_bytes()
            == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
        )


def test_an_earlier_report_is_replaced_and_other_files_stay(tmp_path):
    out = tmp_path / "report"
    write_rows(tmp_path / "one.jsonl", [cell("en", "de", 1.0, task="xnli")])
    write_rows(tmp_path / "two.jsonl", [r for r in rows(1) if r.task == "mc4_span_corruption"])
    build_report(tmp_path / "one.jsonl", out)
    (out / "notes.txt").write_text("mine")
    build_report(tmp_path / "two.jsonl", out)
    assert sorted(path.name for path in out.iterdir()) == [
        "figures", "index.html", "made_from.txt", "notes.txt", "results.parquet", "tables"
    ]  # fmt: skip
    assert not list((out / "tables").glob("*xnli*"))
    assert "No fine-tuned model was scored" in (out / "index.html").read_text(encoding="utf-8")
    leftovers = [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert leftovers == []


def test_what_would_be_the_same_is_not_made_again(tmp_path, monkeypatch):
    """But where the question, the scores, the data or the code is another, or a part lacks."""
    results, out, data = tmp_path / "results.jsonl", tmp_path / "report", tmp_path / "data"
    data.mkdir()
    write_rows(results, [cell("en", "de", 1.0, task="xnli")])

    def was_made(**changes: Any) -> bool:
        before = (out / "index.html").stat().st_ino if out.exists() else None
        build_report(results, out, **{"data_dir": data, **changes})
        return (out / "index.html").stat().st_ino != before

    assert was_made()
    assert not was_made()
    assert was_made(title="Another one?")
    assert was_made()
    write_rows(results, [cell("en", "de", 2.0, task="xnli")])
    assert was_made()
    (data / "text").write_text("new")
    assert was_made()
    shutil.rmtree(out / "tables")
    assert was_made()
    assert not was_made()
    monkeypatch.setattr(made_from.metadata, "version", lambda _: "9.9")
    assert was_made()
    monkeypatch.setattr(made_from, "_PACKAGES", ("analysis", "mt5x"))
    assert was_made()


def test_a_failure_leaves_the_earlier_report_and_nothing_else(tmp_path, monkeypatch):
    out = tmp_path / "report"
    write_rows(tmp_path / "results.jsonl", [r for r in rows(1) if r.task == "mc4_span_corruption"])
    build_report(tmp_path / "results.jsonl", out)
    before = (out / "index.html").read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tables.Table, "write", fail)
    with pytest.raises(OSError, match="No space"):
        build_report(tmp_path / "results.jsonl", out, title="Another one?")
    assert (out / "index.html").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report", "results.jsonl"]


def cell(source, target, value, metric="span_f1", seed=0, **other):
    fields = {"stage": "finetune", "split": "test", "task": "panx", **other}
    return ResultRow(
        study="s", seed=seed, source=source, target=target, metric=metric,
        value=value, num_examples=1, step=1, **fields,
    )  # fmt: skip


DEGENERATE = {
    "one language": [cell("en", "en", 50.0)],
    "one pair": [cell("en", "de", 50.0)],
    "all scores equal": [cell(s, t, 50.0) for s in ("en", "de", "fi") for t in ("en", "de", "fi")],
    "all scores zero": [cell(s, t, 0.0) for s in ("en", "de", "fi") for t in ("en", "de", "fi")],
    "one source": [cell("en", t, 10.0 * i) for i, t in enumerate(("ar", "de", "en", "fi", "sw"))],
    "unknown languages": [cell(s, t, 0.5 * ord(t)) for s in ("q1", "q2", "q3") for t in "xyzw"],
    "missing pairs": [
        cell(s, t, 10.0 * i + 3 * j + (i * j) % 3)
        for i, s in enumerate(("ar", "bn", "de", "en", "fi"))
        for j, t in enumerate(("ar", "bn", "de", "en", "fi"))
        if (i + j) % 3
    ],
    "one LM statistic": [cell(None, "en", 1.0, "lm_nll", task="mc4_span_corruption")],
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_input_is_said_not_crashed_on(case, tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.correlation.PERMUTATIONS", 50)
    write_rows(tmp_path / "results.jsonl", DEGENERATE[case])
    page = Page(build_report(tmp_path / "results.jsonl", tmp_path / "out").read_text("utf-8"))
    words = " ".join("".join(page.text).split())
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", words)
    if case in ("one language", "one pair", "all scores equal", "all scores zero"):
        assert "cannot be computed: " in words


def test_user_errors_are_one_sentence(tmp_path, capsys):
    results = tmp_path / "results.jsonl"
    assert main(["report", str(results), "--out", str(tmp_path / "out")]) == 2
    write_rows(results, [])
    assert main(["report", str(results), "--out", str(tmp_path / "out")]) == 2
    assert main(["report", str(results), "--out", str(results)]) == 2
    missing = ["--data-dir", str(tmp_path / "nowhere")]
    assert main(["report", str(results), "--out", str(tmp_path / "out"), *missing]) == 2
    messages = capsys.readouterr().err.splitlines()
    assert len(messages) == 4
    assert "nothing to report" in messages[1]
    assert "is a file" in messages[2]
    assert "nowhere" in messages[3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.jsonl"]
    results.write_text(json.dumps({"study": "s"}))
    with pytest.raises(UserError, match="line 1"):
        build_report(results, tmp_path / "out")


def test_the_command_is_described():
    assert command.SUMMARY
    assert "mt5x report" in command.EXAMPLES


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("theme", "heat"), [(palette.LIGHT, palette.HEAT), (palette.DARK, palette.DARK_HEAT)]
)
def test_text_keeps_the_contrast_that_wcag_asks_for(theme, heat):
    for name in ("ink", "muted", "accent"):
        assert contrast(theme[name], theme["paper"]) >= 4.5, name
    for step, colour in enumerate(heat):
        text = theme["paper" if step >= palette.FIRST_INVERTED else "ink"]
        assert contrast(colour, text) >= 4.5, step
    brightness = [luminance(colour) for colour in heat]
    assert brightness in (sorted(brightness), sorted(brightness, reverse=True))


def test_labels_cover_neither_points_nor_each_other():
    from matplotlib.figure import Figure

    rng = np.random.default_rng(0)
    axes = Figure(figsize=(3, 3)).add_subplot()
    x, y = rng.normal(size=(2, 60))
    axes.scatter(x, y)
    labels = place_labels(axes, x, y, [str(i) for i in range(60)])
    assert 1 <= len(labels) <= 9
    assert len({label.text for label in labels}) == len(labels)


def test_numbers_in_words():
    assert (decimal(-0.04), decimal(-3.26), plain(None), plain(True)) == ("0.0", "−3.3", "–", "yes")
    assert (p_number(0.00012), p_number(0.0132), p_number(0.5)) == ("0.0001", "0.013", "0.50")
    assert (count(1, "seed"), count(42, "pair")) == ("one seed", "42 pairs")
    assert listing(["a", "b", "c"]) == "a, b and c"


def read(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_what_stands_beside_r_is_in_the_table_and_on_the_page(tmp_path):
    path = write_study(tmp_path / "study")
    page = build_report(path, tmp_path / "report", data_dir=tmp_path / "study")
    table = pd.read_csv(tmp_path / "report" / "tables" / "associations.csv")
    known = table[table.pearson_r.notna()]
    assert (known.p_holm >= known.p_benjamini_hochberg - 1e-12).all()
    assert (known.p_benjamini_hochberg >= known.p - 1e-12).all()
    assert (known.slope_95_low < known.slope_between_levels).sum() > 0
    panx = known[(known.task == "panx") & (known.feature == "planted_syntax")].iloc[0]
    # The slope that made_up_results plants.
    assert panx.slope_95_low < 30.0 < panx.slope_95_high
    text = page.read_text(encoding="utf-8")
    assert "Holm" in text
    fits = pd.read_csv(tmp_path / "report" / "tables" / "regressions.csv")
    panx_fit = fits[fits.task == "panx"]
    assert {"syntax_imputed", "family", "lm_source"} <= set(panx_fit.feature)
    assert (panx_fit.variance_inflation >= 1).all()
    percent = f"{100 * panx_fit.r2.iloc[0]:.0f}% of the variance of the score over 90 pairs"
    assert percent in text
    assert len(pd.read_parquet(tmp_path / "report" / "results.parquet")) == len(rows())
