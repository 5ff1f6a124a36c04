"""Subsets: exact size, nested, balanced; the same whatever order, files, hosts and process."""

import collections
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import seqio
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tasks  # noqa: F401 (registers)
from tasks import data_dir, vocabulary
from tasks.by_name import registry, text_stage
from tasks.by_name.selection import Row, Selection, rank
from tasks.errors import DataError
from tasks.tfds_writer import write_dataset

TEXTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.text(max_size=2).map(str.encode)), min_size=1, max_size=60
)


@pytest.fixture(autouse=True)
def _installed() -> None:
    registry.install()


def choose(pairs: list[tuple[str, bytes]], size: int, seed: int = 0) -> collections.Counter:
    """The (label, text) pairs of a balanced subset, as a multiset."""
    selection = Selection(size)
    for label, text in pairs:
        stored = (label.encode(), text)
        selection.add(Row(rank(stored, stored, seed), stored), label)
    found = selection.rows()
    assert len(found) == min(size, len(pairs))
    return collections.Counter(found)


@given(TEXTS, st.integers(1, 60), st.integers(1, 60), st.integers(0, 5), st.randoms())
def test_subsets_are_nested_of_exact_size_and_blind_to_order(pairs, one, other, seed, random):
    small, large = sorted((one, other))
    chosen = choose(pairs, small, seed)
    assert chosen <= choose(pairs, large, seed)
    shuffled = pairs[:]
    random.shuffle(shuffled)
    assert choose(shuffled, small, seed) == chosen
    assert chosen <= collections.Counter((label.encode(), text) for label, text in pairs)


@given(TEXTS, st.integers(1, 60))
def test_up_to_three_labels_have_their_share_to_less_than_one_row(pairs, size) -> None:
    size = min(size, len(pairs))
    chosen = collections.Counter(label.decode() for label, _ in choose(pairs, size).elements())
    for label, count in collections.Counter(label for label, _ in pairs).items():
        assert abs(chosen[label] - size * count / len(pairs)) < 1


@given(st.lists(st.binary(max_size=3), min_size=1, max_size=40), st.integers(0, 2**40))
def test_the_rank_is_the_hash_that_is_documented(texts: list[bytes], seed: int) -> None:
    """Another implementation of the order, which must be the same on every machine."""

    def expected(text: bytes) -> bytes:
        key = seed.to_bytes(8, "big")
        said = len(text).to_bytes(8, "big") + text
        return (
            hashlib.blake2b(said, key=key, digest_size=16).digest()
            + hashlib.blake2b(said, key=key, digest_size=8).digest()
        )

    selection = Selection(len(texts))
    for text in texts:
        selection.add(Row(rank([text], [text], seed), (text,)), None)
    assert [text for (text,) in selection.rows()] == sorted(texts, key=expected)


# A task of the user's own, as text lines 'text TAB label' in any number of files.
LINES = [f"text {number}\t{'no' if number % 4 else 'yes'}" for number in range(41)] + [
    "twin\tno"
] * 3


def _split(dataset: tf.data.Dataset) -> tf.data.Dataset:
    def convert(line: tf.Tensor) -> dict:
        text, label = tf.unstack(tf.strings.split(line, "\t"), num=2)
        # Variable and ragged features, as questions with several answers have.
        words = tf.strings.split(text)
        return {
            "inputs": text,
            "targets": label,
            "words": words,
            "letters": tf.strings.unicode_split(words, "UTF-8"),
            "length": tf.strings.length(text),
        }

    return dataset.map(convert)


def add(name: str, source: seqio.DataSource, *steps) -> None:
    seqio.TaskRegistry.remove(name)
    seqio.TaskRegistry.add(
        name,
        source=source,
        preprocessors=[*steps, seqio.preprocessors.tokenize, seqio.preprocessors.append_eos],
        output_features=vocabulary.features(),
        metric_fns=[],
    )


@pytest.fixture
def own():
    """Registers tasks of a name that is forgotten after the test."""
    yield add
    seqio.TaskRegistry.remove("own")


def write_lines(folder: Path, lines: list[str], files: int) -> dict[str, str]:
    folder.mkdir()
    for number in range(files):
        text = "".join(f"{line}\n" for line in lines[number::files])
        (folder / f"train-{number}.tsv").write_text(text, encoding="utf-8")
    return {"train": f"{folder}/train-*.tsv"}


