"""Data is found where TFDS_DATA_DIR points when it is read, or missed in one sentence at once."""

import time
from pathlib import Path

import pytest
import seqio

from tasks import data_dir, network, vocabulary
from tasks.errors import DataError
from tasks.source import TfdsSource
from tasks.tfds_writer import write_dataset
from tests.tasks import conftest as rows

NAME = "paws_x_wiki/en:1.0.0"


def source() -> TfdsSource:
    return TfdsSource(NAME, {"train": "train", "validation": "validation", "test": "test"})


def count(of: TfdsSource, split: str = "train") -> int:
    return sum(1 for _ in of.get_dataset(split, shuffle=False))


def test_the_environment_may_change_after_import(tmp_path, monkeypatch) -> None:
    made = source()
    for number in (1, 2):
        folder = tmp_path / str(number)
        write_dataset(NAME, {"train": [rows.PAWSX_ROWS["en"]] * number}, folder)
        monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
        assert count(made) == number == made.num_input_examples("train")


def test_data_written_anew_at_the_same_place_is_read_anew(tmp_path: Path) -> None:
    data_dir.use(tmp_path)
    for number in (3, 1):
        write_dataset(NAME, {"train": [rows.PAWSX_ROWS["en"]] * number}, tmp_path)
        assert count(source()) == number


def test_the_order_of_the_settings(tmp_path, monkeypatch) -> None:
    assert data_dir.resolve() == str(Path("~/tensorflow_datasets").expanduser())
    monkeypatch.setenv("TFDS_DATA_DIR", "/from_environment")
    assert data_dir.resolve() == "/from_environment"
    monkeypatch.setattr(seqio.utils, "_TFDS_DATA_DIR_OVERRIDE", "/from_seqio")
    assert data_dir.resolve() == "/from_seqio"
    data_dir.use(tmp_path)
    assert data_dir.resolve() == str(tmp_path)
    data_dir.use("gs://bucket/tfds")
    assert data_dir.resolve() == "gs://bucket/tfds"


def test_an_absent_data_set_fails_fast_and_says_what_to_do(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    start = time.monotonic()
    with pytest.raises(DataError) as error:
        source().get_dataset("train", shuffle=False)
    assert time.monotonic() - start < 5
    message = str(error.value)
    for part in (NAME, str(tmp_path), "no network", "import-data", "sample-data", "TFDS_DATA_DIR"):
        assert part in message
    assert "\n" not in message


def test_text_of_mc4_is_never_downloaded(tmp_path: Path) -> None:
    data_dir.use(tmp_path)
    with pytest.raises(DataError, match="not for download"):
        TfdsSource("c4/multilingual:3.1.0", {"train": "sw"}).get_dataset("train")


def test_what_tfds_does_not_have_is_never_looked_for_there(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(network, "reachable", lambda: pytest.fail("the network was asked"))
    data_dir.use(tmp_path)
    with pytest.raises(DataError, match=r"'ccgbank:1\.0\.0' .* TFDS does not have it: only `mt5x"):
        TfdsSource("ccgbank:1.0.0", {"train": "train"}).get_dataset("train")


def test_a_split_that_is_not_stored_is_named(tfds_env: Path) -> None:
    with pytest.raises(DataError, match="no split 'test', only train, validation"):
        source().get_dataset("test", shuffle=False)
    assert source().available_splits() == ("train", "validation")
    assert source().splits == ("train", "validation", "test")


def test_nothing_is_available_where_nothing_is(tmp_path: Path) -> None:
    data_dir.use(tmp_path)
    assert source().available_splits() == ()


def test_hosts_read_disjoint_shares(tfds_env: Path) -> None:
    task = seqio.get_mixture_or_task("mc4_span_corruption.sw")
    vocabulary.choose("byt5")
    shares = [
        [
            tuple(example["inputs"])
            for example in task.get_dataset(
                {"inputs": 32, "targets": 16},
                "train",
                shuffle=False,
                shard_info=seqio.ShardInfo(index, 2),
            ).as_numpy_iterator()
        ]
        for index in range(2)
    ]
    assert all(shares)
    assert not set(shares[0]) & set(shares[1])
