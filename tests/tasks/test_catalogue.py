"""One table, and the registry holds exactly what it says."""

import pytest
import seqio

from tasks import catalogue, languages
from tasks.errors import DataError


def subtasks(mixture: str) -> list[str]:
    return sorted(task.name for task in seqio.get_mixture_or_task(mixture).tasks)


def test_every_name_is_registered_and_parsed() -> None:
    names = catalogue.names()
    assert len(names) == len(set(names)) == 2 * (15 + 40 + 9 + 7) + len(languages.MC4)
    for name in names:
        task = seqio.TaskRegistry.get(name)
        parts = catalogue.parse(name)
        assert parts.language in catalogue.ALL_LANGUAGES[parts.data]
        assert (task.splits == ("train",)) == (parts.kind == "train")
        for metric in task.metric_fns:
            # Names of results are what the catalogue says, over no examples, too.
            assert tuple(metric([], [])) == catalogue.FAMILIES[parts.data].metrics


def test_sizes_are_the_benchmarks() -> None:
    assert {data: len(codes) for data, codes in catalogue.LANGUAGES.items()} == {
        "xnli": 15,
        "panx": 10,
        "tydiqa": 9,
        "pawsx": 7,
        "mc4_span_corruption": 10,
    }


@pytest.mark.parametrize("data", catalogue.FAMILIES)
def test_a_zero_shot_mixture_evaluates_every_language_once(data: str) -> None:
    evaluated = [catalogue.eval_task(data, code) for code in catalogue.LANGUAGES[data]]
    assert subtasks(f"{data}_eval") == sorted(evaluated)
    assert subtasks(f"{data}_zeroshot") == sorted([catalogue.train_task(data, "en"), *evaluated])
    for source in catalogue.LANGUAGES[data]:
        mixture = seqio.get_mixture_or_task(catalogue.zeroshot(data, source))
        training = [task.name for task in mixture.tasks if "train" in task.splits]
        assert training == [catalogue.train_task(data, source)]
        assert len(mixture.tasks) == 1 + len(evaluated)


def test_languages_are_counted_once(tfds_env) -> None:
    """Each row is in exactly the languages that it has: none lost, none twice."""
    counts = {}
    for code in languages.XNLI:
        task = seqio.get_mixture_or_task(catalogue.eval_task("xnli", code))
        rows = task.get_dataset({"inputs": 64, "targets": 8}, "validation", shuffle=False)
        counts[code] = sum(1 for _ in rows)
    assert {code: n for code, n in counts.items() if n} == {
        "en": 2,
        "ar": 1,
        "de": 1,
        "hi": 1,
        "sw": 1,
    }
    finnish = seqio.get_mixture_or_task("tydiqa_train.fi")
    assert sum(1 for _ in finnish.get_dataset(None, "train", shuffle=False)) == 2


def test_labels_and_metrics() -> None:
    assert catalogue.labels("xnli_eval.sw") == ("0", "1", "2")
    assert catalogue.labels("pawsx_train.de") == ("different_meaning", "paraphrase")
    assert catalogue.labels("panx_eval.en") is None
    assert catalogue.labels("mc4_span_corruption.en") is None
    assert catalogue.labels("my_own_task") is None
    assert [catalogue.main_metric(data) for data in ("xnli", "panx", "tydiqa", "pawsx")] == [
        "accuracy",
        "span_f1",
        "f1",
        "accuracy",
    ]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: catalogue.train_task("panxx", "en"), "did you mean panx"),
        (lambda: catalogue.eval_task("pawsx", "sw"), "it has de en es fr ja ko zh"),
        (lambda: catalogue.zeroshot("tydiqa", "de"), "no language 'de'"),
        (lambda: catalogue.span_corruption("xx"), "no language 'xx'"),
        (lambda: catalogue.parse("panx_eval.eng"), "did you mean panx_eval.en"),
        (lambda: catalogue.main_metric("squad"), "no main metric"),
    ],
)
def test_unknown_names(call, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        call()


def test_mixing_rates_grow_with_the_power_of_mt5(tfds_dir, monkeypatch) -> None:
    mixture = seqio.get_mixture_or_task("mc4_span_corruption")
    task = seqio.get_mixture_or_task("mc4_span_corruption.sw")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_dir))
    assert mixture.get_rate(task) == pytest.approx(39**0.3)
