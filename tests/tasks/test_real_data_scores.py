"""Real gold under mT5's real vocabulary: what it can say, what gold scores, and what chance does.

The ids of every target are decoded again. Labels and tags come back as they were. Answers and
entities may not: the model's SentencePiece reads text in NFKC ('km²' becomes 'km2', a full-width
comma one of ASCII, a decomposed nukta is written in one way) and zero-width joiners and no-break
spaces as spaces. Gold and predictions are compared after `postprocessors.comparable`, in which form
all come back; how many do not as they stand is counted below, so that a change is seen.

What a shuffled gold is expected to score is the mean over all pairings of a gold with a prediction,
which for labels is the sum of their squared shares. The bound is `DEVIATIONS` times the standard
deviation that Hoeffding's combinatorial theorem gives for a random permutation.
"""

import collections
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seqio

from tasks import catalogue, vocabulary
from tasks.definitions import DATA_SETS
from tasks.postprocessors import Sentence, comparable
from tests.tasks import real_rows
from tests.tasks.test_metrics_chance import DEVIATIONS, chance, shuffled

# Scores of which 0 is best; of all others 100 is.
RATES = {"illegal_label", "not_in_context", "wrong_script", "wrong_length"}
# So many examples are paired with each other where each pair is scored alone.
PAIRED = 100

# Tasks whose targets are labels or tags: nothing is lost.
CLOSED = (
    *(f"xnli_eval.{code} validation" for code in ("ar", "hi", "sw", "th", "ur")),
    *(f"pawsx_eval.{code} validation" for code in ("de", "ja", "ko", "zh")),
    *(f"xcopa_eval.{code} test" for code in ("qu", "ta", "th", "zh")),
    *("xcopa_eval.sw validation", "xcopa_train.en train"),
    *(f"{data}_eval.en validation" for data in ("mnli", "anli_r1", "anli_r2", "qqp")),
    *(f"{data}_eval.en validation" for data in ("hellaswag", "cosmosqa", "csqa")),
    "csqa_train.en train",
    *(
        f"advglue_{part}_eval.en validation"
        for part in ("sst2", "qqp", "mnli", "mnli_mm", "qnli", "rte")
    ),
    "ccg_eval.en validation",
)
# Tasks of free text: how many targets come back otherwise than they stand, their ends aside.
LOSSES = {
    "panx_eval.ar validation": 0,
    "panx_eval.bn validation": 15,
    "panx_eval.hi validation": 2,
    "panx_eval.sw validation": 35,
    "panx_train.bn train": 13,
    "tydiqa_train.sw train": 2,
    "tydiqa_eval.ar validation": 0,
    "tydiqa_eval.bn validation": 0,
    "tydiqa_eval.ru validation": 20,
    "xquad_eval.ar test": 0,
    "xquad_eval.hi test": 9,
    "xquad_eval.ru test": 1,
    "mlqa_eval.ar validation": 0,
    "mlqa_eval.de validation": 0,
    "mlqa_eval.hi validation": 0,
    "mlqa_eval.zh validation": 34,
    "squad1_eval.en validation": 0,
    "squad2_eval.en validation": 0,
}
TEXTS = [name.split() for name in (*CLOSED, *LOSSES)]


