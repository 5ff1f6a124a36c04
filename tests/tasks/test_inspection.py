"""What `mt5x tasks` says of a task: examples, lengths, packing, the suggested lengths."""

import json

import numpy as np
import pytest
import seqio
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import inspection, span_corruption, vocabulary
from tasks.errors import DataError
from tasks.inspection import lookup, packing, suggestion
from tasks.inspection.distribution import bars, distribution
from tasks.inspection.examples import Example, pieces, read

COUNTS = st.lists(st.tuples(st.integers(1, 70), st.integers(1, 40)), min_size=1, max_size=120)


def made_up(counts: list[tuple[int, int]]) -> list[Example]:
    """Examples of so many tokens, none of them padding."""
    return [
        Example({}, {"inputs": np.full(i, 7, np.int32), "targets": np.full(t, 9, np.int32)})
        for i, t in counts
    ]


@settings(max_examples=8)
@given(COUNTS, st.integers(1, 64), st.integers(1, 48))
def test_rows_counted_by_lengths_are_those_that_seqio_packs(counts, inputs, targets) -> None:
    examples, lengths = made_up(counts), {"inputs": inputs, "targets": targets}
    packed, arrays = packing.pack(examples, lengths)
    assert packing.count_rows(packing.token_counts(examples), lengths) == packed
    assert arrays["inputs"].shape == (packed.rows, inputs)
    # Every example is in exactly one row, inputs and targets in the same one.
    segments = [arrays[f"{name}_segment_ids"].max(axis=1) for name in ("inputs", "targets")]
    assert segments[0].tolist() == segments[1].tolist()
    assert segments[0].sum() == len(counts)


def test_packing_figures_by_hand() -> None:
    examples = made_up([(5, 2), (3, 2), (9, 1), (2, 1)])
    packed, arrays = packing.pack(examples, {"inputs": 8, "targets": 4})
    assert arrays["inputs_segment_ids"].tolist() == [[1] * 5 + [2] * 3, [1] * 8, [1] * 2 + [0] * 6]
    assert arrays["targets_segment_ids"].tolist() == [[1, 1, 2, 2], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert packed.tokens == {"inputs": 18, "targets": 6}
    assert packed.efficiency == pytest.approx(24 / 36)
    assert packed.filled("targets") == pytest.approx(6 / 12)
    assert packed.share_cut == pytest.approx(1 / 4)
    assert packed.examples_per_row == pytest.approx(4 / 3)


@settings(max_examples=30)
@given(COUNTS, st.sampled_from([0.0, 0.005, 0.1, 0.5]))
def test_suggested_lengths_keep_the_promise_about_cutting(counts, most_cut) -> None:
    array = np.asarray(counts)
    found = suggestion.suggest(array, most_cut)
    assert found.share_cut <= most_cut
    for length in found.lengths.values():
        assert length % (8 if length <= 128 else 64 if length <= 512 else 128) == 0


def test_no_other_lengths_that_cut_as_little_take_less_work() -> None:
    draw = np.random.default_rng(0)
    counts = np.stack([draw.poisson(50, 2000) + 1, draw.poisson(9, 2000) + 1], axis=1)
    found = suggestion.suggest(counts, 0.0)
    for inputs in (128, 192, 256, 512, 1024):
        for targets in (8, 16, 24, 32, 48, 64, 96, 128, 256, 512):
            other = packing.count_rows(counts, {"inputs": inputs, "targets": targets})
            assert other.cut or suggestion.cost(found) <= suggestion.cost(other)
    assert found.efficiency > 0.8


def test_a_few_very_long_examples_do_not_decide() -> None:
    counts = np.array([[40, 4]] * 997 + [[5000, 4], [6000, 400], [40, 900]])
    assert suggestion.suggest(counts, 0.005).lengths["inputs"] <= 1024
    whole = suggestion.suggest(counts, 0.0)
    assert whole.lengths["inputs"] >= 6000
    assert whole.lengths["targets"] >= 900
    assert whole.cut == 0


def test_targets_are_long_enough_for_span_corruption_beside_the_task() -> None:
    needed = lambda inputs: span_corruption.segment_length(inputs)[1]  # noqa: E731
    found = suggestion.suggest(np.array([[50, 2]] * 200), 0.0, needed)
    assert found.lengths["targets"] >= needed(found.lengths["inputs"])


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=300), st.integers(1, 20))
def test_the_histogram_counts_every_example_once(counts, bins) -> None:
    array = np.asarray(counts)
    found = distribution(array, bins)
    assert len(found.edges) - 1 == len(found.histogram) <= bins
    for low, high, count in zip(found.edges, found.edges[1:], found.histogram, strict=False):
        assert count == ((array >= low) & (array < high)).sum()
    assert sum(found.histogram) == len(counts)
    assert found.percentiles[0] == min(counts)
    assert found.percentiles[100] == max(counts)
    assert ((array <= found.percentiles[95]).sum()) >= 0.95 * len(counts) - 1e-9


