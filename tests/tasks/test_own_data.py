"""A file of two columns is a task after one call; a wrong row is named with file and line."""

import collections
import json
from pathlib import Path

import pytest
import seqio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tasks  # noqa: F401 (registers)
from tasks import metrics, own_data
from tasks.by_name import registry
from tasks.errors import DataError

LABELS = ("bad", "good")
QUOTE = '"'


@pytest.fixture(autouse=True)
def _forgotten():
    """Forgets what a test registers."""
    registry.install()
    before = [*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()]
    yield
    for of in (seqio.TaskRegistry, seqio.MixtureRegistry):
        for name in {*of.names()} - {*before}:
            of.remove(name)
    own_data._labels.clear()


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    """Writes rows with columns text and label in the format of the path's suffix."""
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".jsonl":
        lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
    elif path.suffix == ".csv":
        lines = [
            "text,label",
            *(f'"{text.replace(QUOTE, 2 * QUOTE)}",{label}' for text, label in rows),
        ]
    else:
        lines = ["text\tlabel", *("\t".join(row) for row in rows)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def read(name: str, split: str, shards: int = 1) -> list[tuple[str, str]]:
    task = seqio.get_mixture_or_task(name)
    found = []
    for index in range(shards):
        dataset = task.get_dataset(
            None,
            split,
            shuffle=False,
            shard_info=seqio.ShardInfo(index, shards) if shards > 1 else None,
        )
        for row in dataset.as_numpy_iterator():
            pair = row["inputs_pretokenized"].decode(), row["targets_pretokenized"].decode()
            assert row["targets"].tolist() == [3 + byte for byte in pair[1].encode()] + [1]
            found.append(pair)
    return found


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    folder = tmp_path / "reviews"
    for number in range(2):
        rows = [(f"film {n}", LABELS[n % 4 == 0]) for n in range(number, 24, 2)]
        write(folder / f"train.en-{number}.tsv", rows)
    write(folder / "train.hi-0.tsv", [("अच्छा", "good"), ("खराब", "bad")])
    write(folder / "dev.ar-0.csv", [('قال "نعم", ثم\nذهب', "good")])
    write(folder / "test.ar-0.jsonl", [("سيئ", "bad")])
    (folder / "readme.txt").write_text("not data")
    return folder


def test_a_short_call_registers_tasks_and_mixtures(reviews: Path) -> None:
    names = own_data.add(
        "reviews",
        reviews / "{split}.{language}-*.*",
        columns=("text", "label"),
        prefix="review: ",
        labels=LABELS,
    )
    assert names == [
        "reviews_train.en",
        "reviews_train.hi",
        "reviews_eval.ar",
        "reviews_eval",
        "reviews_zeroshot.en",
        "reviews_zeroshot",
        "reviews_zeroshot.hi",
    ]
    assert read("reviews_eval.ar", "validation") == [('review: قال "نعم", ثم\nذهب', "good")]
    assert read("reviews_eval.ar", "test") == [("review: سيئ", "bad")]
    assert read("reviews_train.hi", "train") == [("review: अच्छा", "good"), ("review: खराब", "bad")]
    whole = read("reviews_train.en", "train")
    assert sorted(whole) == sorted((f"review: film {n}", LABELS[n % 4 == 0]) for n in range(24))
    assert sorted(read("reviews_train.en", "train", shards=2)) == sorted(whole)
    assert sorted(read("reviews_train.en", "train", shards=3)) == sorted(whole)
    assert seqio.get_mixture_or_task("reviews_train.en").num_input_examples("train") == 24
    mixture = seqio.get_mixture_or_task("reviews_zeroshot")
    assert [task.name for task in mixture.tasks] == ["reviews_eval.ar", "reviews_train.en"]
    assert own_data.labels("reviews_eval.ar") == LABELS
    assert own_data.labels("other_eval.ar") is None


def test_names_made_on_demand_work_and_subsets_are_balanced(reviews: Path) -> None:
    own_data.add("reviews", reviews / "{split}.{language}-*.*", labels=LABELS)
    labels = collections.Counter(label for _, label in read("reviews_train.en:n8", "train"))
    assert labels == {"bad": 6, "good": 2}
    few = seqio.get_mixture_or_task("reviews_fewshot.en.hi:n1")
    rates = {t.name: few.get_rate(t) for t in few.tasks if "train" in t.splits}
    assert rates == {"reviews_train.en": 24, "reviews_train.hi:n1": 1}
    assert len(seqio.get_mixture_or_task("reviews_sources.resources.2").tasks) == 3


def test_a_folder_and_what_the_file_calls_the_labels(tmp_path: Path) -> None:
    write(tmp_path / "train.sw.jsonl", [("nzuri", "1")])
    (tmp_path / "validation.sw.jsonl").write_text('{"text": "mbaya", "label": 0, "more": null}\n')
    own_data.add("maoni", tmp_path, labels={"0": "bad", "1": "good"})
    assert read("maoni_train.sw", "train") == [("nzuri", "good")]
    assert read("maoni_eval.sw", "validation") == [("mbaya", "bad")]
    assert own_data.labels("maoni_train.sw") == LABELS
    assert "maoni_zeroshot" in seqio.MixtureRegistry.names()


def test_free_text_without_header_in_one_language(tmp_path: Path) -> None:
    (tmp_path / "train.tsv").write_text("2 + 2\t4\n1 + 1\t2\n", encoding="utf-8")
    (tmp_path / "dev.tsv").write_text("0 + 1\t1\n", encoding="utf-8")
    own_data.add(
        "sums",
        tmp_path / "{split}.tsv",
        columns=("question", "answer"),
        language="en",
        header=False,
        metric_fns=[metrics.squad],
    )
    assert read("sums_train.en", "train") == [("2 + 2", "4"), ("1 + 1", "2")]
    assert own_data.labels("sums_eval.en") is None
    assert seqio.get_mixture_or_task("sums_eval.en").metric_fns == [metrics.squad]


@pytest.mark.parametrize(
    ("file", "content", "line", "reason"),
    [
        ("train.en.tsv", b"text\tlabel\nfine\tgood\nshort\n", 3, "expected 2 columns, found 1"),
        ("train.en.tsv", b"text\tlabel\na\tgood\tx\n", 2, "expected 2 columns, found 3"),
        ("train.en.tsv", b"text\tlabel\na\tgod\n", 2, "unknown label 'god', expected one of bad"),
        ("train.en.tsv", b"text\tlabel\n\tgood\n", 2, "'text' is empty"),
        ("train.en.tsv", b"text\tlabel\na\t \n", 2, "'label' is empty"),
        ("train.en.tsv", b"texts\tlabel\na\tgood\n", 1, "text is not there"),
        ("train.en.tsv", b"text\tlabel\n", 1, "no rows"),
        ("train.en.tsv", b"", 1, "empty"),
        ("train.en.tsv", b"\xef\xbb\xbftext\tlabel\na\tgood\n", 1, "byte-order mark"),
        ("train.en.tsv", b"text\tlabel\r\na\tgood\r\n", 1, "CRLF"),
        ("train.en.tsv", b"text\tlabel\na\xff\tgood\n", 2, "not valid UTF-8"),
        ("train.en.csv", b'text,label\n"a"b,good\n', 2, "not valid CSV"),
        ("train.en.csv", b"text,label\na,b,good\n", 2, "expected 2 columns, found 3"),
        ("train.en.jsonl", b'{"text": "a", "label": "good"}\n{"text": \n', 2, "not valid JSON"),
        ("train.en.jsonl", b'{"text": "a"}\n', 1, "'label' is missing"),
        ("train.en.jsonl", b'["a", "good"]\n', 1, "expected an object"),
        ("train.en.jsonl", b'{"text": "a", "label": null}\n', 1, "must be a text"),
        ("train.en.jsonl", b'{"text": "a", "label": true}\n', 1, "must be a text"),
        ("train.en.jsonl", b'{"text": "", "label": "good"}\n', 1, "'text' is empty"),
        ("train.en.jsonl", b"\n", 1, "not valid JSON"),
    ],
)
def test_a_wrong_row_is_refused_before_any_is_given(tmp_path, file, content, line, reason) -> None:
    write(tmp_path / "dev.sw.tsv", [("nzuri", "good")])
    (tmp_path / file).write_bytes(content)
    own_data.add("mine", tmp_path, labels=LABELS)
    for name in ("mine_train.en", "mine_zeroshot", "mine_train.en:n1"):
        with pytest.raises(DataError) as error:
            seqio.get_mixture_or_task(name).get_dataset(None, "train")
        assert f"{tmp_path / file}, line {line}: " in str(error.value)
        assert reason in str(error.value)
        assert "\n" not in str(error.value)
    assert read("mine_eval.sw", "validation") == [("nzuri", "good")]


@pytest.mark.parametrize(
    ("files", "settings", "reason"),
    [
        ("nowhere/{split}.{language}.tsv", {}, "there is no file"),
        ("nowhere", {}, "expected a folder, or a path with"),
        ("{split}.tsv", {}, "language='sw'"),
        ("{split}.{language}.tsv", {"language": "sw"}, "language='sw'"),
        ("{split}.{language}.tsv", {"columns": ("text", "text")}, "expected two columns"),
        ("{split}.{language}.tsv", {"labels": "bad good"}, "expected labels as a tuple"),
        ("{split}.{language}.xlsx", {}, "there is no file"),
        ("*.{language}.tsv", {}, "path with {split}"),
    ],
)
def test_a_wrong_call_ends_in_one_sentence(tmp_path, files, settings, reason) -> None:
    write(tmp_path / "train.en.tsv", [("a", "good")])
    write(tmp_path / "train.en.xlsx", [("a", "good")])
    with pytest.raises(DataError) as error:
        own_data.add("mine", tmp_path / files, **settings)
    assert reason in str(error.value)
    assert "mine_train.en" not in seqio.TaskRegistry.names()


def test_names_that_are_taken_or_no_names(tmp_path: Path) -> None:
    write(tmp_path / "train.en.tsv", [("a", "good")])
    write(tmp_path / "dev.en.tsv", [("a", "good")])
    own_data.add("mine", tmp_path)
    for name, reason in (("mine", "already"), ("panx", "already"), ("my-data", "letters")):
        with pytest.raises(DataError, match=reason):
            own_data.add(name, tmp_path)
    write(tmp_path / "validation.en.tsv", [("a", "good")])
    with pytest.raises(DataError, match="both are the split 'validation'"):
        own_data.add("other", tmp_path)


@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([".csv", ".jsonl"]),
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=1),
)
def test_any_text_is_read_as_it_was_written(tmp_path_factory, suffix, texts) -> None:
    texts = [text for text in texts if text.strip()] or ["?"]
    folder = tmp_path_factory.mktemp("any")
    write(folder / f"train.en{suffix}", [(text, "good") for text in texts])
    name = f"any{abs(hash((suffix, *texts)))}"
    own_data.add(name, folder)
    assert read(f"{name}_train.en", "train") == [(text, "good") for text in texts]
