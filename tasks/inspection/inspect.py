"""Everything that `mt5x tasks NAME` says of one task or mixture, as one value."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seqio

from tasks import span_corruption, vocabulary
from tasks.errors import DataError, nearest
from tasks.inspection import lookup
from tasks.inspection.distribution import Distribution, distribution
from tasks.inspection.examples import FEATURES, Example, pieces, read
from tasks.inspection.lookup import Provider
from tasks.inspection.packing import Packing, count_rows, pack, token_counts
from tasks.inspection.suggestion import MT5_LENGTHS, cost, suggest, wasted

# Inputs of a task that fills whatever length it is given, where the caller names none; mT5's.
_FILLED_INPUTS = MT5_LENGTHS[0]["inputs"]
# Packed rows that are kept to be shown.
_ROWS_KEPT = 4


@dataclasses.dataclass(frozen=True)
class Part:
    """A task as a part of what is inspected.

    Attributes:
      name: the task's name.
      source: where its rows come from, in words.
      rows: rows on disk of each split, from metadata.
      at_most: whether the task leaves some of them out.
      share: of a batch's examples; None where it depends on data that is not there.
    """

    name: str
    source: str
    rows: dict[str, int]
    at_most: bool
    share: float | None


@dataclasses.dataclass(frozen=True)
class Shown:
    """An example in full: texts, and the pieces of its tokens."""

    texts: dict[str, str]
    pieces: dict[str, list[str]]


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What a task or mixture is, and what it looks like to a model.

    Attributes:
      name: of the task or mixture.
      split: the split that was read.
      splits: all of its splits.
      parts: its tasks that have the split.
      others: how many of its tasks do not have it.
      vocabulary: the vocabulary's name or path.
      vocabulary_size: its ids.
      examples: the first examples, as text and pieces.
      measured: how many examples the figures below come from.
      distributions: lengths by feature.
      fills: the tasks that cut their text to whatever lengths they are given. They are read only
        where there are no others, which decide on the lengths.
      suggestion: the suggested lengths and what packing gives with them.
      given: the same for lengths that were asked about; None where none were.
      compared: the same for mT5's own lengths.
      rows: SeqIO's packed arrays of the first rows at the suggested lengths: int32 [rows, length].
    """

    name: str
    split: str
    splits: list[str]
    parts: list[Part]
    others: int
    vocabulary: str
    vocabulary_size: int
    examples: list[Shown]
    measured: int
    distributions: dict[str, Distribution]
    fills: list[str]
    suggestion: Packing
    given: Packing | None
    compared: list[Packing]
    rows: dict[str, np.ndarray]

    def as_json(self) -> dict[str, Any]:
        """Returns all of it as plain dicts, lists, strings and numbers."""
        found = dataclasses.asdict(self)
        found["rows"] = {key: array.tolist() for key, array in self.rows.items()}
        for one in found["distributions"].values():
            one["percentiles"] = {f"{p:g}": n for p, n in one["percentiles"].items()}
        found["suggestion"] = _figures(self.suggestion)
        found["given"] = None if self.given is None else _figures(self.given)
        found["compared"] = [_figures(packing) for packing in self.compared]
        return found


