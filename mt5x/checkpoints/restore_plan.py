"""What of a checkpoint goes into a model, decided from names and shapes before anything is read."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from mt5x import path_patterns
from mt5x.checkpoints.tensors import OPTIMIZER, TensorInfo, described, is_slot
from mt5x.errors import UserError

_SHOWN = 3
_LISTED = 10

# The axis of the vocabulary in the parameters that have one.
_VOCABULARY_AXIS = {"token_embedder/embedding": 0, "decoder/logits_dense/kernel": 1}
# mT5's pieces, and what its public checkpoints pad them to: the rows between are no token's.
_MT5_ROWS = frozenset({250_100, 250_112})


@dataclasses.dataclass(frozen=True)
class RestoreConfig:
    """What to take from an initial checkpoint.

    A pattern is a regular expression that matches a parameter's whole path, such as
    `decoder/layers_0/mlp/wi_0/kernel`; optimizer slots follow their parameters. What T5X calls
    `assignment_map` with None, and `fallback_to_scratch`, is `exclude` here.

    Attributes:
      include: parameters to load match one of these.
      exclude: and none of these; the others are freshly initialised.
      optimizer: load the optimizer's slots and the step, too. Without them the run begins at step
        0, as it does if the checkpoint has none.
      resize_vocabulary: add or drop rows of the vocabulary; between 250,100 and 250,112 it is done
        unasked.
    """

    include: Sequence[str] = (".*",)
    exclude: Sequence[str] = ()
    optimizer: bool = True
    resize_vocabulary: bool = False


@dataclasses.dataclass(frozen=True)
class Resized:
    """A tensor whose vocabulary axis changes from `old` to `new` rows."""

    axis: int
    old: int
    new: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """Which tensors come from the checkpoint and which do not, each list sorted.

    Attributes:
      loaded: tensors of the model to read, the resized ones included.
      resized: those of `loaded` whose vocabulary axis changes.
      fresh: tensors of the model that are initialised.
      left: tensors of the checkpoint that are not read.
      keeps_step: whether the checkpoint's step goes on.
    """

    loaded: tuple[str, ...]
    resized: Mapping[str, Resized]
    fresh: tuple[str, ...]
    left: tuple[str, ...]
    keeps_step: bool

    @property
    def whole(self) -> bool:
        """Whether checkpoint and model are the same tensors."""
        return not (self.resized or self.fresh or self.left)

    def lines(self) -> list[str]:
        """The difference in words: what was loaded, resized, left and freshly initialised."""
        lines = [f"loaded: {_counted(self.loaded)}"]
        lines += [
            f"resized: {path} from {change.old:,} to {change.new:,} rows"
            + (f", the last {change.new - change.old:,} new" if change.new > change.old else "")
            for path, change in self.resized.items()
            if not is_slot(path)
        ]
        for what, paths in (("left", self.left), ("freshly initialised", self.fresh)):
            if paths:
                lines.append(f"{what}: {_counted(paths)}{_listed(paths)}")
        if not self.keeps_step:
            lines.append("the optimizer starts afresh, at step 0")
        return lines


def plan(
    available: Mapping[str, TensorInfo],
    wanted: Mapping[str, TensorInfo],
    config: RestoreConfig,
    location: str,
) -> Plan:
    """Matches a checkpoint's tensors with a model's.

    Args:
      available: the checkpoint's tensors.
      wanted: the model's; without optimizer slots for a job that does not train.
      config: what to take.
      location: the checkpoint, for messages.

    Raises:
      UserError: a pattern matches nothing, or the checkpoint does not fit the model; the first
        differences are named.
    """
    _refuse_idle_patterns(config, available, wanted)
    parameters = [path for path in wanted if not is_slot(path)]
    slots = [path for path in wanted if is_slot(path)]
    chosen = {path for path in parameters if _is_chosen(path, config)}
    resized: dict[str, Resized] = {}
    differences = []
    for path in sorted(chosen):
        change = _change(path, available.get(path), wanted[path], config)
        if isinstance(change, Resized):
            resized[path] = change
        elif change is not None:
            differences.append(change)
    everything = list(config.include) == list(RestoreConfig.include) and not config.exclude
    if everything:
        differences += [
            f"{path} is {described(info)} there and absent in the model"
            for path, info in sorted(available.items())
            if not is_slot(path) and path not in wanted
        ]
    if differences:
        hint = "choose the model gin file that it was trained with"
        if slots and any(" rows there" in difference for difference in differences):
            hint += ", or set RESTORE_RESIZE_VOCABULARY = True"
        elif slots:
            hint += ", or name what is to start afresh in RESTORE_EXCLUDE"
        raise _does_not_fit(location, differences, hint)

    has_slots = any(is_slot(path) for path in available)
    keeps_step = config.optimizer and (has_slots or not slots)
    loaded = set(chosen)
    if keeps_step and slots:
        resized |= _resized_slots(slots, chosen, resized, available, wanted, location)
        loaded |= {slot for slot in slots if _owner(slot) in chosen}
    ordered = tuple(sorted(loaded))
    return Plan(
        loaded=ordered,
        resized={path: resized[path] for path in ordered if path in resized},
        fresh=tuple(sorted(wanted.keys() - loaded)),
        left=tuple(sorted(available.keys() - loaded)),
        keeps_step=keeps_step,
    )


def _change(
    path: str, found: TensorInfo | None, expected: TensorInfo, config: RestoreConfig
) -> Resized | str | None:
    """None where a parameter fits, how to make it fit, or in words why it does not."""
    if found is None:
        return f"{path} is absent there and {described(expected)} in the model"
    if found.shape == expected.shape:
        return None
    axis = _VOCABULARY_AXIS.get(path)
    differing = _differing_axes(found.shape, expected.shape)
    if axis is not None and differing == [axis]:
        change = Resized(axis, found.shape[axis], expected.shape[axis])
        if config.resize_vocabulary or {change.old, change.new} == _MT5_ROWS:
            return change
        return f"{path} has {change.old:,} rows there and {change.new:,} in the model"
    return f"{path} is {list(found.shape)} there and {list(expected.shape)} in the model"


def _resized_slots(
    slots: Sequence[str],
    chosen: set[str],
    resized: Mapping[str, Resized],
    available: Mapping[str, TensorInfo],
    wanted: Mapping[str, TensorInfo],
    location: str,
) -> dict[str, Resized]:
    """The slots that change with their parameters; all others must fit as they are."""
    changes, differences = {}, []
    for slot in sorted(slots):
        owner = _owner(slot)
        if owner not in chosen:
            continue
        found, expected = available.get(slot), wanted[slot]
        if found is not None and found.shape == expected.shape:
            continue
        change = resized.get(owner)
        axes = [] if found is None else _differing_axes(found.shape, expected.shape)
        if found is not None and change is not None and len(axes) == 1:
            here = Resized(axes[0], found.shape[axes[0]], expected.shape[axes[0]])
            if (here.old, here.new) == (change.old, change.new):
                changes[slot] = here
                continue
        there = "absent" if found is None else str(list(found.shape))
        differences.append(f"{slot} is {there} there and {list(expected.shape)} in the model")
    if differences:
        hint = (
            "choose the optimizer that it was trained with, or set RESTORE_OPTIMIZER = False to "
            "take the parameters alone"
        )
        raise _does_not_fit(location, differences, hint)
    return changes


def _does_not_fit(location: str, differences: Sequence[str], hint: str) -> UserError:
    more = len(differences) - _SHOWN
    also = f"; and {more} more" if more > 0 else ""
    shown = "; ".join(differences[:_SHOWN])
    return UserError(f"checkpoint {location} does not fit the model: {shown}{also}; {hint}")


def _refuse_idle_patterns(
    config: RestoreConfig, available: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    paths = [path for path in {**available, **wanted} if not is_slot(path)]
    for name in ("include", "exclude"):
        path_patterns.refuse_idle(
            f"RESTORE_{name.upper()}", getattr(config, name), paths, "the model or the checkpoint"
        )


def _is_chosen(path: str, config: RestoreConfig) -> bool:
    return path_patterns.matches(path, config.include) and not path_patterns.matches(
        path, config.exclude
    )


def _owner(slot: str) -> str:
    """The parameter of a slot: state/param_states/PARAMETER/v_row."""
    return slot.removeprefix(f"{OPTIMIZER}param_states/").rpartition("/")[0]


def _differing_axes(a: tuple[int, ...], b: tuple[int, ...]) -> list[int]:
    """Axes in which two shapes of one rank differ; of other ranks, more than any could."""
    if len(a) != len(b):
        return [*range(max(len(a), len(b)) + 1)]
    return [axis for axis, (i, j) in enumerate(zip(a, b, strict=True)) if i != j]


def _counted(paths: Sequence[str]) -> str:
    slots = sum(map(is_slot, paths))
    parameters = len(paths) - slots
    return f"{parameters:,} parameters" + (f" and {slots:,} optimizer slots" if slots else "")


def _listed(paths: Sequence[str]) -> str:
    """Names of the parameters among `paths`, or nothing if there are none."""
    names = [path for path in paths if not is_slot(path)]
    more = len(names) - _LISTED
    shown = ", ".join(names[:_LISTED]) + (f" and {more:,} more" if more > 0 else "")
    return f" ({shown})" if names else ""
