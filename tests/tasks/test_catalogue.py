"""One table, and the registry holds exactly what it says."""

import pytest
import seqio

from tasks import catalogue, languages, mixtures
from tasks.catalogue import DATA_SETS
from tasks.errors import DataError

TRANSFERRED = [name for name, one in DATA_SETS.items() if one.role == "target" and not one.embedded]


def subtasks(mixture: str) -> list[str]:
    return sorted(task.name for task in seqio.get_mixture_or_task(mixture).tasks)


def training(mixture: str) -> list[str]:
    tasks = seqio.get_mixture_or_task(mixture).tasks
    return sorted(task.name for task in tasks if "train" in task.splits)


def test_every_name_is_registered_and_parsed() -> None:
    names = catalogue.names()
    assert len(names) == len(set(names))
    for name in names:
        task = seqio.TaskRegistry.get(name)
        parts = catalogue.parse(name)
        assert parts.language in catalogue.ALL_LANGUAGES[parts.data]
        if parts.data in catalogue.TEXT:
            assert task.splits == ("train", "validation")
            continue
        assert (task.splits == ("train",)) == (parts.kind in ("train", "translated_train"))
        # Names of results are what the catalogue says, over no examples, too.
        scored = [key for metric in task.metric_fns for key in metric([], [])]
        assert tuple(scored) == DATA_SETS[parts.data].scores.names
        assert DATA_SETS[parts.data].scores.main in scored


def test_sizes_are_the_benchmarks() -> None:
    sizes = {
        data: {kind: len(part.languages) for kind, part in one.parts.items()}
        for data, one in DATA_SETS.items()
        if one.role == "target"
    }
    assert sizes == {
        "xnli": {"train": 15, "eval": 15},
        "panx": {"train": 40, "eval": 40},
        "udpos": {"train": 30, "eval": 33},
        "tydiqa": {"train": 9, "translated_train": 8, "eval": 9},
        "xquad": {"translated_train": 10, "eval": 11},
        "mlqa": {"eval": 7},
        "mlqa_cross": {"eval": 42},
        "pawsx": {"train": 7, "translated_train": 6, "eval": 7},
        "xcopa": {"train": 1, "eval": 12},
        "tatoeba": {"eval": 36},
        "bucc": {"eval": 4},
    }
    assert len(catalogue.LANGUAGES["panx"]) == len(languages.STUDY) == 10
    assert set(mixtures.NINE) == {
        *("anli_plus", "mnli", "qqp", "squad1", "squad2", "hellaswag", "ccg", "cosmosqa", "csqa")
    }


@pytest.mark.parametrize("data", TRANSFERRED)
def test_a_zero_shot_mixture_evaluates_every_language_once(data: str) -> None:
    evaluated = [catalogue.eval_task(data, code) for code in catalogue.LANGUAGES[data]]
    assert subtasks(f"{data}_eval") == sorted(evaluated)
    held_out = mixtures.evaluation_tasks(DATA_SETS[data])
    assert set(evaluated) <= set(held_out)
    assert subtasks(f"{data}_zeroshot") == sorted([catalogue.train_task(data, "en"), *held_out])
    for source in DATA_SETS[DATA_SETS[data].trained_on].languages_of("train"):
        name = catalogue.zeroshot(data, source)
        assert training(name) == [catalogue.train_task(data, source)]
        assert subtasks(name) == sorted([catalogue.train_task(data, source), *held_out])


def test_each_translate_train_mixture_has_its_own_list() -> None:
    """multilingual-t5 registers the wrong list for PAWS-X's original translations."""
    others = [code for code in languages.PAWSX if code != "en"]
    assert training("pawsx_translate_train") == sorted(
        ["pawsx_train.en", *(f"pawsx_translated_train.{code}" for code in others)]
    )
    assert training("pawsx_translate_train_original") == sorted(
        f"pawsx_train.{code}" for code in languages.PAWSX
    )
    assert training("xnli_translate_train") == sorted(f"xnli_train.{c}" for c in languages.XNLI)
    assert training("tydiqa_in_language") == sorted(f"tydiqa_train.{c}" for c in languages.TYDIQA)
    assert training("mlqa_translate_train") == sorted(
        [
            "squad1_train.en",
            *(f"xquad_translated_train.{code}" for code in languages.MLQA if code != "en"),
        ]
    )