def inspect(
    name: str,
    split: str | None = None,
    num_examples: int = 3,
    measure: int = 5_000,
    most_cut: float = 0.005,
    seed: int = 0,
    given: Mapping[str, int] | None = None,
) -> Inspection:
    """Reads examples of a task or mixture in the chosen vocabulary and measures them.

    Args:
      name: a task or a mixture, made on demand or registered.
      split: which split; None takes train, or else validation, or else the first.
      num_examples: examples to show.
      measure: at most so many examples are read, in the order that `seed` shuffles them to.
      most_cut: the share of examples that the suggested lengths may cut, from 0 to below 1.
      seed: of shuffling and mixing.
      given: lengths {'inputs', 'targets'} to compare with the suggested ones.

    Raises:
      DataError: no such name or split, a figure out of its range, or the data or the vocabulary is
        not there.
    """
    for what, number, least in (("examples", num_examples, 0), ("measure", measure, 1)):
        if number < least:
            raise DataError(f"expected --{what} of at least {least}, got {number}")
    if given is not None and min(given.values()) < 1:
        raise DataError(f"expected lengths of at least 1 token, got {dict(given)}")
    if not 0 <= most_cut < 1:
        raise DataError(f"the share of cut examples lies from 0 to below 1, got {most_cut:g}")
    provider = lookup.find(name)
    splits = lookup.splits_of(provider)
    split = split or splits[0]
    if split not in splits:
        raise DataError(
            f"{name} has no split '{split}', only {', '.join(splits)}{nearest(split, splits)}"
        )
    chosen = vocabulary.chosen()
    tasks = lookup.tasks_of(provider, split)
    fills = [task for task in tasks if lookup.fills_rows(task)]
    lengths = _filled_lengths() if len(fills) == len(tasks) else None
    examples = read(_without(provider, fills, split), split, measure, seed, lengths)
    counts = token_counts(examples)
    suggestion = (
        suggest(counts, most_cut, _targets_of_filled if fills else None)
        if lengths is None
        else count_rows(counts, lengths)
    )
    # Measured by packing them, which the search only follows.
    packing, rows = pack(examples, suggestion.lengths)
    return Inspection(
        name=name,
        split=split,
        splits=splits,
        parts=_parts(provider, split),
        others=len(lookup.tasks_of(provider)) - len(tasks),
        vocabulary=str(getattr(chosen, "sentencepiece_model_file", type(chosen).__name__)),
        vocabulary_size=int(chosen.vocab_size),
        examples=[_shown(example, chosen) for example in examples[:num_examples]],
        measured=len(examples),
        distributions={
            feature: distribution(counts[:, column]) for column, feature in enumerate(FEATURES)
        },
        fills=[task.name for task in fills],
        suggestion=packing,
        given=None if given is None else count_rows(counts, given),
        compared=[count_rows(counts, one) for one in MT5_LENGTHS],
        rows={key: array[:_ROWS_KEPT] for key, array in rows.items()},
    )


def _without(provider: Provider, fills: Sequence[seqio.Task], split: str) -> Provider:
    """Returns the provider, or the mixture of its other tasks where only some fill their rows."""
    rest = [task for task in lookup.tasks_of(provider, split) if task not in fills]
    if not fills or not rest:
        return provider
    return seqio.Mixture(provider.name, [(task, provider.get_rate(task)) for task in rest])


def _filled_lengths() -> dict[str, int]:
    return {"inputs": _FILLED_INPUTS, "targets": _targets_of_filled(_FILLED_INPUTS)}


def _targets_of_filled(inputs: int) -> int:
    """Returns the length of targets that span corruption needs beside inputs of this length."""
    return span_corruption.segment_length(inputs)[1]


def _parts(provider: Provider, split: str) -> list[Part]:
    try:
        shares: Mapping[str, float] = lookup.shares(provider, split)
    except DataError:
        shares = {}
    return [
        Part(
            name=task.name,
            source=lookup.describe_source(task, split),
            rows=lookup.sizes(task),
            at_most=lookup.selects_rows(task),
            share=shares.get(task.name),
        )
        for task in lookup.tasks_of(provider, split)
    ]


def _shown(example: Example, chosen: seqio.Vocabulary) -> Shown:
    return Shown(
        example.texts, {feature: pieces(chosen, example.ids[feature]) for feature in FEATURES}
    )


def _figures(packing: Packing) -> dict[str, Any]:
    return {
        "lengths": packing.lengths,
        "efficiency": packing.efficiency,
        **{f"filled_{feature}": packing.filled(feature) for feature in FEATURES},
        "cost": cost(packing),
        "wasted": wasted(packing),
        "share_cut": packing.share_cut,
        "examples_per_row": packing.examples_per_row,
        "rows": packing.rows,
    }
