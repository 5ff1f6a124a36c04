"""One choice for the process, seen by every task when it is read."""

import copy
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import seqio
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2

from tasks import data_dir, vocabulary
from tasks.errors import DataError

LENGTHS = {"inputs": 64, "targets": 32}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small SentencePiece model where the sample world puts its own."""
    folder = tmp_path_factory.mktemp("world") / "sample_vocabulary"
    folder.mkdir()
    text = folder / "text.txt"
    text.write_text("\n".join(f"paws sentence1 paraphrase of a cat {n * 7919}" for n in range(300)))
    return train(text, folder / "sentencepiece")


def train(text: Path, prefix: Path, **options: Any) -> Path:
    """Trains 60 pieces with T5's special ids, but for the options."""
    t5: dict[str, Any] = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(prefix), vocab_size=60, minloglevel=2, **(t5 | options)
    )
    return prefix.with_suffix(".model")


@pytest.fixture(scope="module")
def with_sentinels(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained with three sentinels, which then follow the special ids."""
    symbols = [f"<extra_id_{n}>" for n in range(3)]
    prefix = tmp_path_factory.mktemp("own") / "own"
    return train(model.parent / "text.txt", prefix, user_defined_symbols=symbols)


@pytest.fixture(scope="module")
def like_umt5(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of as many pieces as umT5's, none of them a sentinel."""
    proto = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    proto.ParseFromString(model.read_bytes())
    for n in range(len(proto.pieces), 256_000):
        proto.pieces.add(piece=f"w{n}", score=-20.0)
    path = tmp_path_factory.mktemp("umt5") / "spiece.model"
    path.write_bytes(proto.SerializeToString())
    return path


def targets(name: str = "pawsx_eval.ja") -> list[int]:
    task = seqio.get_mixture_or_task(name)
    (row,) = task.get_dataset(LENGTHS, "validation", shuffle=False).as_numpy_iterator()
    return row["targets"].tolist()


def test_the_same_task_in_two_vocabularies(model: Path, tfds_env: Path) -> None:
    vocabulary.choose("byt5")
    assert len(targets()) == len("paraphrase") + 1
    vocabulary.choose(model)
    ids = targets()
    assert vocabulary.chosen().decode(ids) == "paraphrase"
    assert len(ids) < len("paraphrase")


def test_the_sample_vocabulary_adds_a_hundred_sentinels(model: Path) -> None:
    data_dir.use(model.parent.parent)
    vocabulary.choose("sample")
    chosen = vocabulary.chosen()
    assert chosen.vocab_size == 160
    assert chosen.tokenizer.id_to_piece(159) == "▁<extra_id_0>"
    assert chosen.tokenizer.id_to_piece(60) == "▁<extra_id_99>"


def test_a_reader_sees_a_plain_vocabulary(model: Path) -> None:
    vocabulary.choose(str(model))
    feature = seqio.get_mixture_or_task("xnli_eval.en").output_features["targets"]
    assert isinstance(feature, seqio.Feature)
    assert feature.vocabulary == seqio.SentencePieceVocabulary(str(model), extra_ids=100)
    # gin copies its arguments.
    assert copy.deepcopy(feature.vocabulary) == feature.vocabulary
    assert feature == seqio.get_mixture_or_task("pawsx_eval.en").output_features["targets"]
    vocabulary.choose("byt5")
    assert feature.vocabulary == seqio.ByteVocabulary()


def test_a_vocabulary_of_the_users_own() -> None:
    own = seqio.PassThroughVocabulary(size=10)
    vocabulary.choose(own)
    assert vocabulary.chosen() is own


def test_sentinels_of_bytes_are_the_last_bytes() -> None:
    byt5 = vocabulary.chosen()
    assert byt5.vocab_size == 3 + 256
    assert (byt5.pad_id, byt5.eos_id, byt5.unk_id) == (0, 1, 2)
    assert vocabulary.sentinels(byt5) == tuple(range(258, 158, -1))
    assert byt5.encode("A")[0] == ord("A") + 3
    # The first eleven are bytes that UTF-8 never uses, so that text cannot hold them.
    for number in range(11):
        byte = bytes([vocabulary.sentinel(byt5, number) - 3])
        with pytest.raises(UnicodeDecodeError):
            (byte + b"\x80\x80\x80").decode()


@given(st.text())
def test_bytes_give_back_every_text(text: str) -> None:
    byt5 = vocabulary.of_process("byt5")
    ids = byt5.encode(text)
    assert ids == [byte + 3 for byte in text.encode()]
    assert byt5.encode_tf(tf.constant(text)).numpy().tolist() == ids
    assert byt5.decode([*ids, byt5.eos_id, *ids]) == text


def test_sentinels_are_added_to_a_file_without_them(model: Path) -> None:
    chosen = vocabulary.of_process(model)
    assert chosen.vocab_size == 60 + 100
    assert vocabulary.sentinels(chosen) == tuple(range(159, 59, -1))
    # T5's rule, by which SeqIO's own preprocessors place them.
    for number in (0, 1, 99):
        assert vocabulary.sentinel(chosen, number) == chosen.vocab_size - 1 - number
    assert chosen.decode(chosen.encode("paws of a cat")) == "paws of a cat"


def test_sentinels_of_the_files_own_are_kept_where_they_are(with_sentinels: Path) -> None:
    chosen = vocabulary.of_process(with_sentinels)
    assert chosen.vocab_size == 60
    assert vocabulary.sentinels(chosen) == (3, 4, 5)
    assert [chosen.tokenizer.id_to_piece(n) for n in (3, 5)] == ["<extra_id_0>", "<extra_id_2>"]
    assert chosen.decode(chosen.encode("paws of a cat")) == "paws of a cat"


def test_span_corruption_takes_the_sentinels_of_the_file(
    with_sentinels: Path, tfds_env: Path
) -> None:
    vocabulary.choose(with_sentinels)
    task = seqio.get_mixture_or_task("mc4_span_corruption.sw")
    rows = task.get_dataset({"inputs": 24, "targets": 16}, "validation", shuffle=False)
    for row in rows.as_numpy_iterator():
        targets = row["targets"].tolist()
        assert targets[0] == 3
        spans = [token for token in targets if token in (3, 4, 5)]
        assert spans == [token for token in row["inputs"].tolist() if token in (3, 4, 5)]
        assert spans == sorted(spans)
    with pytest.raises(DataError, match="more than 3 sentinels"):
        task.get_dataset({"inputs": 128, "targets": 64}, "validation")


def test_umt5s_sentinels_follow_its_pieces(like_umt5: Path) -> None:
    umt5 = vocabulary.of_process(f"umt5:{like_umt5}")
    # As T5X's umt5/vocab.gin and Hugging Face's tokenizer of umT5 have them.
    assert umt5.vocab_size == 256_300
    assert vocabulary.sentinels(umt5) == tuple(range(256_299, 255_999, -1))
    assert umt5.tokenizer.id_to_piece(256_299) == "▁<extra_id_0>"
    assert (umt5.pad_id, umt5.eos_id) == (0, 1)
    # Without its name the file is like any other.
    assert vocabulary.of_process(str(like_umt5)).vocab_size == 256_100


@pytest.mark.parametrize("name", ["mt5", "umt5"])
def test_another_models_file_is_not_taken_for_a_public_one(name: str, model: Path) -> None:
    with pytest.raises(DataError, match=rf"'{name}' to have 25\d,\d00 pieces, but .*model has"):
        vocabulary.of_process(f"{name}:{model}")


@pytest.mark.parametrize(("size", "ids"), [(10, range(9, 2, -1)), (300, range(299, 199, -1))])
def test_sentinels_of_any_vocabulary(size: int, ids: range) -> None:
    assert vocabulary.sentinels(seqio.PassThroughVocabulary(size=size)) == tuple(ids)


@pytest.mark.parametrize("number", [-1, 100])
def test_a_sentinel_too_many(number: int) -> None:
    with pytest.raises(DataError, match=f"no sentinel {number}; the vocabulary has 100"):
        vocabulary.sentinel(vocabulary.chosen(), number)


def test_mt5s_real_vocabulary(shared: Path) -> None:
    path = shared / "data" / "mt5_vocab" / "spiece.model"
    mt5 = vocabulary.of_process(f"mt5:{path}")
    assert (mt5.pad_id, mt5.eos_id, mt5.unk_id, mt5.vocab_size) == (0, 1, 2, 250_100)
    assert vocabulary.sentinels(mt5) == tuple(range(250_099, 249_999, -1))
    assert mt5.tokenizer.id_to_piece(250_000) == "▁<extra_id_99>"
    assert vocabulary.of_process(path) == mt5


@pytest.mark.parametrize("code", ["ar", "de", "el", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh"])
def test_mt5s_real_vocabulary_gives_text_back_but_for_its_normal_form(
    code: str, shared: Path
) -> None:
    """Real sentences: NFKC, invisible characters as spaces, and no run of spaces, is all."""
    mt5 = vocabulary.of_process(shared / "data" / "mt5_vocab" / "spiece.model")
    lines = (shared / "data" / "xnli" / f"dev-{code}.tsv").read_text("utf-8").splitlines()[1:]
    for line in lines[:300]:
        for text in line.split("\t")[:2]:
            ids = mt5.encode(text)
            assert mt5.unk_id not in ids
            visible = re.sub("[\u200b-\u200f\ufeff]", " ", text)
            normal = " ".join(unicodedata.normalize("NFKC", visible).split())
            assert mt5.decode([*ids, mt5.eos_id]) == normal


def test_mt5s_vocabulary_is_not_waited_for_without_a_network(tfds_env: Path) -> None:
    vocabulary.choose("mt5")
    with pytest.raises(DataError, match=r"no network.*spiece\.model"):
        targets()


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("umt6", "expected a vocabulary 'mt5', 'umt5', .* did you mean umt5"),
        ("mt5/spiece", "or the path of a SentencePiece"),
        ("nowhere/spiece.model", "no vocabulary at nowhere/spiece.model"),
        ("umt5:nowhere/spiece.model", "no vocabulary at nowhere/spiece.model.*'umt5:PATH'"),
        ("gs://somewhere/spiece.model", "gs://somewhere/spiece.model cannot be downloaded"),
        ("sample", "mt5x sample-data"),
    ],
)
def test_vocabularies_that_are_not_there(spec: str, reason: str, tmp_path: Path) -> None:
    data_dir.use(tmp_path)
    with pytest.raises(DataError, match=reason):
        vocabulary.of_process(spec)


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    broken = tmp_path / "broken.model"
    broken.write_bytes(b"not a model")
    vocabulary.choose(broken)
    with pytest.raises(DataError, match="not a SentencePiece model"):
        vocabulary.chosen()


def test_a_model_with_other_special_ids(model: Path, tmp_path: Path) -> None:
    defaults = {"pad_id": -1, "eos_id": 2, "unk_id": 0, "bos_id": 1}
    vocabulary.choose(train(model.parent / "text.txt", tmp_path / "other", **defaults))
    with pytest.raises(DataError, match="padding as id 0"):
        vocabulary.chosen()
