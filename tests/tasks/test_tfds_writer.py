"""Rows go in, and plain SeqIO reads the same rows out of official names; nothing half-written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seqio
import tensorflow_datasets as tfds

from tasks import languages, tfds_schemas
from tasks.errors import DataError
from tasks.tfds_writer import official_features, write_dataset
from tests.tasks import conftest as rows

EXAMPLES: dict[str, tuple[str, dict[str, Any]]] = {
    "multi_nli:1.1.0": ("validation_matched", rows.MNLI_ROW),
    "xnli:1.1.0": ("test", rows.NLI_ROW),
    "xtreme_xnli:1.1.0": ("train", rows.ENGLISH_ONLY_ROW),
    "wikiann/bn:1.0.0": ("test", rows.PANX_ROWS["bn"]),
    "paws_x_wiki/ja:1.0.0": ("validation", rows.PAWSX_ROWS["ja"]),
    "tydi_qa/goldp:3.0.0": ("translate-train-te", rows.TELUGU),
    "c4/multilingual:3.1.0": ("sw-validation", rows.text(3)),
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
    specs = tfds_schemas.SCHEMAS[tfds_schemas.parse(name)[0]].features
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


@pytest.mark.parametrize("name", EXAMPLES)
def test_features_splits_and_versions_are_the_official_builders(name, monkeypatch, tmp_path):
    # Constructing a builder looks into a public bucket otherwise.
    monkeypatch.setattr(tfds.core.utils.gcs_utils, "_is_gcs_disabled", True)
    dataset, config, version = tfds_schemas.parse(name)
    builder = tfds.builder_cls(dataset)(config=config, data_dir=tmp_path)
    assert builder.info.features.to_json() == official_features(name).to_json()
    assert str(builder.version) == version
    configs = {code for code in builder.builder_configs if dataset not in ("c4",)}
    assert configs == {c for c in tfds_schemas.SCHEMAS[dataset].configs if dataset not in ("c4",)}


def test_our_languages_are_configs_of_wikiann() -> None:
    assert set(languages.PANX) <= set(languages.WIKIANN)


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
    ("name", "split", "reason"),
    [
        ("wikiann/xx:1.0.0", "train", "no config 'xx'"),
        ("wikiann:1.0.0", "train", "no config 'None'"),
        ("xnli/en:1.1.0", "test", "no config 'en'"),
        ("xnli:1.0.0", "test", "read in version 1.1.0"),
        ("xnli", "test", "expected a TFDS name"),
        ("snli:1.1.0", "test", "no schema"),
        ("xnli:1.1.0", "train", "no split 'train'; its splits are: validation, test"),
        ("c4/multilingual:3.1.0", "Swahili", "no split 'Swahili'"),
    ],
)
def test_unknown_names_are_refused_before_anything_is_made(name, split, reason, tmp_path):
    with pytest.raises(DataError, match=reason):
        write_dataset(name, {split: [rows.NLI_ROW]}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no rows"):
        write_dataset("xnli:1.1.0", {"test": []}, tmp_path)
