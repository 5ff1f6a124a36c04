"""The catalogue's tasks say what they are made of, so that the engine may keep their examples."""

import pytest
import seqio

from mt5x.examples_key import examples_key
from tasks import tfds_writer, vocabulary
from tests.tasks.conftest import NLI_ROW


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("xnli_eval.en", "validation"),
        ("xnli_eval.de:typos10", "validation"),
        ("panx_train.en", "train"),
        ("panx_eval.ar", "validation"),
        ("tydiqa_eval.fi", "validation"),
        ("tydiqa_eval.fi:distractor50", "validation"),
        ("mc4_span_corruption.sw", "validation"),
    ],
)
def test_a_task_has_one_name_before_and_after_it_is_read(tfds_env, name, split) -> None:
    task = seqio.TaskRegistry.get(name)
    for reading in (None, "whole"):
        key = examples_key(task, split, reading)
        assert key is not None
        assert list(task.get_dataset({"inputs": 64, "targets": 64}, split, shuffle=False, seed=0))
        assert examples_key(task, split, reading) == key
        vocabulary.choose(seqio.ByteVocabulary(extra_ids=1))
        assert examples_key(task, split, reading) != key
        vocabulary.choose("byt5")


def test_data_written_anew_have_another_name(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    task = seqio.TaskRegistry.get("xnli_eval.en")
    assert examples_key(task, "validation") is None
    keys = set()
    for rows in (1, 2):
        tfds_writer.write_dataset("xnli:1.1.0", {"validation": [NLI_ROW] * rows}, tmp_path)
        keys.add(examples_key(task, "validation"))
    assert len(keys - {None}) == 2
