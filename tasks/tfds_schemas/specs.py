"""What a data set in TFDS looks like: its version, configs, splits and types of features."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Text:
    """One Unicode string; `tensor` where the builder declares a plain string tensor instead."""

    tensor: bool = False


@dataclasses.dataclass(frozen=True)
class Integer:
    """One int32."""


@dataclasses.dataclass(frozen=True)
class Boolean:
    """True or false."""


@dataclasses.dataclass(frozen=True)
class Label:
    """One of a closed list of names, stored as its index.

    Attributes:
      names: the names, in the order of their indices.
      unlabelled: whether some rows have no label, which TFDS stores as the index -1.
    """

    names: tuple[str, ...]
    unlabelled: bool = False


@dataclasses.dataclass(frozen=True)
class Sequence:
    """A list of scalars; of a dict, a dict of equally long lists."""

    element: "Scalar | dict[str, Scalar]"


@dataclasses.dataclass(frozen=True)
class Translations:
    """One string in each of the languages: a dict with every language as a key."""

    languages: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class VariableTranslations:
    """Strings in some of the languages: a dict from language to string or list of strings."""

    languages: tuple[str, ...]


Scalar = Text | Integer | Boolean | Label
Spec = Scalar | Sequence | Translations | VariableTranslations
Features = dict[str, Spec]


@dataclasses.dataclass(frozen=True)
class Schema:
    """What a data set, or those of its configs that are alike, looks like.

    Attributes:
      version: the version that the tasks read.
      features: feature name to specification.
      splits: the names of its splits; of mC4, examples of them.
      configs: the permitted configs; empty for a data set without configs.
      split_pattern: what a split's name matches where `splits` does not list them all.
      official: whether TFDS has a builder of this name. The others come from importers alone.
    """

    version: str
    features: Features
    splits: tuple[str, ...]
    configs: tuple[str, ...] = ()
    split_pattern: re.Pattern[str] | None = None
    official: bool = True

    @property
    def split_names(self) -> str:
        """The splits in words, for messages."""
        return ", ".join(self.splits) + (" and so on" if self.split_pattern else "")

    def has_split(self, name: str) -> bool:
        """Returns whether the data set has a split of this name."""
        return bool(self.split_pattern and self.split_pattern.fullmatch(name)) or (
            name in self.splits
        )