def read(name: str, shards: int = 1, **settings) -> list[str]:
    """The texts of a task's train split, those of all hosts one after another."""
    task = seqio.get_mixture_or_task(name)
    found = []
    for index in range(shards):
        shard_info = seqio.ShardInfo(index, shards) if shards > 1 else None
        dataset = task.get_dataset(
            None, "train", **{"shuffle": False} | settings, shard_info=shard_info
        )
        found += [
            f"{row['inputs_pretokenized'].decode()}\t{row['targets_pretokenized'].decode()}"
            for row in dataset.as_numpy_iterator()
        ]
    return found


@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(order=st.permutations(LINES), files=st.integers(1, 5), size=st.sampled_from([1, 7, 20, 44]))
def test_files_order_and_hosts_do_not_matter(own, tmp_path_factory, order, files, size) -> None:
    folder = tmp_path_factory.mktemp("lines")
    own("own", seqio.TextLineDataSource(write_lines(folder / "a", LINES, 1)), _split)
    expected = read(f"own:n{size}")
    assert len(expected) == size
    own("own", seqio.TextLineDataSource(write_lines(folder / "b", order, files)), _split)
    assert read(f"own:n{size}") == expected
    for shards in (2, 4):
        if shards <= size:
            assert sorted(read(f"own:n{size}", shards)) == sorted(expected)
    assert collections.Counter(expected) <= collections.Counter(LINES)


def test_more_hosts_than_rows_each_have_them_all_and_do_not_read_in_step(own, tmp_path) -> None:
    own("own", seqio.TextLineDataSource(write_lines(tmp_path / "a", LINES, 2)), _split)
    assert sorted(read("own:n3", shards=4)) == sorted(read("own:n3") * 4)
    task = seqio.get_mixture_or_task("own:n10")
    orders = [
        [
            row["inputs"]
            for row in task.source.get_dataset(
                "train", True, 7, seqio.ShardInfo(index, 16)
            ).as_numpy_iterator()
        ]
        for index in range(3)
    ]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(orders[2])
    assert orders[0] != orders[1] != orders[2]


def test_features_and_seqios_shuffling_are_kept(own, tmp_path) -> None:
    own("own", seqio.TextLineDataSource(write_lines(tmp_path / "a", LINES, 2)), _split)
    whole, cut = (seqio.get_mixture_or_task(name) for name in ("own", "own:n44"))
    one, other = (task.get_dataset(None, "train", shuffle=False) for task in (whole, cut))
    assert one.element_spec == other.element_spec

    def said(dataset: tf.data.Dataset) -> list[str]:
        found = []
        for row in dataset:
            letters = [letter.decode() for word in row["letters"].to_list() for letter in word]
            text = row["inputs_pretokenized"].numpy().decode()
            words = [word.decode() for word in row["words"].numpy()]
            assert (words, letters) == (text.split(), list(text.replace(" ", "")))
            assert row["length"].numpy() == len(text)
            found.append(text)
        return found

    assert sorted(said(one)) == sorted(said(other))
    assert cut.num_input_examples("train") == 44
    once, again, third = (read("own:n44", shuffle=True, seed=seed) for seed in (1, 1, 2))
    assert once == again != third
    assert sorted(once) == sorted(third) == sorted(LINES)
    assert read("own:n20") != read("own:n20.s1")


def test_data_that_changes_is_chosen_from_anew(own, tmp_path) -> None:
    own("own", seqio.TextLineDataSource(write_lines(tmp_path / "a", LINES, 1)), _split)
    assert len(read("own:n44")) == 44
    (tmp_path / "a" / "train-0.tsv").write_text("one\tyes\nother\tno\n", encoding="utf-8")
    assert sorted(read("own:n2")) == ["one\tyes", "other\tno"]
    with pytest.raises(DataError, match="expected 44 training examples, but 'own' has 2; did you "):
        read("own:n44")


