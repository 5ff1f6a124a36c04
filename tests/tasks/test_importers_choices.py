"""Multiple choice in every form it is distributed in becomes its data sets."""

from pathlib import Path

from tasks.importers import cosmosqa, csqa, hellaswag
from tasks.importers import run as importer
from tasks.importers.base import Reading
from tests.tasks import benchmark_files as bf
from tests.tasks.importing import import_all, make, read, rows_of


def test_hellaswag_as_distributed(tmp_path: Path) -> None:
    test_row = {key: value for key, value in bf.HELLASWAG.items() if key != "label"}
    counts = import_all(
        tmp_path,
        {
            "hellaswag_train.jsonl": bf.jsonl(bf.HELLASWAG, bf.HELLASWAG),
            "hellaswag_test.jsonl": bf.jsonl(test_row),
        },
    )
    assert counts == {hellaswag.HELLASWAG: {"train": 2, "test": 1}}
    expected = {
        "context": "A man climbs. he",
        "endings": bf.ENDINGS,
        "activity_label": "Roofing",
        "label": 3,
        "split_type": "indomain",
        "source_id": "activitynet~v_1",
    }
    assert read(tmp_path / "out", hellaswag.HELLASWAG, "train") == [expected] * 2
    assert read(tmp_path / "out", hellaswag.HELLASWAG, "test") == [{**expected, "label": -1}]


def test_hellaswag_with_activity_and_context_in_one(tmp_path: Path) -> None:
    row = {"query": "Rock: paper: He: she", "label": 0, "endings": bf.ENDINGS}
    source = make(tmp_path, {"hellaswag/validation.jsonl": bf.jsonl(row)})
    assert rows_of(source, hellaswag.HELLASWAG, "validation") == [
        {
            "context": "paper: He: she",
            "endings": bf.ENDINGS,
            "activity_label": "Rock",
            "label": 0,
            "split_type": "",
            "source_id": "",
        }
    ]


def test_cosmos_qa_with_quotes_and_line_ends_in_fields_and_crlf(tmp_path: Path) -> None:
    folder = "cosmosqa-master/data"
    counts = import_all(
        tmp_path,
        {
            f"{folder}/train.csv": bf.COSMOS,
            f"{folder}/valid.csv": bf.COSMOS.replace("\n", "\r\n"),
            f"{folder}/test.jsonl": bf.jsonl(bf.COSMOS_TEST),
        },
    )
    assert counts == {cosmosqa.COSMOS_QA: {"train": 1, "validation": 1, "test": 1}}
    rows = read(tmp_path / "out", cosmosqa.COSMOS_QA, "train")
    assert rows == read(tmp_path / "out", cosmosqa.COSMOS_QA, "validation")
    assert rows == [
        {
            "id": "k##1",
            "context": 'He said "no" , and\nleft .',
            "question": "Why ?",
            "answer0": "a",
            "answer1": "b",
            "answer2": "None of the above choices .",
            "answer3": "d",
            "label": 2,
        }
    ]
    (unlabelled,) = read(tmp_path / "out", cosmosqa.COSMOS_QA, "test")
    assert (unlabelled["answer3"], unlabelled["label"]) == ("a3", -1)


def test_files_of_these_general_names_are_read_in_cosmos_folders_alone(tmp_path: Path) -> None:
    planned = importer.plan(
        make(tmp_path, {"cosmos_qa/valid.csv": bf.COSMOS, "survey/valid.csv": "a,b\n"})
    )
    assert list(planned.left_out) == [tmp_path / "survey/valid.csv"]


def test_commonsense_qa_in_both_forms_and_without_answers(tmp_path: Path) -> None:
    hidden = {key: value for key, value in bf.CSQA_NESTED.items() if key != "answerKey"}
    counts = import_all(
        tmp_path,
        {
            "csqa/train_rand_split.jsonl": bf.jsonl(bf.CSQA_NESTED),
            "csqa/dev_rand_split.jsonl": bf.jsonl(bf.CSQA_FLAT),
            "csqa/test_rand_split_no_answers.jsonl": bf.jsonl(hidden),
            "csqa/v1.0_dev_rand_split.jsonl": "not read",
            "csqa/ecqa_train.tsv": "not read",
        },
    )
    name = csqa.COMMONSENSE_QA
    assert counts == {name: {"train": 1, "validation": 1, "test": 1}}
    (nested,) = read(tmp_path / "out", name, "train")
    assert nested == {
        "id": "n1",
        "question": "Where are cows?",
        "question_concept": "cow",
        "choices": {"label": bf.LETTERS, "text": bf.OPTIONS},
        "answerKey": "D",
    }
    assert read(tmp_path / "out", name, "validation") == [bf.CSQA_FLAT]
    assert read(tmp_path / "out", name, "test") == [{**nested, "answerKey": ""}]
    reasons = importer.plan(tmp_path / "source").left_out
    assert {path.name: reason for path, reason in reasons.items()} == {
        "v1.0_dev_rand_split.jsonl": "version 1.0 has three choices; version 1.11 is read",
        "ecqa_train.tsv": "the training questions are read in their own order",
    }


def test_ecqa_gives_the_training_questions_where_nothing_else_does(tmp_path: Path) -> None:
    twice = bf.ECQA.replace("- bank", "- lock")
    source = make(tmp_path, {"commonsense_qa/ecqa_train.tsv": bf.ECQA * 150 + twice})
    reading = Reading()
    rows = list(importer.plan(source).datasets[csqa.COMMONSENSE_QA]["train"](reading))
    assert len(rows) == 150
    assert rows[1] == {
        "id": "ecqa-2",
        "question": "Where are keys?",
        "question_concept": "",
        "choices": {"label": bf.LETTERS, "text": ["bank", "mall", "barn", "car", "lock"]},
        "answerKey": "E",
    }
    assert list(reading.left_out.items()) == [
        ((source / "commonsense_qa/ecqa_train.tsv", csqa.TWICE), 1)
    ]


def test_xcopa_with_its_crlf_and_copa(tmp_path: Path) -> None:
    swahili = bf.jsonl({**bf.COPA, "changed": True}, {**bf.COPA, "idx": 1, "changed": False})
    counts = import_all(
        tmp_path,
        {
            "xcopa/data/sw/val.sw.jsonl": swahili.replace("\n", "\r\n"),
            "xcopa/data/sw/test.sw.jsonl": swahili,
            "xcopa/data-gmt/sw/test.sw.jsonl": "not read",
            "xcopa/train-en.jsonl": bf.jsonl({**bf.COPA, "label": 1}),
            "COPA/val.jsonl": bf.jsonl(bf.COPA),
            "COPA/test.jsonl": "not read",
        },
    )
    assert counts == {
        "xcopa/sw:1.0.0": {"validation": 2, "test": 2},
        "xcopa/en:1.0.0": {"train": 1, "validation": 1},
    }
    out = tmp_path / "out"
    assert read(out, "xcopa/sw:1.0.0", "validation") == [
        {**bf.COPA, "changed": 1},
        {**bf.COPA, "idx": 1, "changed": 0},
    ]
    assert read(out, "xcopa/en:1.0.0", "train") == [{**bf.COPA, "label": 1, "changed": 0}]
