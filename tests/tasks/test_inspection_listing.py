"""The list of `mt5x tasks`: complete, from metadata alone, and short enough to read."""

import pytest
import seqio

from tasks import inspection, tfds_writer
from tasks.errors import DataError
from tasks.inspection import lookup


def named(name: str) -> inspection.Entry:
    (found,) = [entry for entry in inspection.entries() if entry.name == name]
    return found


def test_every_task_and_mixture_is_in_the_list_once() -> None:
    names = [entry.name for entry in inspection.entries()]
    assert sorted(names) == sorted([*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()])
    grouped = [
        one.name for group in inspection.group(inspection.entries()) for one in group.entries
    ]
    assert sorted(grouped) == sorted(names)


@pytest.mark.parametrize(
    ("name", "data", "kind", "languages"),
    [
        ("panx_train.en", "panx", "train", ("en",)),
        ("xnli_eval.zh", "xnli", "eval", ("zh",)),
        ("mc4_span_corruption.sw", "mc4_span_corruption", "text", ("sw",)),
        ("panx_zeroshot", "panx", "mixture", ()),
        ("tydiqa_zeroshot.te", "tydiqa", "mixture", ("te",)),
        ("mc4_span_corruption", "mc4_span_corruption", "mixture", ()),
        ("anli_train.en", "anli", "mixture", ("en",)),
        ("intermediate_nine.capped", "intermediate_nine", "mixture", ()),
    ],
)
def test_data_set_kind_and_language_are_read_from_the_name(name, data, kind, languages) -> None:
    entry = named(name)
    assert (entry.data, entry.kind, entry.languages) == (data, kind, languages)


@pytest.mark.usefixtures("tfds_env")
def test_sizes_are_those_on_disk_and_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("rows were read, or a download was tried")

    monkeypatch.setattr("tensorflow_datasets.core.DatasetBuilder.as_dataset", refuse)
    monkeypatch.setattr("tasks.network.reachable", refuse)
    assert named("panx_train.en").sizes == {"train": 2}
    assert not named("panx_train.en").at_most
    assert named("panx_eval.en").sizes == {"validation": 1}
    assert named("xnli_eval.en").sizes == {"validation": 2, "test": 1}
    # Its rows hold all languages, some of which a row may lack.
    assert named("xnli_eval.en").at_most
    assert named("tydiqa_train.fi").at_most
    assert named("panx_train.fi").sizes == {}
    assert named("panx_train.fi").needs == ("wikiann/fi:1.0.0",)


@pytest.mark.usefixtures("tfds_env")
def test_a_size_follows_the_disk(tfds_env, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert named("pawsx_train.en").sizes == {}
    row = {"sentence1": "a", "sentence2": "b", "label": 0}
    tfds_writer.write_dataset("paws_x_wiki/en:1.0.0", {"train": [row] * 5}, tmp_path)
    assert named("pawsx_train.en").sizes == {"train": 5}


def test_a_row_that_becomes_two_examples_counts_twice(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    row = {"source_language": "sw", "target_language": "en", "source_sentence": "Ndiyo.",
           "target_sentence": "Yes."}  # fmt: skip
    tfds_writer.write_dataset("tatoeba/tatoeba_sw:1.0.0", {"train": [row] * 4}, tmp_path)
    assert named("tatoeba_eval.sw").sizes == {"test": 8}


def test_filters_narrow_the_list() -> None:
    among = inspection.entries()
    found = inspection.matching(among, data="panx", kind="train", language="sw")
    assert [entry.name for entry in found] == ["panx_train.sw"]
    assert {one.kind for one in inspection.matching(among, kind="mixture")} == {"mixture"}
    assert inspection.matching(among) == among


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"data": "pamx"}, "no task or mixture has the data set 'pamx'; did you mean panx"),
        ({"kind": "trian"}, "has the kind 'trian'; did you mean train"),
        ({"language": "qq"}, "has the language 'qq'"),
        (
            {"data": "xnli", "language": "ko"},
            "has data set 'xnli' and language 'ko' together; leave one of them out",
        ),
    ],
)
def test_a_filter_that_finds_nothing_is_explained(filters, expected) -> None:
    with pytest.raises(DataError, match=expected):
        inspection.matching(inspection.entries(), **filters)


@pytest.mark.usefixtures("tfds_env")
def test_hundreds_of_tasks_take_a_page() -> None:
    groups = inspection.group(inspection.entries())
    page = inspection.list_page(groups, 140)
    assert len(page.splitlines()) < 6 * len(groups)
    assert max(map(len, page.splitlines())) <= 140
    assert "train 2; 37 not there: needs wikiann/*:1.0.0" in " ".join(page.split())
    tasks, mixtures = len(seqio.TaskRegistry.names()), len(seqio.MixtureRegistry.names())
    assert f"{tasks} tasks, {mixtures} mixtures; data in " in page
    whole = inspection.list_page(groups, 140, all_tasks=True)
    for name in lookup.registered_names():
        assert f"\n{name} " in whole
