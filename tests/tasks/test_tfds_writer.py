"""Rows go in, and plain SeqIO reads the same rows out of official names; nothing half-written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seqio

from tasks import tfds_schemas
from tasks.errors import DataError
from tasks.tfds_writer import write_dataset
from tests.tasks import conftest as rows

EXAMPLES: dict[str, tuple[str, dict[str, Any]]] = {
    "multi_nli:1.1.0": ("validation_matched", rows.MNLI_ROW),
    "xnli:1.1.0": ("test", rows.NLI_ROW),
    "xtreme_xnli:1.1.0": ("train", rows.ENGLISH_ONLY_ROW),
    "wikiann/bn:1.0.0": ("test", rows.PANX_ROWS["bn"]),
    "paws_x_wiki/ja:1.0.0": ("validation", rows.PAWSX_ROWS["ja"]),
    "tydi_qa/goldp:3.0.0": ("translate-train-te", rows.TELUGU),
    "c4/multilingual:3.1.0": ("sw-validation", rows.text(3)),
    "snli:1.1.0": ("test", {**rows.MNLI_ROW, "label": -1}),
    "anli/r3:0.1.0": ("train", {"uid": "u", "context": "c", "hypothesis": "h", "label": "n"}),
    "glue/qqp:2.0.0": (
        "test",
        {"question1": "q", "question2": "r", "label": -1, "idx": 2**31 - 1},
    ),
    "squad/v2.0:3.0.0": (
        "validation",
        {
            **rows.question("5a", "Who?", "Nobody did."),
            "is_impossible": True,
            "plausible_answers": {"text": ["Nobody"], "answer_start": [0]},
        },
    ),
    "xquad/ar:3.0.0": ("translate-dev", rows.question("q", "من؟", "ذهب علي.", "علي", "علي.")),
    "mlqa_cross/hi-zh:1.0.0": ("test", rows.question("q", "谁？", "रवि गया।", "रवि")),
    "xtreme_pos/xtreme_pos_kk:1.0.0": ("train", {"tokens": ["су", "_"], "upos": ["NOUN", "_"]}),
    "hellaswag:1.1.0": (
        "test_ood_wikihow",
        {
            "context": "c",
            "endings": ["", "a", "b", "c"],
            "activity_label": "a",
            "label": -1,
            "split_type": "zeroshot",
            "source_id": "wikihow~1",
        },
    ),
    "cosmos_qa:1.0.0": (
        "test",
        {
            **{key: key for key in ("context", "question", "id")},
            **{f"answer{n}": "a" for n in range(4)},
            "label": -1,
        },
    ),
    "tatoeba/tatoeba_bn:1.0.0": (
        "train",
        {
            "source_sentence": "বিড়াল।\n",
            "target_sentence": "A cat.\n",
            "source_language": "bn",
            "target_language": "en",
        },
    ),
    "bucc/bucc_ru:1.0.0": (
        "test",
        {
            "source_sentence": "Кот.",
            "target_sentence": "A cat.",
            "source_id": "ru-1",
            "target_id": "en-1",
        },
    ),
    "bucc_mining/ru:1.0.0": (
        "validation",
        {"id": "ru-1", "side": "source", "sentence": "Кот.", "pair": ""},
    ),
    "commonsense_qa:1.11.0": (
        "train",
        {
            **{key: key for key in ("id", "question", "question_concept")},
            "choices": {"label": ["A", "B"], "text": ["x", "y"]},
            "answerKey": "B",
        },
    ),
    "xcopa/th:1.0.0": (
        "test",
        {
            "premise": "ฝนตก",
            "choice1": "พื้นเปียก",
            "choice2": "พื้นแห้ง",
            "question": "effect",
            "label": "choice2",
            "idx": 7,
            "changed": True,
        },
    ),
    "ccgbank:1.0.0": ("train", {"tokens": ["Ann", "ran"], "tags": ["N", r"S[dcl]\NP"]}),
    "advglue/sst2:1.0.0": ("validation", {"idx": 0, "text1": "t", "text2": "", "label": 1}),
}


def plain(value):
    """TFDS's numpy rows as Python values."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    return value.decode() if isinstance(value, bytes) else int(value)


def expected(name: str, row: dict) -> dict:
    """The row as TFDS gives it back: label indices, hypotheses as two lists."""
    row = dict(row)
    specs = tfds_schemas.schema(name).features
    for key, spec in specs.items():
        match spec:
            case tfds_schemas.Label(names=names):
                row[key] = names.index(row[key]) if isinstance(row[key], str) else row[key]
            case tfds_schemas.Sequence(element=tfds_schemas.Label(names=names)):
                row[key] = [names.index(value) for value in row[key]]
            case tfds_schemas.VariableTranslations():
                codes = sorted(row[key])
                row[key] = {"language": codes, "translation": [row[key][code] for code in codes]}
    return row