def test_a_source_of_a_function_with_other_splits(own) -> None:
    def rows_of(split: str, shuffle_files: bool, seed: int | None = None) -> tf.data.Dataset:
        lines = LINES if split == "train" else LINES[:5]
        return tf.data.Dataset.from_tensor_slices(lines)

    own("own", seqio.FunctionDataSource(rows_of, ["train", "validation"]), _split)
    task = seqio.get_mixture_or_task("own:n7")
    assert len(read("own:n7")) == 7
    assert sorted(read("own:n7", 2)) == sorted(read("own:n7"))
    for shards in (1, 2):
        shares = [
            task.get_dataset(
                None, "validation", shuffle=False, shard_info=seqio.ShardInfo(index, shards)
            )
            for index in range(shards)
        ]
        assert sum(1 for share in shares for _ in share) == 5
    assert task.num_input_examples("validation") is None
    with pytest.raises(DataError, match="but 'own' has 44; did you mean own:n44"):
        read("own:n45")


def test_a_task_without_texts_is_refused(own) -> None:
    seqio.TaskRegistry.add(
        "own",
        source=seqio.FunctionDataSource(lambda split, shuffle_files: None, ["train"]),
        preprocessors=[],
        output_features=vocabulary.features(),
        metric_fns=[],
    )
    with pytest.raises(DataError, match=r"expected seqio\.preprocessors\.tokenize"):
        seqio.get_mixture_or_task("own:n1")


MNLI = [
    {"premise": f"premise {number}", "hypothesis": "it is so", "label": (0, 1, 1, 2)[number % 4]}
    for number in range(40)
]


def test_labels_of_the_catalogue_are_balanced_as_the_whole(tmp_path) -> None:
    chosen = {}
    for name, order in (("a", MNLI), ("b", MNLI[::-1])):
        write_dataset("multi_nli:1.1.0", {"train": order}, tmp_path / name)
        data_dir.use(tmp_path / name)
        for size in (4, 10, 20):
            chosen[name, size] = read(f"xnli_train.en:n{size}")
            labels = collections.Counter(line[-1] for line in chosen[name, size])
            assert all(
                abs(labels[label] - size * share) < 1
                for label, share in (("0", 0.25), ("1", 0.5), ("2", 0.25))
            )
        assert {*chosen[name, 4]} < {*chosen[name, 10]} < {*chosen[name, 20]}
        assert len(set(chosen[name, 20])) == 20
    assert all(chosen["a", size] == chosen["b", size] for size in (4, 10, 20))


def test_a_mixture_is_cut_where_it_trains(tfds_env) -> None:
    mixture = seqio.get_mixture_or_task("panx_zeroshot:n1")
    names = [task.name for task in mixture.tasks]
    assert "panx_train.en:n1" in names
    assert "panx_train.en" not in names
    whole = seqio.get_mixture_or_task("panx_zeroshot")
    assert {*names} - {"panx_train.en:n1"} == {t.name for t in whole.tasks} - {"panx_train.en"}
    # Both rows of English are the same one.
    assert read("panx_train.en:n2") == read("panx_train.en:n1") * 2
    dataset = mixture.get_dataset(None, "train", shuffle=False, num_epochs=1)
    assert sum(1 for _ in dataset) == 1


def test_texts_are_counted_and_not_rows_of_the_data_set(tfds_env) -> None:
    """TyDiQA's train split holds all languages, and its metadata count them all."""
    finnish, english = (seqio.get_mixture_or_task(f"tydiqa_train.{code}") for code in ("fi", "en"))
    assert finnish.num_input_examples("train") == english.num_input_examples("train") == 3
    assert (text_stage.count(finnish), text_stage.count(english)) == (2, 1)


PROGRAM = """
import json, sys
import seqio, tasks
from tasks import data_dir, vocabulary
from tasks.by_name import registry

registry.install()
vocabulary.choose("byt5")
data_dir.use(sys.argv[1])
task = seqio.get_mixture_or_task("xnli_train.en:n9.s3")
rows = task.get_dataset(None, "train", shuffle=False).as_numpy_iterator()
print(json.dumps([row["inputs_pretokenized"].decode() for row in rows]))
"""


def test_fresh_processes_choose_the_same(tmp_path) -> None:
    write_dataset("multi_nli:1.1.0", {"train": MNLI}, tmp_path)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        )
        for seed in (1, 2)
    ]
    told = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
    data_dir.use(tmp_path)
    here = [line.split("\t")[0] for line in read("xnli_train.en:n9.s3")]
    assert told == [here, here]
    assert len(here) == 9