def test_a_checkpoint_can_be_chosen_without_the_target() -> None:
    """XQuAD has a test set alone; beside it stands SQuAD's validation set."""
    tasks = seqio.get_mixture_or_task("xquad_zeroshot").tasks
    assert [task.name for task in tasks if "validation" in task.splits] == ["squad1_eval.en"]


def test_two_configs_of_the_official_pos_data_bear_each_others_code() -> None:
    tamil = seqio.get_mixture_or_task("udpos_eval.ta")
    tagalog = seqio.get_mixture_or_task("udpos_eval.tl")
    assert "xtreme_pos_tl" in repr(tamil.source)
    assert tamil.splits == ("validation", "test")
    assert "xtreme_pos_ta" in repr(tagalog.source)
    assert tagalog.splits == ("test",)


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
    assert catalogue.labels("xnli_eval.sw:typos10") == ("0", "1", "2")
    assert catalogue.labels("pawsx_translated_train.de") == ("different_meaning", "paraphrase")
    assert catalogue.labels("csqa_eval.en") == ("1", "2", "3", "4", "5")
    for free in ("panx_eval.en", "mc4_span_corruption.en", "mlqa_cross_eval.en.de", "my_own_task"):
        assert catalogue.labels(free) is None
    assert catalogue.embedded("tatoeba_eval.sw")
    assert catalogue.embedded("bucc_eval.zh")
    assert not catalogue.embedded("xnli_eval.sw")
    assert not catalogue.embedded("my_own_task")
    assert [catalogue.main_metric(data) for data in ("xnli", "panx", "tydiqa", "bucc")] == [
        "accuracy",
        "span_f1",
        "f1",
        "mining_f1",
    ]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: catalogue.train_task("panxx", "en"), "did you mean panx"),
        (lambda: catalogue.eval_task("pawsx", "sw"), "it has de en es fr ja ko zh"),
        (lambda: catalogue.train_task("tatoeba", "sw"), "it has none"),
        (lambda: catalogue.zeroshot("tydiqa", "de"), "no language 'de'"),
        (lambda: catalogue.zeroshot("xquad", "de"), "squad1 has no language 'de'"),
        (lambda: catalogue.span_corruption("xx"), "no language 'xx'"),
        (lambda: catalogue.parse("panx_eval.eng"), "did you mean panx_eval.en"),
        (lambda: catalogue.main_metric("squad"), "did you mean squad2 or squad1"),
    ],
)
def test_unknown_names(call, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        call()


def test_mixing_rates_grow_with_the_power_of_mt5(tfds_dir, monkeypatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tfds_dir))
    for text, power in (("mc4_span_corruption", 0.3), ("mc4_no_sentinels", 0.1)):
        mixture = seqio.get_mixture_or_task(text)
        task = seqio.get_mixture_or_task(f"{text}.sw")
        assert mixture.get_rate(task) == pytest.approx(39**power)


def test_the_nine_intermediate_tasks_are_drawn_as_their_name_says(monkeypatch) -> None:
    """With P2's own sizes: ANLI+ is 1,104,934 examples, and MNLI counts once more by itself."""
    sizes = {
        "anli_r1": 16_946,
        "anli_r2": 45_460,
        "anli_r3": 100_459,
        "mnli": 392_702,
        "snli": 549_367,
        "qqp": 363_846,
        "squad2": 130_319,
        "squad1": 87_599,
        "hellaswag": 39_905,
        "ccg": 38_015,
        "cosmosqa": 25_262,
        "csqa": 9_741,
    }
    monkeypatch.setattr(mixtures, "_num_train_examples", sizes.__getitem__)

    def rate(rates: str, data: str) -> float:
        mixture = seqio.get_mixture_or_task(f"intermediate_nine.{rates}")
        return mixture.get_rate(seqio.TaskRegistry.get(catalogue.train_task(data, "en")))

    anli_plus = sum(sizes[part] for part in mixtures.NINE["anli_plus"])
    assert anli_plus == 1_104_934
    assert rate("examples", "csqa") == 9_741
    assert rate("examples", "mnli") == pytest.approx(2 * 392_702)
    assert rate("capped", "qqp") == 2**16
    assert rate("capped", "snli") == pytest.approx(2**16 * 549_367 / anli_plus)
    assert rate("tempered", "ccg") == pytest.approx(38_015**0.5)
    total = sum(rate("examples", part) for part in sizes)
    assert total == pytest.approx(anli_plus + sum(sizes[n] for n in mixtures.NINE if n in sizes))
