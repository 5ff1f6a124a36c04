"""Sentences to be found: pairs become rows of their own, with ids that no order changes."""

import random
from pathlib import Path
from typing import Any

import pytest

from tasks import data_dir, formats
from tasks.postprocessors import Sentence, sentence
from tasks.source import TfdsSource
from tasks.tfds_writer import write_dataset
from tests.tasks.by_hand import formatted


def pair(source: str, target: str, language: str = "ar") -> dict[str, Any]:
    """A row of Tatoeba: two lines of two files."""
    return {
        "source_sentence": source,
        "target_sentence": target,
        "source_language": language,
        "target_language": "en",
    }


ARABIC = [pair("القطة نائمة.\n", "The cat sleeps.\n"), pair("نزل المطر.\r\n", "Rain fell.\r\n")]
BENGALI = [pair("বিড়াল ঘুমায়।\n", "The cat sleeps.\n", "bn")]


def plain(row: dict[str, Any]) -> dict[str, str]:
    return {key: value.decode() for key, value in row.items()}


def test_a_pair_of_tatoeba_becomes_two_rows_without_the_ends_of_their_lines(tmp_path) -> None:
    made = formatted(
        "tatoeba/tatoeba_ar:1.0.0", "train", ARABIC, (formats.aligned_pairs,), tmp_path
    )
    first, second = made[0]["id"].decode(), made[1]["id"].decode()
    assert [plain(row) for row in made[:2]] == [
        {"inputs": "القطة نائمة.", "targets": second, "id": first, "side": "source"},
        {"inputs": "The cat sleeps.", "targets": first, "id": second, "side": "target"},
    ]
    assert [row["inputs"].decode() for row in made[2:]] == ["نزل المطر.", "Rain fell."]
    assert len({row["id"] for row in made}) == 4


@pytest.mark.parametrize(
    ("config", "rows", "number"),
    [("tatoeba_ar", ARABIC[:1], 720314825250237171), ("tatoeba_bn", BENGALI, 3407768558033809192)],
)
def test_ids_are_fingerprints_of_both_texts(config, rows, number, tmp_path) -> None:
    made = formatted(f"tatoeba/{config}:1.0.0", "train", rows, (formats.aligned_pairs,), tmp_path)
    assert [row["id"].decode() for row in made] == [f"source-{number}", f"target-{number}"]


def test_ids_do_not_depend_on_order_or_host(tmp_path: Path) -> None:
    pairs = [pair(f"जुमला {n}।\n", f"Sentence {n}.\n", "hi") for n in range(40)]
    shuffled = random.Random(1).sample(pairs, len(pairs))
    found = []
    for place, rows in (("one", pairs), ("two", shuffled)):
        write_dataset("tatoeba/tatoeba_hi:1.0.0", {"train": rows}, tmp_path / place)
        data_dir.use(tmp_path / place)
        source = TfdsSource("tatoeba/tatoeba_hi:1.0.0", {"train": "train"})
        for hosts in (1, 3):
            # As SeqIO shares out rows where there are fewer files than hosts.
            shards = [
                source.get_dataset("train", shuffle=True).shard(hosts, host)
                for host in range(hosts)
            ]
            rows_of = [r for s in shards for r in formats.aligned_pairs(s).as_numpy_iterator()]
            found.append({row["inputs"]: (row["id"], row["targets"]) for row in rows_of})
    assert len(found[0]) == 80
    assert all(other == found[0] for other in found)


def test_a_pair_given_twice_is_one_and_a_shared_sentence_is_two(tmp_path: Path) -> None:
    rows = [pair("هو ذهب.", "He left."), pair("هو ذهب.\n", "He left.\n"), pair("ذهب.", "He left.")]
    made = formatted("tatoeba/tatoeba_ar:1.0.0", "train", rows, (formats.aligned_pairs,), tmp_path)
    ids = [row["id"] for row in made]
    assert ids[:2] == ids[2:4]
    assert len(set(ids)) == 4


def test_gold_pairs_of_bucc_keep_their_ids(tmp_path: Path) -> None:
    row = {
        "source_sentence": "猫在睡觉。",
        "target_sentence": "The cat sleeps.",
        "source_id": "zh-07",
        "target_id": "en-31",
    }
    made = formatted("bucc/bucc_zh:1.0.0", "validation", [row], (formats.gold_pairs,), tmp_path)
    assert [plain(row) for row in made] == [
        {"inputs": "猫在睡觉。", "targets": "en-31", "id": "zh-07", "side": "source"},
        {"inputs": "The cat sleeps.", "targets": "zh-07", "id": "en-31", "side": "target"},
    ]


def test_sentences_to_mine_are_rows_as_they_come_and_scored_by_their_ids(tmp_path: Path) -> None:
    rows = [
        {"id": "ru-1", "side": "source", "sentence": "Кошка спит.", "pair": "en-2"},
        {"id": "en-1", "side": "target", "sentence": "Rain fell.", "pair": ""},
        {"id": "en-2", "side": "target", "sentence": "The cat sleeps.", "pair": "ru-1"},
    ]
    made = formatted("bucc_mining/ru:1.0.0", "test", rows, (formats.sentences,), tmp_path)
    assert [plain(row) for row in made] == [
        {"inputs": row["sentence"], "targets": row["pair"], "id": row["id"], "side": row["side"]}
        for row in rows
    ]
    gold = [sentence(row["targets"].decode(), row, is_target=True) for row in made]
    assert gold == [
        Sentence("source", "ru-1", "en-2"),
        Sentence("target", "en-1", ""),
        Sentence("target", "en-2", "ru-1"),
    ]
