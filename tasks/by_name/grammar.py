"""How the names are written: suffixes behind the name of a task or mixture. Nothing is looked up.

A suffix is a kind, an amount and, unless it is 0, a seed: `:n1000`, `:typos10.s3`. Every variant
has one spelling, since results are filed by name.
"""

import dataclasses
import re

from tasks.errors import DataError

CUT = "n"
TRAIN_ONLY = ":train"

_SUFFIX = re.compile(r":([a-z_]+)([0-9]{1,12})(?:\.s([0-9]{1,12}))?")
_SOURCES = re.compile(r"(\w+)_sources\.([a-z]+)\.([0-9]+)")
_CHOSEN = re.compile(r"(\w+)_from\.([a-z]+(?:_[a-z]+)*)")
_FEW_SHOT = re.compile(r"(\w+)_fewshot\.(\w+)\.(\w+)")


@dataclasses.dataclass(frozen=True)
class Suffix:
    """One suffix: what is done ('n', 'typos', 'mlm' ...), how much of it, and by which seed."""

    kind: str
    amount: int
    seed: int = 0

    def __str__(self) -> str:
        return f":{self.kind}{self.amount}" + (f".s{self.seed}" if self.seed else "")


@dataclasses.dataclass(frozen=True)
class Sources:
    """`{data}_sources.{order}.{count}`: a mixture that trains on `count` languages."""

    data: str
    order: str
    count: int


@dataclasses.dataclass(frozen=True)
class Chosen:
    """`{data}_from.en_hi_sw`: a mixture that trains on the languages that it names."""

    data: str
    languages: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class FewShot:
    """`{data}_fewshot.{source}.{target}`: all of a source with a few examples of a target."""

    data: str
    source: str
    target: str


def last_suffix(name: str) -> tuple[str, Suffix] | None:
    """Returns what stands before the last suffix, and the suffix; None where there is none.

    >>> last_suffix("panx_zeroshot:n100.s3")
    ('panx_zeroshot', Suffix(kind='n', amount=100, seed=3))

    Raises:
      DataError: a number that is not in its one spelling, such as `:n0100` or `:n100.s0`.
    """
    base, colon, text = name.rpartition(":")
    match = _SUFFIX.fullmatch(colon + text)
    if not match or not base:
        return None
    suffix = Suffix(match[1], int(match[2]), int(match[3] or 0))
    if str(suffix) != match[0]:
        raise DataError(f"'{match[0]}' is written '{suffix}'; did you mean {base}{suffix}?")
    return base, suffix


def base_of(name: str) -> str:
    """Returns the name without its suffixes: what labels, scores and languages are known by.

    >>> base_of("xnli_eval.sw:typos10.s3")
    'xnli_eval.sw'
    """
    while True:
        if name.endswith(TRAIN_ONLY):
            name = name.removesuffix(TRAIN_ONLY)
        elif found := last_suffix(name):
            name = found[0]
        else:
            return name


def sources(name: str) -> Sources | None:
    """Returns the parts of the name of a mixture of several sources, or None."""
    match = _SOURCES.fullmatch(name)
    return Sources(match[1], match[2], int(match[3])) if match else None


def chosen(name: str) -> Chosen | None:
    """Returns the parts of the name of a mixture of named source languages, or None."""
    match = _CHOSEN.fullmatch(name)
    return Chosen(match[1], tuple(match[2].split("_"))) if match else None


def few_shot(name: str) -> FewShot | None:
    """Returns the parts of the name of a few-shot mixture, or None."""
    match = _FEW_SHOT.fullmatch(name)
    return FewShot(*match.groups()) if match else None
