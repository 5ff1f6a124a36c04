"""What is read from the cache of examples is what would be made anew, whatever happened to it."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seqio

from mt5x import cache_folder, example_cache, input_pipeline, stored_examples
from mt5x.examples_key import examples_key
from tests.mt5x import line_tasks

SPLIT = "validation"
LOCK = threading.Lock()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(cache_folder.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "examples"


@pytest.fixture
def file(tmp_path) -> Path:
    return line_tasks.write(tmp_path / "lines.txt")


def raw(task: Any, lengths: dict | None = None, limit: int | None = None) -> list[dict[str, Any]]:
    return input_pipeline.evaluation_examples(task, SPLIT, lengths, False, limit).raw


def without(task: Any, monkeypatch, lengths: dict | None = None) -> list[dict[str, Any]]:
    with monkeypatch.context() as patch:
        patch.setenv(cache_folder.VARIABLE, "off")
        return raw(task, lengths)


def unread(monkeypatch) -> None:
    """From here on no task can be read but from the cache."""
    monkeypatch.setattr(seqio.Task, "get_dataset", None)


def entries(cache: Path) -> list[Path]:
    return sorted(cache.iterdir()) if cache.exists() else []


def assert_same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert list(one) == list(other)
        for name, value in other.items():
            assert type(one[name]) is type(value), name
            assert np.asarray(one[name]).dtype == np.asarray(value).dtype, name
            # Rank and all: no broadcasting.
            assert np.shape(one[name]) == np.shape(value), name
            np.testing.assert_array_equal(one[name], value, name, strict=True)


@pytest.mark.parametrize("lengths", [None, {"inputs": 6, "targets": 2}], ids=["whole", "cut"])
@pytest.mark.parametrize(
    "steps",
    [
        {},
        {"before": [line_tasks.OF_EVERY_TYPE]},
        {"after": [line_tasks.drawn]},
        {"before": [line_tasks.in_python]},
    ],
    ids=["texts", "types", "drawn", "python"],
)
def test_the_same_examples_in_the_same_order(file, cache, monkeypatch, steps, lengths) -> None:
    task = line_tasks.task(file, **steps)
    expected = without(task, monkeypatch, lengths)
    assert len(expected) == 40
    assert not entries(cache)
    assert_same(raw(task, lengths), expected)
    assert len(entries(cache)) == 1
    unread(monkeypatch)
    assert_same(raw(task, lengths), expected)


def test_a_split_without_examples(tmp_path, cache) -> None:
    task = line_tasks.task(line_tasks.write(tmp_path / "none.txt", count=0))
    assert raw(task) == raw(task) == []


@pytest.mark.parametrize(
    "steps",
    [
        {"placeholder": ()},
        {"before": [line_tasks.DOUBLE]},
        {"before": [line_tasks.RAGGED]},
        {"after": [line_tasks.unforeseeable]},
        {"after": [lambda dataset, lock=LOCK: dataset]},
    ],
    ids=["no_placeholder", "float64", "ragged", "unforeseeable", "indescribable"],
)
def test_what_cannot_be_kept_for_certain_is_read_without(file, cache, steps) -> None:
    task = line_tasks.task(file, **steps)
    assert len(raw(task)) == 40
    assert not entries(cache)


def test_a_limit_writes_nothing_and_reads_the_beginning(file, cache, monkeypatch) -> None:
    task = line_tasks.task(file)
    expected = without(task, monkeypatch)
    assert_same(raw(task, limit=3), expected[:3])
    assert not entries(cache)
    raw(task)
    unread(monkeypatch)
    assert_same(raw(task, limit=3), expected[:3])


def test_each_thing_that_makes_examples_is_in_their_name(file, piece_model, tmp_path) -> None:
    def key(split: str = SPLIT, reading: Any = None, **changes: Any) -> str | None:
        return examples_key(line_tasks.task(file, **changes), split, reading)

    larger = tmp_path / "larger.model"
    shutil.copy(piece_model, larger)
    shutil.copy(piece_model, tmp_path / "moved.model")
    with larger.open("ab") as model:
        # A protocol buffer's text is its parts one after another: this one is a piece.
        model.write(b"\x0a\x07\x0a\x05piece")
    pieces = [
        key(vocabulary=seqio.SentencePieceVocabulary(str(path), extra_ids))
        for path, extra_ids in ((piece_model, 0), (larger, 0), (piece_model, 5))
    ]
    moved = seqio.SentencePieceVocabulary(str(tmp_path / "moved.model"))
    assert key(vocabulary=moved) == pieces[0]
    plain = key()
    assert key() == plain
    assert key(after=[line_tasks.drawn]) == plain
    others = [
        *pieces,
        key(reading=1),
        key(reading=2),
        key(reading=1, after=[line_tasks.drawn]),
        key(vocabulary=seqio.ByteVocabulary(extra_ids=5)),
        key(name="lines_eval.bb"),
        key(prefix="was "),
        key(before=[line_tasks.DOUBLE]),
        key(before=[line_tasks.RAGGED]),
    ]
    os.utime(file, (1, 1))
    others.append(key())
    line_tasks.write(file, count=41)
    others.append(key())
    assert None not in others
    assert len({plain, *others}) == len(others) + 1


def test_the_users_own_table_is_kept_and_noticed_when_it_changes(tmp_path, cache, monkeypatch):
    from tasks import own_data, vocabulary

    vocabulary.choose("byt5")
    table = tmp_path / "validation.aa.tsv"
    table.write_text("text\tlabel\nfine\tgood\npoor\tbad\n")
    names = own_data.add("kept", tmp_path, labels=("good", "bad"))
    try:
        task = seqio.TaskRegistry.get("kept_eval.aa")
        expected = without(task, monkeypatch)
        assert_same(raw(task), expected)
        assert len(entries(cache)) == 1
        with monkeypatch.context() as patch:
            unread(patch)
            assert_same(raw(task), expected)
        table.write_text("text\tlabel\nfine\tgood\n")
        assert_same(raw(task), expected[:1])
    finally:
        vocabulary.choose("mt5")
        seqio.TaskRegistry.remove(names[0])
        for name in names[1:]:
            seqio.MixtureRegistry.remove(name)


def test_the_source_of_a_function_has_no_name() -> None:
    def rows(split: str, shuffle_files: bool, seed: int | None = None) -> None:
        raise AssertionError

    task = line_tasks.task(Path()).replace(
        source=seqio.FunctionDataSource(rows, splits=[SPLIT]), name="functions"
    )
    assert examples_key(task, SPLIT) is None


def records(entry: Path) -> Path:
    return next(entry.rglob("*.tfrecord*"))


def flip(path: Path, where: int) -> None:
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(content)


def emptied(entry: Path) -> Path:
    shutil.rmtree(entry)
    entry.mkdir()
    return entry


def replaced_by_a_file(entry: Path) -> None:
    emptied(entry).rmdir()
    entry.write_text("garbage")


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "truncated": lambda entry: os.truncate(records(entry), records(entry).stat().st_size // 2),
    "no_records": lambda entry: records(entry).unlink(),
    "a_bit_of_a_record": lambda entry: flip(records(entry), 100),
    "a_bit_of_the_info": lambda entry: flip(next(entry.rglob("info.*")), 5),
    "not_completed": lambda entry: next(entry.rglob("COMPLETED")).unlink(),
    "completed_is_empty": lambda entry: next(entry.rglob("COMPLETED")).write_text(""),
    "completed_is_no_table": lambda entry: next(entry.rglob("COMPLETED")).write_text("[1]"),
    "one_file_more": lambda entry: (records(entry).parent / "more").write_text("garbage"),
    "nothing": emptied,
    "a_file": replaced_by_a_file,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_gives_no_wrong_examples(file, cache, monkeypatch, damage) -> None:
    task = line_tasks.task(file)
    expected = raw(task)
    (entry,) = entries(cache)
    DAMAGES[damage](entry)
    assert_same(raw(task), expected)
    # What was noticed in reading is written when it is next asked for.
    assert_same(raw(task), expected)
    assert entries(cache) == [entry]
    unread(monkeypatch)
    assert_same(raw(task), expected)


def test_many_at_once(file, cache, monkeypatch) -> None:
    task = line_tasks.task(file)
    expected = without(task, monkeypatch)
    together, found = threading.Barrier(4), []
    write = stored_examples.write

    def all_together(*arguments: Any) -> None:
        write(*arguments)
        together.wait()

    monkeypatch.setattr(stored_examples, "write", all_together)
    threads = [threading.Thread(target=lambda: found.append(raw(task))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for examples in found:
        assert_same(examples, expected)
    assert [entry.name.startswith(".") for entry in entries(cache)] == [False]


KILLED = """
import pathlib, sys
from mt5x import input_pipeline
from mt5x.examples_key import examples_key
from tests.mt5x import line_tasks
task = line_tasks.task(pathlib.Path(sys.argv[1]), before=[line_tasks.slow])
print(examples_key(task, "validation"), flush=True)
input_pipeline.evaluation_examples(task, "validation", None, False, None)
"""


def test_a_process_killed_in_the_middle_leaves_nothing_that_counts(file, cache) -> None:
    line_tasks.write(file, count=300)
    task = line_tasks.task(file, before=[line_tasks.slow])
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(file)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), "LINES_SECONDS": "0.2"},
    ) as process:
        assert process.stdout is not None
        # Another process names the examples alike.
        assert process.stdout.readline().strip() == examples_key(task, SPLIT)
        while not list(cache.rglob("*.tfrecord*")):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    (begun,) = entries(cache)
    assert not list(begun.rglob("COMPLETED"))
    assert len(raw(task)) == 300
    assert len(entries(cache)) == 2
    example_cache._keep_below(cache, sum(f.stat().st_size for f in cache.rglob("*")) - 1)
    assert not begun.exists()
    assert len(entries(cache)) == 1


def test_data_that_change_while_they_are_read_are_not_kept(file, cache, monkeypatch) -> None:
    write = stored_examples.write

    def changed_meanwhile(*arguments: Any) -> None:
        write(*arguments)
        line_tasks.write(file, count=7)

    monkeypatch.setattr(stored_examples, "write", changed_meanwhile)
    assert len(raw(line_tasks.task(file))) == 7
    assert not entries(cache)


def test_a_full_disk_hurts_nobody(file, cache, monkeypatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stored_examples, "_write_records", full)
    assert len(raw(line_tasks.task(file))) == 40
    assert not entries(cache)


def test_a_folder_that_cannot_be_written_to_hurts_nobody(file, cache, monkeypatch) -> None:
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(PermissionError()))
    assert len(raw(line_tasks.task(file))) == 40
    assert not entries(cache)


def test_the_entry_used_longest_ago_goes_first_and_one_in_use_stays(file, cache, monkeypatch):
    def whole(name: str) -> Path:
        before = set(entries(cache))
        raw(line_tasks.task(file, name=name))
        (made,) = set(entries(cache)) - before
        for path in (made, *made.rglob("*")):
            os.utime(path, (len(before), len(before)))
        return made

    oldest, held, newer = whole("a"), whole("b:c"), whole("d")
    size = sum(path.stat().st_size for path in (newer, *newer.rglob("*")))
    # Reading is use.
    raw(line_tasks.task(file, name="a"))
    program = (
        "import fcntl, sys; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_SH); "
        "print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(next(held.rglob("COMPLETED")))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        example_cache._keep_below(cache, int(2.5 * size))
        assert set(entries(cache)) == {oldest, held}
        process.communicate(b"\n")
    example_cache._keep_below(cache, int(1.5 * size))
    assert entries(cache) == [oldest]


def test_what_is_too_large_is_not_kept(file, cache, monkeypatch) -> None:
    monkeypatch.setattr(example_cache, "_LIMIT_BYTES", 1000)
    assert len(raw(line_tasks.task(file))) == 40
    assert not entries(cache)
