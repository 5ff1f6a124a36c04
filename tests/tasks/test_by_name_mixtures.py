"""Few-shot mixtures, mixtures of several sources and mixed-in text hold what their names say."""

import collections
from pathlib import Path

import pytest
import seqio

import tasks  # noqa: F401 (registers)
from tasks import catalogue, data_dir, languages
from tasks.by_name import registry, sources
from tasks.errors import DataError
from tasks.tfds_writer import write_dataset
from tests.tasks import conftest as rows

PANX_TRAIN = {"en": 6, "bn": 5, "ar": 4, "sw": 3}
LENGTHS = {"inputs": 32, "targets": 16}


@pytest.fixture(autouse=True)
def _installed() -> None:
    registry.install()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PANX with other numbers of examples in each language, and text of the study's languages."""
    folder = tmp_path_factory.mktemp("mixtures")
    for code, count in PANX_TRAIN.items():
        row = {
            "tokens": [code],
            "tags": ["O"],
            "langs": [code],
            "spans": ["None"],
        }
        write_dataset(
            f"wikiann/{code}:1.0.0",
            {
                "train": [row | {"tokens": [f"{code}{n}"]} for n in range(count)],
                "validation": [row],
            },
            folder,
        )
    text = {code: [rows.text(20)] * (10 * n) for n, code in enumerate(languages.STUDY, 1)}
    write_dataset("c4/multilingual:3.1.0", text, folder)
    return folder


@pytest.fixture(autouse=True)
def _data(world: Path, _isolated) -> None:
    data_dir.use(world)


def training(mixture: str) -> dict[str, float]:
    """The share of a batch that comes from each train task."""
    provider = seqio.get_mixture_or_task(mixture)
    rates = {t.name: provider.get_rate(t) for t in provider.tasks if "train" in t.splits}
    return {name: rate / sum(rates.values()) for name, rate in rates.items()}


def evaluated(mixture: str) -> set[str]:
    held = seqio.get_mixture_or_task(mixture).tasks
    return {task.name for task in held if "validation" in task.splits}


def test_few_shot_is_a_full_source_and_some_examples_of_a_target_all_alike_often() -> None:
    shares = training("panx_fewshot.en.sw:n2")
    assert shares == pytest.approx({"panx_train.en": 6 / 8, "panx_train.sw:n2": 2 / 8})
    assert evaluated("panx_fewshot.en.sw:n2") == evaluated("panx_eval")
    dataset = seqio.get_mixture_or_task("panx_fewshot.en.sw:n2").get_dataset(
        LENGTHS, "train", seed=1, copy_pretokenized=True
    )
    drawn = dataset.take(1600).as_numpy_iterator()
    counts = collections.Counter(row["inputs_pretokenized"].decode() for row in drawn)
    assert len(counts) == 6 + 2
    assert sum("sw" in text for text in counts) == 2
    # Six standard deviations of a binomial count.
    assert all(abs(count - 200) < 6 * (200 * 7 / 8) ** 0.5 for count in counts.values())
    # Another seed, other examples of the target, or at least another name of its task.
    assert set(training("panx_fewshot.en.sw:n2.s1")) == {"panx_train.en", "panx_train.sw:n2.s1"}


@pytest.mark.parametrize("order", languages.ORDERS)
def test_sources_are_nested_in_the_order_that_the_name_states(order: str) -> None:
    codes = languages.order(sources.trained("panx"), by=order)
    assert sorted(codes) == sorted(languages.PANX)
    before: set[str] = set()
    for count in (1, 2, 5, 40):
        mixture = seqio.get_mixture_or_task(f"panx_sources.{order}.{count}")
        names = {task.name for task in mixture.tasks if "train" in task.splits}
        assert names == {f"panx_train.{code}" for code in codes[:count]}
        assert before < names
        assert evaluated(mixture.name) == evaluated("panx_eval")
        before = names


def test_sources_that_a_name_chooses() -> None:
    mixture = seqio.get_mixture_or_task("panx_from.sw_en")
    names = {task.name for task in mixture.tasks if "train" in task.splits}
    assert names == {"panx_train.sw", "panx_train.en"}
    assert evaluated(mixture.name) == evaluated("panx_eval")
    with pytest.raises(DataError, match="names the language 'xx'"):
        seqio.get_mixture_or_task("panx_from.en_xx")
    with pytest.raises(DataError, match="names the language 'en' twice"):
        seqio.get_mixture_or_task("panx_from.en_en")
    # Such a name may be the user's own.
    with pytest.raises(ValueError, match="news_from"):
        seqio.get_mixture_or_task("news_from.en")


