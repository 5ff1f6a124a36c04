"""A number for ordered pairs of languages, and what exactly it is."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from analysis.pairs import PairMatrix


@dataclasses.dataclass(frozen=True)
class PairFeature:
    """A number for ordered pairs of languages, and what it is.

    Attributes:
      key: short name, as in the tables.
      label: name for readers, as on an axis.
      noun: the name within a sentence, after "similarity" or "share" as it asks.
      group: 'planted', 'typology', 'text', 'resources' or 'model': where the number comes from.
      description: exactly what was computed.
      values: the numbers.
      shared: how many typological features both languages have; None where that means nothing.
    """

    key: str
    label: str
    noun: str
    group: str
    description: str
    values: PairMatrix
    shared: PairMatrix | None = None

    def known(self) -> bool:
        """Whether any pair of different languages has a number."""
        return bool(self.values.off_diagonal().any())


def of_language(
    key: str,
    label: str,
    noun: str,
    group: str,
    what: str,
    numbers: Mapping[str, float],
    languages: Sequence[str],
) -> list[PairFeature]:
    """Returns what a number of each language is to a pair: the source's, the target's, both apart.

    Args:
      key, label, noun: names; 'fertility', 'Fertility', 'higher fertility'.
      group: where the numbers come from.
      what: what the number of a language is, for the description.
      numbers: language -> number; of a language without one the pairs are unknown.
      languages: the languages of the pairs.
    """  # fmt: skip

    def feature(
        name: str, shown: str, noun: str, told: str, of_pair: Callable[[str, str], float | None]
    ) -> PairFeature:
        values = PairMatrix.from_function(languages, of_pair)
        return PairFeature(f"{key}_{name}", shown, noun, group, told, values)

    return [
        feature("source", f"{label}, source", f"a source of {noun}", f"{what}, of the source",
                lambda s, t: numbers.get(s)),
        feature("target", f"{label}, target", f"a target of {noun}", f"{what}, of the target",
                lambda s, t: numbers.get(t)),
        feature("difference", f"{label}, difference", f"a source of {noun} than the target's",
                f"{what}: the source's minus the target's",
                lambda s, t: numbers[s] - numbers[t] if s in numbers and t in numbers else None),
    ]  # fmt: skip
