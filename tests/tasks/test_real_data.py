"""Real rows through the import and the same tasks, where ../shared/data is beside the checkout."""

from pathlib import Path

import pytest
import seqio

from tasks import catalogue, vocabulary
from tasks.importers import run as importer
from tasks.postprocessors import comparable

LENGTHS = {"inputs": 256, "targets": 64}
FILES = (
    "xnli/dev-ar.tsv",
    "xnli/dev-en.tsv",
    "xnli/dev-hi.tsv",
    "paws_x/dev-de.tsv",
    "paws_x/dev-zh.tsv",
    "panx/dev-bn.tsv",
    "panx/dev-sw.tsv",
    "panx/train-sw.tsv",
    "tydiqa_goldp/dev-bn.json",
    "tydiqa_goldp/dev-fi.json",
)


@pytest.fixture(scope="module")
def imported(shared: Path, tmp_path_factory: pytest.TempPathFactory):
    """Some of the real files, imported; the rest would only take longer."""
    source = tmp_path_factory.mktemp("source")
    for name in FILES:
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).symlink_to(shared / "data" / name)
    out = tmp_path_factory.mktemp("real")
    return out, importer.write(importer.plan(source), out)


@pytest.fixture
def real(imported, shared: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """The counts of the import; the real data and mT5's real vocabulary are in force."""
    folder, counts = imported
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    vocabulary.choose(shared / "data" / "mt5_vocab" / "spiece.model")
    return counts


def test_counts_are_those_of_the_benchmarks(real: dict) -> None:
    assert real == {
        "xnli:1.1.0": {"validation": 2490},
        "wikiann/bn:1.0.0": {"validation": 1000},
        "wikiann/sw:1.0.0": {"validation": 1000, "train": 1000},
        "tydi_qa/goldp:3.0.0": {"validation": 895, "validation-bn": 113, "validation-fi": 782},
        "paws_x_wiki/de:1.0.0": {"validation": 2000},
        "paws_x_wiki/zh:1.0.0": {"validation": 2000},
    }


@pytest.mark.parametrize(
    ("name", "count", "begins"),
    [
        ("xnli_eval.ar", 2490, "xnli: premise: "),
        ("xnli_eval.hi", 2490, "xnli: premise: "),
        ("xnli_eval.sw", 0, ""),
        ("pawsx_eval.de", 2000, "paws sentence1: "),
        ("pawsx_eval.zh", 2000, "paws sentence1: "),
        ("panx_eval.bn", 1000, "tag: "),
        ("panx_eval.sw", 1000, "tag: "),
        ("tydiqa_eval.bn", 113, "question: "),
        ("tydiqa_eval.fi", 782, "question: "),
    ],
)
def test_gold_scores_100_and_targets_survive_mt5s_vocabulary(name, count, begins, real) -> None:
    task = seqio.get_mixture_or_task(name)
    rows = list(task.get_dataset(LENGTHS, "validation", shuffle=False).as_numpy_iterator())
    assert len(rows) == count
    if not rows:
        return
    assert all(row["inputs_pretokenized"].decode().startswith(begins) for row in rows)
    labels = catalogue.labels(name)
    texts = [row["targets_pretokenized"].decode() for row in rows]
    assert labels is None or set(texts) == set(labels)
    # What the vocabulary cannot say is not asked for: the decoded gold ids score 100, too.
    decoded = [vocabulary.chosen().decode(row["targets"].tolist()) for row in rows]
    whole = [index for index, row in enumerate(rows) if len(row["targets"]) < LENGTHS["targets"]]
    for index in whole:
        assert comparable(decoded[index]) == comparable(texts[index])
    gold = [
        task.postprocess_fn(text, example=row, is_target=True)
        for text, row in zip(texts, rows, strict=True)
    ]
    predicted = [task.postprocess_fn(text, example=None, is_target=False) for text in texts]
    (metric,) = task.metric_fns
    assert all(score == pytest.approx(100.0) for score in metric(gold, predicted).values())
