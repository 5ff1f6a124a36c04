"""One name, one meaning, one spelling; and what is misspelt is told the right names."""

import re

import pytest
import seqio
from hypothesis import given
from hypothesis import strategies as st

import tasks  # noqa: F401 (registers)
from tasks.by_name import grammar, registry
from tasks.by_name.grammar import Chosen, FewShot, Sources, Suffix
from tasks.errors import DataError

SUFFIXES = st.builds(
    Suffix,
    st.sampled_from(["n", "typos", "mlm", "nosentinels"]),
    st.integers(0, 10**9),
    st.integers(0, 99),
)


@pytest.fixture(autouse=True)
def _installed() -> None:
    registry.install()


@given(st.sampled_from(["panx_train.en", "my:own_task", "a"]), st.lists(SUFFIXES, max_size=4))
def test_suffixes_are_read_as_they_are_written(base: str, suffixes: list[Suffix]) -> None:
    name = base + "".join(map(str, suffixes))
    assert grammar.base_of(name) == base
    read: list[Suffix] = []
    while found := grammar.last_suffix(name):
        name, suffix = found
        read.insert(0, suffix)
    assert (name, read) == (base, suffixes)


@given(st.text(alphabet="abn:.s019_#", max_size=12))
def test_any_text_is_read_as_it_is_written_or_refused(name: str) -> None:
    try:
        found = grammar.last_suffix(name)
    except DataError:
        # Two spellings of one name: the number is not as it would be written.
        assert re.search(r"[n.s_ab]0", name)
        return
    if found is not None:
        assert f"{found[0]}{found[1]}" == name


def test_mixtures_of_languages() -> None:
    assert grammar.sources("xnli_sources.resources.3") == Sources("xnli", "resources", 3)
    assert grammar.few_shot("mlqa_cross_fewshot.en.sw") == FewShot("mlqa_cross", "en", "sw")
    assert grammar.chosen("xnli_from.en_hi") == Chosen("xnli", ("en", "hi"))
    assert grammar.chosen("xnli_from.EN") is None
    for other in ("xnli_zeroshot", "xnli_sources", "xnli_sources.resources", "news_sources.en"):
        assert grammar.sources(other) is None
        assert grammar.few_shot(other) is None
    assert grammar.base_of("mc4_span_corruption.sw:train") == "mc4_span_corruption.sw"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("panx_train.en:n0", "at least 1 training example"),
        ("panx_train.en:n010", "did you mean panx_train.en:n10?"),
        ("panx_train.en:n10.s0", "did you mean panx_train.en:n10?"),
        (f"panx_train.en:n{10**12}", "as in :n10 or :n10.s3"),
        ("panx_train.en:n10x", "as in :n10 or :n10.s3"),
        ("panx_train.en:n", "as in :n10 or :n10.s3"),
        ("panx_trian.en:n10", "did you mean panx_train.en:n10"),
        ("panx_eval.en:n10", "cuts the train split"),
        ("panx_eval:n10", "no task that trains"),
        ("panx_eval.en:typo10", "did you mean typos10?"),
        ("panx_train.en:typos10", "has a train split"),
        ("panx_eval.en:typos101", "from 0 to 100"),
        ("pawsx_eval.en:shuffle10", "does not fit pawsx"),
        ("panx_eval:mlm10", "no train split"),
        ("panx_zeroshot:mlm0", "to how many examples"),
        ("mc4_span_corruption:mlm10", "trains on it already"),
        ("panx_zeroshot:mlm10:n10", "did you mean panx_zeroshot:n10:mlm10?"),
        ("panx_zeroshot:n20:n10", "did you mean panx_zeroshot:n20 or panx_zeroshot:n10?"),
        ("panx_eval.en:train", "has no train split"),
        ("panx_sources.resource.3", "did you mean resources"),
        ("panx_sources.resources.0", "1 to 40 source languages"),
        ("panx_sources.resources.41", "did you mean panx_sources.resources.40?"),
        ("panx_sources.resources.03", "is written 3"),
        ("panxx_sources.resources.3", "did you mean panx"),
        ("panx_fewshot.en.sw", "did you mean panx_fewshot.en.sw:n100?"),
        ("panx_fewshot.en.sw:mlm10", "must say how many examples"),
        ("panx_fewshot.en.swa:n10", "did you mean sw?"),
        ("panx_fewshot.en.en:n10", "did you mean panx_zeroshot.en:n100?"),
        ("panx_fewshot.en.sw:n0", "at least 1 training example"),
        ("pnax_fewshot.en.sw:n10", "did you mean panx"),
    ],
)
def test_wrong_names_end_in_one_sentence(name: str, reason: str) -> None:
    with pytest.raises(DataError) as error:
        seqio.get_mixture_or_task(name)
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_names_of_others_are_left_alone() -> None:
    for name in ("their_task", "their_task:v2", "their_task:small", "panx_train.en:v2"):
        with pytest.raises(ValueError, match="No Task or Mixture"):
            seqio.get_mixture_or_task(name)
    seqio.MixtureRegistry.add("panx_eval:small", ["panx_eval.en"], default_rate=1.0)
    assert seqio.get_mixture_or_task("panx_eval:small").tasks[0].name == "panx_eval.en"
    seqio.MixtureRegistry.remove("panx_eval:small")


def test_the_same_name_is_the_same_task_and_listing_does_not_grow() -> None:
    before = [*seqio.TaskRegistry.names()], [*seqio.MixtureRegistry.names()]
    task = seqio.get_mixture_or_task("panx_train.en:n10")
    mixture = seqio.get_mixture_or_task("panx_zeroshot:n10")
    assert seqio.TaskRegistry.get("panx_train.en:n10") is task
    assert seqio.MixtureRegistry.get("panx_zeroshot:n10") is mixture
    assert task in mixture.tasks
    assert "panx_train.en:n10" not in seqio.MixtureRegistry.names()
    assert ([*seqio.TaskRegistry.names()], [*seqio.MixtureRegistry.names()]) == before
    registry.install()
    assert seqio.get_mixture_or_task("panx_train.en:n10") is task


def test_after_a_reset_what_is_registered_then_can_be_installed_again(monkeypatch) -> None:
    # As SeqIO's reset does it, and undone for the other tests.
    kept = dict(seqio.TaskRegistry._REGISTRY)
    monkeypatch.setattr(seqio.TaskRegistry, "_REGISTRY", seqio.TaskRegistry._REGISTRY)
    monkeypatch.setattr(seqio.MixtureRegistry, "_REGISTRY", seqio.MixtureRegistry._REGISTRY)
    seqio.TaskRegistry.reset()
    seqio.MixtureRegistry.reset()
    assert "panx_train.en:n10" not in seqio.TaskRegistry.names()
    registry.install()
    with pytest.raises(DataError, match=r"made from 'panx_train\.en', which is not registered"):
        seqio.get_mixture_or_task("panx_train.en:n10")
    seqio.TaskRegistry.add_provider("panx_train.en", kept["panx_train.en"])
    assert seqio.get_mixture_or_task("panx_train.en:n10").name == "panx_train.en:n10"


def test_a_task_that_is_registered_anew_has_new_variants() -> None:
    old = seqio.TaskRegistry.get("panx_train.en")
    variant = seqio.TaskRegistry.get("panx_train.en:n10")
    seqio.TaskRegistry.remove("panx_train.en")
    with pytest.raises(DataError, match="not registered"):
        seqio.TaskRegistry.get("panx_train.en:n10")
    seqio.TaskRegistry.add_provider("panx_train.en", old)
    assert seqio.TaskRegistry.get("panx_train.en:n10") is not variant