def test_the_rows_here_have_the_features_of_every_data_set() -> None:
    here = [tfds_schemas.schema(name).features for name in EXAMPLES]
    assert all(
        group.features in here for groups in tfds_schemas.SCHEMAS.values() for group in groups
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_plain_seqio_reads_back_what_was_written(name: str, tmp_path: Path) -> None:
    split, row = EXAMPLES[name]
    write_dataset(name, {split: [row, row]}, tmp_path)
    source = seqio.TfdsDataSource(name, tfds_data_dir=str(tmp_path))
    read = [
        plain(example) for example in source.get_dataset(split, shuffle=False).as_numpy_iterator()
    ]
    assert read == [expected(name, row)] * 2
    assert source.num_input_examples(split) == 2


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for place in ("one", "two"):
        folder = write_dataset("xnli:1.1.0", {"test": [rows.NLI_ROW] * 5}, tmp_path / place)
        contents.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert contents[0] == contents[1]


def test_what_was_there_is_replaced_whole(tmp_path: Path) -> None:
    write_dataset("wikiann/en:1.0.0", {"train": [rows.PANX_ROWS["en"]]}, tmp_path)
    folder = write_dataset("wikiann/en:1.0.0", {"test": [rows.PANX_ROWS["en"]]}, tmp_path)
    assert [path.name for path in folder.parent.iterdir()] == ["1.0.0"]
    assert not list(folder.glob("*train*"))


BAD_ROWS = {
    "a feature too few": ({"premise": "p", "label": 0}, "expected the features"),
    "an unknown label": ({**rows.MNLI_ROW, "label": "maybe"}, "must be one of entailment"),
    "a label index too high": ({**rows.MNLI_ROW, "label": 3}, "index below 3"),
    "a number for text": ({**rows.MNLI_ROW, "premise": 3}, "must be text"),
    "no label where all have one": ({**rows.MNLI_ROW, "label": -1}, "index below 3, got -1"),
    "a label that is a fraction": ({**rows.MNLI_ROW, "label": 0.5}, "float"),
}


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_row_that_does_not_fit_leaves_the_old_data_as_it_was(row, reason, tmp_path):
    folder = write_dataset("multi_nli:1.1.0", {"train": [rows.MNLI_ROW]}, tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(DataError, match=f"row 1 of split 'train'.*{reason}"):
        write_dataset("multi_nli:1.1.0", {"train": [rows.MNLI_ROW, row]}, tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["1.1.0"]


@pytest.mark.parametrize(
    ("name", "changed", "reason"),
    [
        ("advglue/sst2:1.0.0", {"idx": 2**31}, "'idx' must be from -2147483648 to 2147483647"),
        ("advglue/sst2:1.0.0", {"label": "1"}, "str"),
        ("squad/v2.0:3.0.0", {"is_impossible": 2}, "'is_impossible' must be from 0 to 1, got 2"),
        ("squad/v2.0:3.0.0", {"is_impossible": "false"}, "str"),
        ("snli:1.1.0", {"label": -2}, "index below 3, got -2"),
        ("commonsense_qa:1.11.0", {"choices": {"label": ["A"], "text": []}}, "equally long"),
    ],
)
def test_numbers_are_not_guessed_or_cut(name, changed, reason, tmp_path):
    split, row = EXAMPLES[name]
    with pytest.raises(DataError, match=reason):
        write_dataset(name, {split: [row | changed]}, tmp_path)


@pytest.mark.parametrize(
    ("name", "split", "reason"),
    [
        ("wikiann/xx:1.0.0", "train", "no config 'xx'"),
        ("wikiann:1.0.0", "train", "no config 'None'"),
        ("xnli/en:1.1.0", "test", "no config 'en'"),
        ("xnli:1.0.0", "test", "read in version 1.1.0"),
        ("xnli", "test", "expected a TFDS name"),
        ("snlj:1.1.0", "test", "no schema .* did you mean snli"),
        ("xnli:1.1.0", "train", "no split 'train'; its splits are: validation, test"),
        ("c4/multilingual:3.1.0", "Swahili", "no split 'Swahili'; .* sw-validation and so on"),
        ("xquad/en:3.0.0", "translate-train", "no split 'translate-train'; its splits are: test$"),
    ],
)
def test_unknown_names_are_refused_before_anything_is_made(name, split, reason, tmp_path):
    with pytest.raises(DataError, match=reason):
        write_dataset(name, {split: [rows.NLI_ROW]}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no rows"):
        write_dataset("xnli:1.1.0", {"test": []}, tmp_path)
