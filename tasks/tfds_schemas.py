"""Names, versions, splits and features of the official TFDS data sets that the tasks read.

Stated here, and not asked of the official builder classes, because constructing one of those
looks for its files on the network. A test compares every entry with the installed TFDS.
"""

import dataclasses
import re
from collections.abc import Callable

from tasks import languages
from tasks.errors import DataError

# 'wikiann/en:1.0.0' -> name, config or None, version.
_FULL_NAME = re.compile(r"(?P<name>[a-z0-9_]+)(?:/(?P<config>[^:/]+))?:(?P<version>\d+\.\d+\.\d+)$")

NLI_LABELS = ("entailment", "neutral", "contradiction")
PAWSX_LABELS = ("different_meaning", "paraphrase")
PANX_TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")


@dataclasses.dataclass(frozen=True)
class Text:
    """One Unicode string; `tensor` where the builder declares a plain string tensor instead."""

    tensor: bool = False


@dataclasses.dataclass(frozen=True)
class Integer:
    """One int32."""


@dataclasses.dataclass(frozen=True)
class Label:
    """One of a closed list of names, stored as its index."""

    names: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Sequence:
    """A list of scalars; of a dict, a dict of equally long lists."""

    element: "Text | Integer | Label | dict[str, Text | Integer | Label]"


@dataclasses.dataclass(frozen=True)
class Translations:
    """One string in each of the languages: a dict with every language as a key."""

    languages: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class VariableTranslations:
    """Strings in some of the languages: a dict from language to string or list of strings."""

    languages: tuple[str, ...]


Spec = Text | Integer | Label | Sequence | Translations | VariableTranslations


@dataclasses.dataclass(frozen=True)
class Schema:
    """What an official data set looks like.

    Attributes:
      version: the version that the tasks read.
      configs: the permitted configs; empty for a data set without configs.
      splits: whether a split name is one of the official builder's.
      split_names: the split names for an error message.
      features: feature name to specification.
    """

    version: str
    configs: tuple[str, ...]
    splits: Callable[[str], bool]
    split_names: str
    features: dict[str, Spec]


def _fixed(*names: str) -> dict:
    return {"splits": frozenset(names).__contains__, "split_names": ", ".join(names)}


_XNLI_FEATURES: dict[str, Spec] = {
    "premise": Translations(languages.XNLI),
    "hypothesis": VariableTranslations(languages.XNLI),
    "label": Label(NLI_LABELS),
}
_SQUAD_FEATURES: dict[str, Spec] = {
    "id": Text(tensor=True),
    "title": Text(),
    "context": Text(),
    "question": Text(),
    "answers": Sequence({"text": Text(), "answer_start": Integer()}),
}
_TYDIQA_SPLITS = (
    "train",
    "validation",
    *(f"validation-{code}" for code in languages.TYDIQA),
    *(f"translate-train-{code}" for code in languages.TYDIQA if code != "en"),
)
_MC4_SPLIT = re.compile(r"[a-z]{2,3}(-Latn)?(-validation)?$")

SCHEMAS: dict[str, Schema] = {
    "multi_nli": Schema(
        version="1.1.0",
        configs=(),
        features={"premise": Text(), "hypothesis": Text(), "label": Label(NLI_LABELS)},
        **_fixed("train", "validation_matched", "validation_mismatched"),
    ),
    "xnli": Schema("1.1.0", (), features=_XNLI_FEATURES, **_fixed("validation", "test")),
    "xtreme_xnli": Schema("1.1.0", (), features=_XNLI_FEATURES, **_fixed("train")),
    "wikiann": Schema(
        version="1.0.0",
        configs=languages.WIKIANN,
        features={
            "tokens": Sequence(Text()),
            "tags": Sequence(Label(PANX_TAGS)),
            "langs": Sequence(Text()),
            "spans": Sequence(Text()),
        },
        **_fixed("train", "validation", "test"),
    ),
    "paws_x_wiki": Schema(
        version="1.0.0",
        configs=languages.PAWSX,
        features={"sentence1": Text(), "sentence2": Text(), "label": Label(PAWSX_LABELS)},
        **_fixed("train", "validation", "test"),
    ),
    "tydi_qa": Schema("3.0.0", ("goldp",), features=_SQUAD_FEATURES, **_fixed(*_TYDIQA_SPLITS)),
    "c4": Schema(
        version="3.1.0",
        configs=("multilingual",),
        splits=lambda name: _MC4_SPLIT.match(name) is not None,
        split_names="a language of mC4 such as sw, or sw-validation",
        features={
            "text": Text(),
            "url": Text(),
            "content-type": Text(),
            "content-length": Text(),
            "timestamp": Text(),
        },
    ),
}


def parse(full_name: str) -> tuple[str, str | None, str]:
    """Splits 'wikiann/en:1.0.0' into ('wikiann', 'en', '1.0.0'), checked against the table.

    Raises:
      DataError: the name, config or version is not one that the tasks know.
    """
    match = _FULL_NAME.match(full_name)
    if not match:
        raise DataError(
            f"expected a TFDS name such as 'wikiann/en:1.0.0' or 'xnli:1.1.0', got '{full_name}'"
        )
    name, config, version = match["name"], match["config"], match["version"]
    if name not in SCHEMAS:
        raise DataError(f"no schema for the data set '{name}'; known are {', '.join(SCHEMAS)}")
    schema = SCHEMAS[name]
    if version != schema.version:
        raise DataError(f"{name} is read in version {schema.version}, not {version}")
    if (config is None) != (not schema.configs) or (config and config not in schema.configs):
        permitted = " ".join(schema.configs) or "none"
        raise DataError(f"{name} has no config '{config}'; its configs are: {permitted}")
    return name, config, version