def test_a_bar_is_as_long_as_its_value() -> None:
    assert bars([4, 2, 0, 1e-9], 4) == ["████", "██", "", "▏"]
    assert bars([0, 0], 4) == ["", ""]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", ["a", "▁", "b", "</s>"]),
        ("لا", ["d9", "84=ل", "d8", "a7=ا", "</s>"]),
        ("হি", ["e0", "a6", "b9=হ", "e0", "a6", "bf=ি", "</s>"]),
        ("😀", ["f0", "9f", "98", "80=😀", "</s>"]),
    ],
)
def test_bytes_are_shown_with_the_characters_that_they_make(text, expected) -> None:
    bytes_ = seqio.ByteVocabulary()
    assert pieces(bytes_, np.array([*bytes_.encode(text), 1])) == expected


def test_broken_bytes_and_sentinels_are_shown_too() -> None:
    vocabulary_ = seqio.ByteVocabulary(extra_ids=2)
    ids = np.array([0xE0 + 3, ord("x") + 3, 0, 259, 260, 2])
    assert pieces(vocabulary_, ids) == ["e0", "x", "<pad>", "<259>", "<260>", "<unk>"]


@pytest.mark.usefixtures("tfds_env")
def test_a_task_is_shown_as_text_as_pieces_and_packed() -> None:
    found = inspection.inspect("panx_train.bn", num_examples=1)
    assert (found.split, found.splits, found.measured) == ("train", ["train"], 2)
    (part,) = found.parts
    assert part.source == "wikiann/bn:1.0.0, split train"
    assert (part.rows, part.at_most, part.share) == ({"train": 2}, False, 1.0)
    (shown,) = found.examples
    assert shown.texts == {"inputs": "tag: রবি ঢাকায় থাকে", "targets": "PER: রবি $$ LOC: ঢাকায়"}
    assert "".join(shown.pieces["targets"]).endswith("</s>")
    size = len("tag: রবি ঢাকায় থাকে".encode()) + 1
    assert found.distributions["inputs"].percentiles[50] == size
    assert found.suggestion.cut == 0
    assert found.suggestion.tokens["inputs"] == 2 * size
    assert found.rows["inputs_segment_ids"].max() >= 1
    back = json.loads(json.dumps(found.as_json(), ensure_ascii=False))
    assert back["suggestion"]["lengths"] == found.suggestion.lengths
    assert back["distributions"]["inputs"]["percentiles"]["99.5"] == size


@pytest.mark.usefixtures("tfds_env")
def test_scripts_are_printed_as_they_are() -> None:
    page = inspection.task_page(inspection.inspect("panx_train.ar"), 100)
    assert "tag: لا أحد" in page
    assert "\\u" not in page
    assert "TASK_FEATURE_LENGTHS = {'inputs': " in page
    assert "mT5's" in page
    assert max(map(len, page.splitlines())) <= 120


@pytest.mark.usefixtures("tfds_env")
def test_a_mixture_shows_the_share_of_each_of_its_tasks() -> None:
    mixture = seqio.Mixture("x", [("panx_train.en", 3.0), ("panx_train.bn", 1.0)])
    assert lookup.shares(mixture, "train") == {"panx_train.bn": 0.25, "panx_train.en": 0.75}
    assert lookup.shares(lookup.find("panx_zeroshot.bn"), "train") == {"panx_train.bn": 1.0}
    # Its smallest task does not end a mixture early, and no more is read than there is.
    assert len(read(mixture, "train", 3, 0, None)) == 3
    assert len(read(mixture, "train", 100, 0, None)) == 4


