"""One choice for the process, seen by every task when it is read."""

import copy
from pathlib import Path

import pytest
import sentencepiece
import seqio

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
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "sentencepiece"),
        vocab_size=60,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    return folder / "sentencepiece.model"


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
    assert feature.vocabulary == seqio.SentencePieceVocabulary(str(model))
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
    assert vocabulary.chosen().vocab_size == 259


def test_mt5s_vocabulary_is_not_waited_for_without_a_network(tfds_env: Path) -> None:
    vocabulary.choose("mt5")
    with pytest.raises(DataError, match=r"no network.*spiece\.model"):
        targets()


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("umt6", "expected a vocabulary 'mt5', 'byt5', 'sample' or the path"),
        ("nowhere/spiece.model", "no vocabulary at nowhere/spiece.model"),
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
    sentencepiece.SentencePieceTrainer.train(
        input=str(model.parent / "text.txt"),
        model_prefix=str(tmp_path / "other"),
        vocab_size=60,
        minloglevel=2,
    )
    vocabulary.choose(tmp_path / "other.model")
    with pytest.raises(DataError, match="padding as id 0"):
        vocabulary.chosen()