@pytest.fixture
def real(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_rows.use(shared, monkeypatch)


def targets(rows: Sequence[real_rows.Row]) -> list[str]:
    return [row["targets_pretokenized"].decode() for row in rows]


def decoded(rows: Sequence[real_rows.Row]) -> list[str]:
    return [vocabulary.chosen().decode(row["targets"].tolist()) for row in rows]


def gold(task: Any, rows: Sequence[real_rows.Row]) -> list[Any]:
    pairs = zip(targets(rows), rows, strict=True)
    return [task.postprocess_fn(text, example=row, is_target=True) for text, row in pairs]


def predictions(task: Any, texts: Sequence[str]) -> list[Any]:
    return [task.postprocess_fn(text, example=None, is_target=False) for text in texts]


def check_gold(name: str, rows: Sequence[real_rows.Row]) -> int:
    """Gold comes back and scores best; returns how many targets come back in another form."""
    task = seqio.TaskRegistry.get(name)
    back = decoded(rows)
    for text, again, row in zip(targets(rows), back, rows, strict=True):
        assert vocabulary.chosen().unk_id not in row["targets"], (name, text)
        assert comparable(again) == comparable(text), (name, text, again)
    for texts in (targets(rows), back):
        scores: dict[str, float] = {}
        for metric in task.metric_fns:
            scores |= metric(gold(task, rows), predictions(task, texts))
        assert tuple(scores) == DATA_SETS[catalogue.parse(name).data].scores.names
        expected = {one: 0.0 if one in RATES else 100.0 for one in scores}
        assert scores == pytest.approx(expected), name
    return sum(a.strip() != t.strip() for a, t in zip(back, targets(rows), strict=True))


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(("name", "split"), TEXTS)
def test_gold_survives_the_vocabulary_and_scores_100(name: str, split: str) -> None:
    rows = real_rows.rows(name, split)
    assert len(rows) >= 78
    if f"{name} {split}" in CLOSED:
        # Exactly, and all of the labels occur.
        assert decoded(rows) == targets(rows)
        labels = catalogue.labels(name)
        assert labels is None or set(targets(rows)) == set(labels)
    assert check_gold(name, rows) == LOSSES.get(f"{name} {split}", 0)
    # What the model reads is the text, too, with one EOS.
    for row in rows[:20]:
        *ids, eos = row["inputs"].tolist()
        assert eos == vocabulary.chosen().eos_id
        read = vocabulary.chosen().decode(ids)
        assert comparable(read) == comparable(row["inputs_pretokenized"].decode())


def similarity(name: str, texts: Sequence[Any], found: Sequence[str]) -> np.ndarray:
    """What each prediction would add for each gold: the mean of any pairing's is its score.

    Returns:
      float [gold, predictions]; a score of 100 % is 1.
    """
    data = catalogue.parse(name).data
    main = catalogue.main_metric(data)
    if main == "span_f1":
        spans = [collections.Counter(text.split(" $$ ")) for text in found]
        for one in spans:
            one.pop("None", None)
        return table(spans, spans, lambda a, b: (a & b).total() * len(spans) / total(spans))
    if main == "tag_accuracy":
        tags = [text.split() for text in found]
        length = sum(map(len, tags)) / len(tags)
        return table(tags, tags, lambda a, b: sum(map(str.__eq__, a, b)) / length)
    if catalogue.labels(name):
        return table(texts, found, lambda a, b: float(a == b))
    metric = seqio.TaskRegistry.get(name).metric_fns[0]
    return table(texts, found, lambda a, b: metric([a], [b])[main] / 100)


def total(counters: Sequence[collections.Counter]) -> int:
    return sum(one.total() for one in counters)


def table(
    rows: Sequence[Any], columns: Sequence[Any], score: Callable[[Any, Any], float]
) -> np.ndarray:
    return np.array([[score(row, column) for column in columns] for row in rows])


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(("name", "split"), TEXTS)
def test_shuffled_gold_scores_what_chance_predicts(name: str, split: str) -> None:
    task = seqio.TaskRegistry.get(name)
    labels = catalogue.labels(name)
    rows = real_rows.rows(name, split)[: None if labels else PAIRED]
    texts, found = gold(task, rows), predictions(task, targets(rows))
    scores = similarity(name, texts, found)
    assert scores.diagonal().mean() == pytest.approx(1)
    mean, deviation = chance(scores, np.ones(len(rows)))
    if labels:
        shares = [found.count(label) / len(found) for label in labels]
        assert mean == pytest.approx(sum(share**2 for share in shares))
    main = catalogue.main_metric(catalogue.parse(name).data)
    for seed in (1, 2, 3):
        score = task.metric_fns[0](texts, shuffled(found, seed))[main] / 100
        assert abs(score - mean) < DEVIATIONS * deviation, (score, mean, deviation)


RETRIEVAL = [
    *(("tatoeba_eval." + code, "test") for code in ("ar", "bn", "hi", "sw")),
    ("bucc_eval.zh", "validation"),
]


def vectors(sentences: Sequence[Sentence], translated: dict[str, str]) -> list[np.ndarray]:
    """A vector for each pair of sentences and each single one; `translated` moves the partners."""
    found: dict[str, np.ndarray] = collections.defaultdict(
        lambda: np.random.default_rng(len(found)).normal(size=64).astype(np.float32)
    )
    return [
        found[one.id if one.side == "source" else translated.get(one.partner, one.id)]
        for one in sentences
    ]


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(("name", "split"), RETRIEVAL)
def test_retrieval_of_the_gold_pairs_is_perfect_and_of_others_chance(name, split) -> None:
    task = seqio.TaskRegistry.get(name)
    rows = real_rows.rows(name, split)
    sentences = gold(task, rows)
    sources = [one.id for one in sentences if one.side == "source" and one.partner]
    targets_of = {one.partner for one in sentences if one.side == "target" and one.partner}
    # Both sides of each pair are there: of BUCC all pairs, and sentences without a partner.
    assert set(sources) == targets_of
    assert len(sources) == (257 if name == "bucc_eval.zh" else len(rows) // 2)
    (metric,) = task.metric_fns
    names = DATA_SETS[catalogue.parse(name).data].scores.names
    scores = metric(sentences, vectors(sentences, dict(zip(sources, sources, strict=True))))
    assert scores == pytest.approx(dict.fromkeys(names, 100.0))
    # Vectors go to other sentences: as many pairs are right as a permutation has fixed points, one
    # on average, as of a Poisson variable; more than 6 once in 12,000.
    elsewhere = shuffled(sources, 1)
    fixed = sum(map(str.__eq__, sources, elsewhere))
    assert fixed <= 6
    moved = metric(sentences, vectors(sentences, dict(zip(sources, elsewhere, strict=True))))
    main = catalogue.main_metric(catalogue.parse(name).data)
    if main == "mining_f1":
        assert moved[main] <= 100 * 6 / len(sources)
    else:
        assert moved == pytest.approx(dict.fromkeys(names, 100 * fixed / len(sources)))
