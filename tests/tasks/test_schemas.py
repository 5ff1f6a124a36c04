"""The table of data sets says what the installed TFDS says, to the feature, config and split."""

from typing import Any

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tasks import languages, tfds_schemas
from tasks.errors import DataError
from tasks.tfds_writer import features

# Of c4 and glue the tasks read only some configs.
IN_PART = ("c4", "glue")


def full_names(official: bool) -> list[str]:
    """One name for each schema, with the first of its configs."""
    return [
        f"{name}{f'/{group.configs[0]}' if group.configs else ''}:{group.version}"
        for name, groups in tfds_schemas.SCHEMAS.items()
        for group in groups
        if group.official == official
    ]


class Downloads:
    """Stands in for TFDS's download manager: gives a path for each address, fetches nothing."""

    def download_and_extract(self, addresses: Any) -> Any:
        return tf.nest.map_structure(lambda address: "/absent", addresses)

    download = extract = download_and_extract


@pytest.fixture
def builder(monkeypatch, tmp_path):
    """Constructs official builders; offline, where they would look into a public bucket."""
    monkeypatch.setattr(tfds.core.utils.gcs_utils, "_is_gcs_disabled", True)

    def construct(dataset: str, config: str | None) -> Any:
        return tfds.builder_cls(dataset)(config=config, data_dir=tmp_path)

    return construct


def splits_of(builder: Any) -> set[str]:
    generators = builder._split_generators(Downloads())
    if isinstance(generators, dict):
        return {str(name) for name in generators}
    return {str(generator.name) for generator in generators}


@pytest.mark.parametrize("name", full_names(official=True))
def test_features_version_and_splits_are_the_official_builders(name, builder) -> None:
    dataset, config, version = tfds_schemas.parse(name)
    official = builder(dataset, config)
    assert official.info.features.to_json() == features(name).to_json()
    assert str(official.version) == version
    if dataset != "c4":  # Made by Beam; its splits are a pattern in the table.
        assert splits_of(official) == set(tfds_schemas.schema(name).splits)


@pytest.mark.parametrize(
    "dataset", sorted({name.split(":")[0].split("/")[0] for name in full_names(True)})
)
def test_configs_are_the_official_builders(dataset: str) -> None:
    official = {config.name for config in tfds.builder_cls(dataset).BUILDER_CONFIGS}
    ours = [config for group in tfds_schemas.SCHEMAS[dataset] for config in group.configs]
    assert len(ours) == len(set(ours))
    assert set(ours) <= official if dataset in IN_PART else set(ours) == official


def test_each_config_of_the_parts_of_speech_has_its_own_splits(builder) -> None:
    for group in tfds_schemas.SCHEMAS["xtreme_pos"]:
        for config in group.configs:
            assert splits_of(builder("xtreme_pos", config)) == set(group.splits)


def test_each_config_of_xquad_has_its_own_splits(builder) -> None:
    for group in tfds_schemas.SCHEMAS["xquad"]:
        for config in group.configs:
            assert splits_of(builder("xquad", config)) == set(group.splits)


def test_tagalog_and_tamil_are_still_the_other_way_round_in_tfds() -> None:
    from tensorflow_datasets.datasets.xtreme_pos import xtreme_pos_dataset_builder as module

    assert tfds_schemas.XTREME_POS_CODES == {"ta": "tl", "tl": "ta"}
    assert (module._LANGS["tl"], module._LANGS["ta"]) == ("Tamil", "Tagalog")


def test_our_own_names_are_not_official_ones() -> None:
    official = set(tfds.list_builders(with_community_datasets=False))
    own = {tfds_schemas.parse(name)[0] for name in full_names(official=False)}
    assert own
    assert not own & official


@pytest.mark.parametrize("name", full_names(True) + full_names(False))
def test_each_name_in_the_table_is_found_with_features(name: str) -> None:
    schema = tfds_schemas.schema(name)
    assert schema.features
    assert all(schema.has_split(split) for split in schema.splits)
    assert not schema.has_split("no such split")
    assert set(features(name)) == set(schema.features)


def test_our_languages_are_configs_of_wikiann() -> None:
    assert set(languages.PANX) <= set(languages.WIKIANN)


@pytest.mark.parametrize(
    ("name", "split", "has"),
    [
        ("xquad/en:3.0.0", "translate-train", False),
        ("xquad/ar:3.0.0", "translate-train", True),
        ("xtreme_pos/xtreme_pos_tl:1.0.0", "dev", True),
        ("xtreme_pos/xtreme_pos_ta:1.0.0", "train", False),
        ("c4/multilingual:3.1.0", "ru-Latn-validation", True),
        ("c4/multilingual:3.1.0", "Swahili", False),
        ("c4/multilingual:3.1.0", "sw\n", False),
        ("xcopa/en:1.0.0", "test", False),
    ],
)
def test_splits_belong_to_configs(name: str, split: str, has: bool) -> None:
    assert tfds_schemas.schema(name).has_split(split) is has


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("xnli", "expected a TFDS name"),
        ("xnli:1.1.0\n", "expected a TFDS name"),
        ("hella_swag:1.1.0", "no schema for the data set 'hella_swag'; did you mean hellaswag"),
        ("xnli:1.0.0", "xnli is read in version 1.1.0, not 1.0.0"),
        ("squad/v3:3.0.0", "squad has no config 'v3'; its configs are: v1.1 v2.0"),
        ("squad:3.0.0", "squad has no config 'None'"),
        ("snli/en:1.1.0", "snli has no config 'en'; its configs are: none"),
        ("mlqa_cross/en-en:1.0.0", "mlqa_cross has no config 'en-en'"),
    ],
)
def test_an_unknown_name_is_explained(name: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        tfds_schemas.schema(name)