@pytest.mark.usefixtures("tfds_env")
def test_a_task_that_fills_its_rows_is_measured_at_mt5s_lengths() -> None:
    name = "mc4_span_corruption.sw"
    assert lookup.fills_rows(seqio.get_mixture_or_task(name))
    assert not lookup.fills_rows(seqio.get_mixture_or_task("panx_train.en"))
    found = inspection.inspect(name)
    assert found.fills == [name]
    assert found.suggestion.lengths == {"inputs": 1024, "targets": 229}


@pytest.mark.usefixtures("tfds_env")
def test_the_other_tasks_of_a_mixture_decide_where_one_fills_its_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "mc4_span_corruption.sw"
    mixed = seqio.Mixture("mixed", [("panx_train.en", 9.0), (name, 1.0)])
    monkeypatch.setattr(lookup, "find", lambda name: mixed)
    found = inspection.inspect("mixed", num_examples=2)
    assert found.fills == [name]
    assert {part.name: part.share for part in found.parts} == {"panx_train.en": 0.9, name: 0.1}
    assert all(shown.texts["inputs"].startswith("tag: ") for shown in found.examples)
    lengths = found.suggestion.lengths
    assert lengths["targets"] >= span_corruption.segment_length(lengths["inputs"])[1]


@pytest.mark.usefixtures("tfds_env")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"name": "panx_trian.en"}, "no task or mixture is named 'panx_trian.en'; did you mean "),
        ({"name": "zzz"}, "`mt5x tasks` lists what there is"),
        ({"name": "panx_eval.en", "split": "valid"}, "did you mean validation?"),
        ({"name": "panx_train.en", "num_examples": -1}, "--examples of at least 0, got -1"),
        ({"name": "panx_train.en", "measure": 0}, "--measure of at least 1, got 0"),
        ({"name": "panx_train.en", "most_cut": 1.0}, "from 0 to below 1, got 1"),
        ({"name": "panx_train.en", "most_cut": -0.1}, "from 0 to below 1, got -0.1"),
        ({"name": "panx_train.fi"}, "wikiann/fi:1.0.0"),
        ({"name": "tydiqa_train.ko"}, "tydiqa_train.ko has no example in its split 'train'"),
    ],
)
def test_what_a_person_can_put_right_is_said_in_a_sentence(arguments, expected) -> None:
    with pytest.raises(DataError) as caught:
        inspection.inspect(**arguments)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("tfds_env")
def test_the_same_seed_reads_the_same_examples() -> None:
    task = lookup.find("xnli_eval.en")
    one, two = (read(task, "validation", 2, 3, None) for _ in range(2))
    assert [example.texts for example in one] == [example.texts for example in two]


def test_pieces_of_mt5s_vocabulary(shared) -> None:
    vocabulary.choose(shared / "data" / "mt5_vocab" / "spiece.model")
    chosen = vocabulary.chosen()
    ids = np.array([*chosen.encode("tag: दिल्ली"), 250099, 250105, 1])
    shown = pieces(chosen, ids)
    assert shown[0] == "▁tag"
    assert shown[-3:] == ["▁<extra_id_0>", "<250105>", "</s>"]
    assert "".join(shown[1:-3]).replace("▁", "").endswith("दिल्ली")


def test_what_is_wasted_is_what_the_examples_alone_do_not_need():
    """Against the definition, example by example; one example that fills a row wastes nothing."""
    counts = np.array([[10, 4], [7, 2], [3, 3]])
    found = packing.count_rows(counts, {"inputs": 12, "targets": 8})
    needed = sum(i + t + (i * i + t * (i + t)) / 4608 for i, t in counts)
    assert suggestion.wasted(found) == pytest.approx(1 - needed / (suggestion.cost(found) * 3))
    whole = packing.count_rows(np.array([[16, 8]]), {"inputs": 16, "targets": 8})
    assert suggestion.wasted(whole) == pytest.approx(0)
    longer = packing.count_rows(counts, {"inputs": 1024, "targets": 512})
    assert suggestion.wasted(found) < suggestion.wasted(longer) < 1
