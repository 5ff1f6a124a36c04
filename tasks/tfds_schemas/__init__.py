"""Names, versions, splits and features of the data sets that the tasks read, as TFDS stores them.

`parse('wikiann/en:1.0.0')` checks a name, `schema` gives what the data set of that name looks like.
"""

import re

from tasks.errors import DataError, nearest
from tasks.tfds_schemas.official import (
    ANLI_LABELS,
    COSMOSQA_LABELS,
    NLI_LABELS,
    OFFICIAL,
    PANX_TAGS,
    PAWSX_LABELS,
    QQP_LABELS,
    UPOS_TAGS,
    XTREME_POS_CODES,
)
from tasks.tfds_schemas.own import CSQA_LABELS, OWN, XCOPA_LABELS
from tasks.tfds_schemas.specs import (
    Boolean,
    Features,
    Integer,
    Label,
    Scalar,
    Schema,
    Sequence,
    Spec,
    Text,
    Translations,
    VariableTranslations,
)

__all__ = [
    "ANLI_LABELS",
    "COSMOSQA_LABELS",
    "CSQA_LABELS",
    "NLI_LABELS",
    "PANX_TAGS",
    "PAWSX_LABELS",
    "QQP_LABELS",
    "SCHEMAS",
    "UPOS_TAGS",
    "XCOPA_LABELS",
    "XTREME_POS_CODES",
    "Boolean",
    "Features",
    "Integer",
    "Label",
    "Scalar",
    "Schema",
    "Sequence",
    "Spec",
    "Text",
    "Translations",
    "VariableTranslations",
    "parse",
    "schema",
]

# Data set to the schemas of its groups of configs; every config is in one of them.
SCHEMAS: dict[str, tuple[Schema, ...]] = {**OFFICIAL, **OWN}

# 'wikiann/en:1.0.0' -> name, config or None, version.
_FULL_NAME = re.compile(r"(?P<name>[a-z0-9_]+)(?:/(?P<config>[^:/]+))?:(?P<version>\d+\.\d+\.\d+)")


def parse(full_name: str) -> tuple[str, str | None, str]:
    """Splits 'wikiann/en:1.0.0' into ('wikiann', 'en', '1.0.0'), checked against the table.

    Raises:
      DataError: the name, config or version is not one that the tasks know.
    """
    match = _FULL_NAME.fullmatch(full_name)
    if not match:
        raise DataError(
            f"expected a TFDS name such as 'wikiann/en:1.0.0' or 'xnli:1.1.0', got '{full_name}'"
        )
    name, config, version = match["name"], match["config"], match["version"]
    if name not in SCHEMAS:
        offer = nearest(name, SCHEMAS) or f"; there are {', '.join(SCHEMAS)}"
        raise DataError(f"no schema for the data set '{name}'{offer}")
    if _of_config(name, config) is None:
        permitted = [known for group in SCHEMAS[name] for known in group.configs] or ["none"]
        raise DataError(f"{name} has no config '{config}'; its configs are: {' '.join(permitted)}")
    known_version = SCHEMAS[name][0].version
    if version != known_version:
        raise DataError(f"{name} is read in version {known_version}, not {version}")
    return name, config, version


def schema(full_name: str) -> Schema:
    """Returns what the data set 'wikiann/en:1.0.0' or 'xnli:1.1.0' looks like.

    Raises:
      DataError: the name, config or version is not one that the tasks know.
    """
    name, config, _ = parse(full_name)
    found = _of_config(name, config)
    assert found is not None
    return found


def _of_config(name: str, config: str | None) -> Schema | None:
    for group in SCHEMAS[name]:
        if config in group.configs or (config is None and not group.configs):
            return group
    return None
