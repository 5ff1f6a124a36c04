"""The real samples and the archives of the original downloads, where ../shared/data is there."""

import zipfile
from pathlib import Path

import pytest

from tasks.importers import nli, qqp
from tasks.importers import run as importer
from tasks.importers.base import Reading
from tests.tasks.importing import rows_of

# Folders of the samples to what they give; real PANX, QA and retrieval have their own tests.
SAMPLES: dict[str, dict[str, dict[str, int]]] = {
    "xnli": {"xnli:1.1.0": {"validation": 2490}},
    "mnli": {"multi_nli:1.1.0": {"validation_matched": 6763}},
    "anli": {f"anli/r{n}:0.1.0": {"validation": 1000} for n in (1, 2)},
    "paws_x": {
        f"paws_x_wiki/{code}:1.0.0": {"validation": 2000}
        for code in ("de", "en", "es", "fr", "ja", "ko", "zh")
    },
    "qqp": {"glue/qqp:2.0.0": {"validation": 9917}},
    "advglue": {
        f"advglue/{task}:1.0.0": {"validation": count}
        for task, count in (
            *(("sst2", 148), ("qqp", 78), ("mnli", 121), ("mnli_mismatched", 162)),
            *(("qnli", 148), ("rte", 81)),
        )
    },
    "hellaswag": {"hellaswag:1.1.0": {"validation": 10042}},
    "cosmos_qa": {"cosmos_qa:1.0.0": {"validation": 2985}},
    "commonsense_qa": {"commonsense_qa:1.11.0": {"validation": 1221, "train": 7081}},
    "xcopa": {
        **{
            f"xcopa/{code}:1.0.0": {"test": 500, "validation": 100}
            for code in ("et", "ht", "id", "it", "qu", "sw", "ta", "th", "tr", "vi", "zh")
        },
        "xcopa/en:1.0.0": {"train": 400, "validation": 100},
    },
}


@pytest.mark.parametrize("folder", SAMPLES)
def test_the_samples_are_imported_whole(folder: str, shared: Path, tmp_path: Path) -> None:
    reading = Reading()
    planned = importer.plan(shared / "data" / folder)
    assert importer.write(planned, tmp_path, reading) == SAMPLES[folder]
    expected = {"qqp": [83], "commonsense_qa": [31]}
    assert list(reading.left_out.values()) == expected.get(folder, [])


def test_no_two_importers_claim_one_of_the_samples(shared: Path) -> None:
    planned = importer.plan(shared / "data")
    assert {name for sample in SAMPLES.values() for name in sample} <= planned.datasets.keys()
    packed = [path for path, reason in planned.left_out.items() if "unpack" in reason]
    archives = list((shared / "data" / "original_formats").glob("*.zip"))
    assert archives
    assert sorted(packed) == sorted(archives)


def unpacked(shared: Path, folder: Path, *names: str) -> Path:
    """The archives of those names, unpacked as a user does, each in a folder of its name."""
    for archive in (shared / "data" / "original_formats").glob("*.zip"):
        if archive.name.startswith(names):
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(folder / archive.stem)
    return folder


ARCHIVES = {
    "anli": {f"anli/r{n}:0.1.0": {"validation": 3, "test": 3, "train": 3} for n in (1, 2, 3)},
    "glue_dummy_mnli": {
        "multi_nli:1.1.0": {"validation_matched": 2, "validation_mismatched": 2, "train": 3}
    },
    "multi_nli": {
        "multi_nli:1.1.0": {"validation_matched": 5, "validation_mismatched": 5, "train": 5}
    },
    "snli": {"snli:1.1.0": {"validation": 2, "test": 1, "train": 3}},
    "xnli": {
        "xnli:1.1.0": {"validation": 1, "test": 1},
        "xtreme_xnli:1.1.0": {"train": 4},
        "multi_nli:1.1.0": {"train": 4},
    },
    "paws-x": {
        f"paws_x_wiki/{code}:1.0.0": {"validation": 4, "test": 4, "train": 4}
        for code in ("de", "en", "es", "fr", "ja", "ko", "zh")
    },
    "glue_dummy_qqp": {"glue/qqp:2.0.0": {"validation": 2, "test": 1, "train": 3}},
    "hellaswag": {"hellaswag:1.1.0": {"test": 2, "train": 2, "validation": 2}},
    "cosmos_qa": {"cosmos_qa:1.0.0": {"test": 2, "train": 2, "validation": 2}},
    "commonsense_qa": {"commonsense_qa:1.11.0": {"validation": 2, "train": 5, "test": 2}},
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_original_archives_are_imported_as_they_unpack(
    name: str, shared: Path, tmp_path: Path
) -> None:
    source = unpacked(shared, tmp_path / "source", name)
    reading = Reading()
    counts = importer.write(importer.plan(source), tmp_path / "out", reading)
    assert counts == ARCHIVES[name]
    assert not reading.left_out


def test_both_forms_of_multinli_and_of_glues_hold_the_same_rows(
    shared: Path, tmp_path: Path
) -> None:
    source = unpacked(shared, tmp_path / "source", "multi_nli")
    split = "validation_mismatched"
    as_json = importer.plan(source).datasets[nli.MULTI_NLI][split](Reading())
    found = [dict(row) for row in as_json]
    for path in source.rglob("*.jsonl"):
        path.unlink()
    as_text = importer.plan(source).datasets[nli.MULTI_NLI][split](Reading())
    # The text form of the sample is a row shorter.
    texts = [dict(row) for row in as_text]
    assert texts
    assert texts == found[: len(texts)]
    glue = unpacked(shared, tmp_path / "glue", "glue_dummy_mnli")
    in_glue = importer.plan(glue).datasets[nli.MULTI_NLI][split](Reading())
    assert next(iter(in_glue)) == found[0]


def test_rows_of_the_samples_are_as_they_stand_in_the_files(shared: Path) -> None:
    data = shared / "data"
    arabic = (data / "xnli/dev-ar.tsv").read_text("utf-8").splitlines()[1].split("\t")
    row = rows_of(data / "xnli", "xnli:1.1.0", "validation")[0]
    assert (row["premise"]["ar"], row["hypothesis"]["ar"]) == tuple(arabic[:2])
    assert len(row["hypothesis"]) == 15
    tamil = rows_of(data / "xcopa", "xcopa/ta:1.0.0", "test")
    content = (data / "xcopa/test.ta.jsonl").read_text("utf-8")
    assert len(tamil) == content.count("\n") == 500
    assert all(len(row["premise"]) > 3 and "\r" not in row["choice2"] for row in tamil)
    with (data / "hellaswag/validation.jsonl").open(encoding="utf-8") as file:
        first = file.readline()
    hellaswag = rows_of(data / "hellaswag", "hellaswag:1.1.0", "validation")[0]
    assert f"{hellaswag['activity_label']}: {hellaswag['context']}" in first
    questions = rows_of(data / "qqp", qqp.GLUE_QQP, "validation")
    assert len({row["idx"] for row in questions}) == len(questions)
    assert not any("\ufffd" in row["question1"] for row in questions)