def test_languages_that_only_other_data_trains_on() -> None:
    """XQuAD and MLQA train on SQuAD in English and on its translations."""
    for data in ("xquad", "mlqa"):
        mixture = seqio.get_mixture_or_task(f"{data}_fewshot.en.hi:n10")
        names = {task.name for task in mixture.tasks if "train" in task.splits}
        assert names == {"squad1_train.en", "xquad_translated_train.hi:n10"}
        assert evaluated(mixture.name) == evaluated(f"{data}_eval")
    assert len(sources.trained("xquad")) == 11
    # What is in the language is preferred to translations into it.
    assert set(sources.trained("tydiqa").values()) == {
        f"tydiqa_train.{code}" for code in languages.TYDIQA
    }
    with pytest.raises(DataError, match="no data set 'bucc' with train tasks"):
        seqio.get_mixture_or_task("bucc_sources.resources.1")


def test_sources_are_drawn_by_their_examples_and_cut_each(monkeypatch) -> None:
    few = {code: f"panx_train.{code}" for code in ("en", "bn", "sw")}
    monkeypatch.setattr(sources, "trained", lambda data: few)
    assert training("panx_sources.listed.3") == pytest.approx(
        {"panx_train.en": 6 / 14, "panx_train.bn": 5 / 14, "panx_train.sw": 3 / 14}
    )
    cut = training("panx_sources.listed.3:n3")
    assert cut == pytest.approx({f"panx_train.{code}:n3": 1 / 3 for code in ("en", "bn", "sw")})
    registry._made.clear()


@pytest.mark.parametrize(
    ("name", "data", "ratio", "alpha"),
    [
        ("panx_zeroshot:mlm10", "mc4_span_corruption", 10, 0.3),
        ("panx_train.en:mlm1", "mc4_span_corruption", 1, 0.3),
        ("panx_zeroshot:n2:nosentinels100", "mc4_no_sentinels", 100, 0.1),
        ("panx_fewshot.en.sw:n2:mlm3", "mc4_span_corruption", 3, 0.3),
    ],
)
def test_text_is_mixed_in_at_its_ratio_and_languages_share_by_mt5s_power(
    name: str, data: str, ratio: int, alpha: float
) -> None:
    shares = training(name)
    text = {task: share for task, share in shares.items() if task.startswith(data)}
    assert sum(text.values()) * ratio == pytest.approx(1 - sum(text.values()))
    whole = sum(n**alpha for n in range(1, 11))
    for n, code in enumerate(languages.STUDY, 1):
        share = text[f"{data}.{code}:train"] / sum(text.values())
        assert share == pytest.approx(n**alpha / whole)
    assert not any(task.startswith("mc4") for task in evaluated(name))
    own = name.rpartition(":")[0]
    assert evaluated(name) == (evaluated(own) if own != "panx_train.en" else set())


def test_mixed_batches_come_at_the_ratio() -> None:
    mixture = seqio.get_mixture_or_task("panx_train.en:mlm3")
    dataset = mixture.get_dataset(LENGTHS, "train", seed=3)
    drawn = [row["inputs"].tolist() for row in dataset.take(800).as_numpy_iterator()]
    begins = seqio.ByteVocabulary().encode("tag: en")
    own = sum(ids[: len(begins)] == begins for ids in drawn)
    assert abs(own - 600) < 6 * (800 * 3 / 16) ** 0.5


def test_text_that_is_not_there_is_said(tmp_path) -> None:
    data_dir.use(tmp_path)
    mixture = seqio.get_mixture_or_task("panx_zeroshot:mlm10")
    with pytest.raises(DataError, match="is not under"):
        mixture.get_dataset(LENGTHS, "train")


def test_an_eval_mixture_is_perturbed_and_keeps_its_labels() -> None:
    names = evaluated("xnli_zeroshot:typos10")
    assert names == {f"xnli_eval.{code}:typos10" for code in languages.XNLI}
    assert training("xnli_zeroshot:typos10") == {"xnli_train.en": 1.0}
    assert catalogue.labels("xnli_eval.sw:typos10.s2") == catalogue.labels("xnli_eval.sw")
    assert catalogue.labels("their_task:typos10") is None


def test_perturbed_rows_differ_in_their_inputs_alone(world: Path, tmp_path: Path) -> None:
    data_dir.use(tmp_path)
    row = rows.PANX_ROWS["en"]
    write_dataset("wikiann/en:1.0.0", {"validation": [row] * 2}, tmp_path)

    def texts(name: str) -> list[dict]:
        task = seqio.get_mixture_or_task(name)
        return list(task.get_dataset(None, "validation", shuffle=False).as_numpy_iterator())

    plain, noisy = texts("panx_eval.en"), texts("panx_eval.en:deletions100")
    assert len(plain) == len(noisy) == 2
    for one, other in zip(plain, noisy, strict=True):
        assert one.keys() == other.keys()
        assert one["inputs_pretokenized"] != other["inputs_pretokenized"]
        assert one["targets_pretokenized"] == other["targets_pretokenized"]
