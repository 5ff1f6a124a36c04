"""The hook into SeqIO's registries: a name that can be made is there when it is asked for.

SeqIO (and T5X through it) asks `name in Registry.names()`, which are the keys of a mapping, and
then takes `mapping[name]`. `install` puts a mapping in its place that makes what the grammar
describes. Listing it shows what was registered and nothing else, so that it does not grow with
what was asked for.
"""

import collections
import re
from typing import TypeAlias

import seqio

from tasks import perturbations
from tasks.by_name import grammar, mixed_in, sources, variants
from tasks.by_name.grammar import CUT, TRAIN_ONLY, Suffix
from tasks.by_name.text_stage import TRAIN
from tasks.errors import DataError, nearest

Provider: TypeAlias = seqio.Task | seqio.Mixture

# Suffixes by when they apply.
_STAGES: dict[str, int] = {
    CUT: 0,
    **dict.fromkeys(perturbations.NAMES, 1),
    **dict.fromkeys(mixed_in.KINDS, 2),
}
# What was made, by name, until anything is registered or removed that it may be made of.
_made: dict[str, Provider] = {}


class OnDemand(collections.UserDict):
    """A registry's mapping from names to providers of one type, which makes those that it can."""

    def __init__(self, registered: dict[str, Provider], provider_type: type):
        self._type = provider_type
        _made.clear()
        super().__init__(registered)

    def __contains__(self, name: object) -> bool:
        return name in self.data or isinstance(made(str(name)), self._type)

    def __missing__(self, name: str) -> Provider:
        provider = made(name)
        if not isinstance(provider, self._type):
            raise KeyError(name)
        return provider

    def __setitem__(self, name: str, provider: Provider) -> None:
        _made.clear()
        super().__setitem__(name, provider)

    def __delitem__(self, name: str) -> None:
        _made.clear()
        super().__delitem__(name)


def install() -> None:
    """Lets SeqIO find names made on demand; to be called again after SeqIO's `reset`."""
    for registry, provider_type in (
        (seqio.TaskRegistry, seqio.Task),
        (seqio.MixtureRegistry, seqio.Mixture),
    ):
        if not isinstance(registry._REGISTRY, OnDemand):
            registry._REGISTRY = OnDemand(registry._REGISTRY, provider_type)


def made(name: str) -> Provider | None:
    """Returns the task or mixture that a name describes, or None where it describes none.

    Raises:
      DataError: the name has the form of one that can be made, and cannot.
    """
    if name not in _made:
        provider = _make(name)
        if provider is None:
            return None
        _made[name] = provider
    return _made[name]


def _make(name: str) -> Provider | None:
    if asked := grammar.sources(name):
        return sources.several(name, asked, _task)
    if (chosen := grammar.chosen(name)) and sources.trained(chosen.data):
        return sources.chosen(name, chosen, _task)
    if few := grammar.few_shot(name):
        sources.check_few_shot(name, few)
    if name.endswith(TRAIN_ONLY):
        return _train_only(name)
    found = grammar.last_suffix(name)
    if found is None or found[1].kind not in _STAGES:
        _check_misspelt(name)
        return None
    base_name, suffix = found
    _check_order(base_name, suffix)
    if suffix.kind == CUT and (few := grammar.few_shot(base_name)):
        return sources.few_shot(name, few, suffix, _task)
    base = _registered(base_name)
    if base is None:
        raise DataError(
            f"'{name}' is made from '{base_name}', which is not registered"
            f"{nearest(base_name, _all_names(), append=suffix)}"
        )
    if suffix.kind in mixed_in.KINDS:
        return mixed_in.mixed(base, suffix, _task)
    return _changed(base, suffix)


def _changed(base: Provider, suffix: Suffix) -> Provider:
    """Returns a task or mixture that is cut or perturbed."""
    cuts = suffix.kind == CUT
    change = variants.cut if cuts else variants.perturbed
    if isinstance(base, seqio.Task):
        return change(base, suffix)
    if all((TRAIN in task.splits) != cuts for task in base.tasks):
        wanted = "trains" if cuts else "is evaluated only"
        raise DataError(
            f"'{base.name}{suffix}' changes nothing: '{base.name}' has no task that {wanted}"
        )

    def changed_or_same(task: seqio.Task) -> seqio.Task:
        if (TRAIN in task.splits) != cuts:
            return task
        # The one that the task's own name gives, so that SeqIO sees one task and not two.
        same = _registered(task.name) is task
        return _task(f"{task.name}{suffix}") if same else change(task, suffix)

    return variants.of_mixture(base, suffix, changed_or_same)


def _train_only(name: str) -> seqio.Task | None:
    base = _registered(name.removesuffix(TRAIN_ONLY))
    return variants.train_only(base) if isinstance(base, seqio.Task) else None


def _check_order(base_name: str, suffix: Suffix) -> None:
    """Raises a DataError where the suffix before must come behind, or is of the same kind."""
    before = grammar.last_suffix(base_name)
    if before is None or before[1].kind not in _STAGES:
        return
    first, other = before
    if _STAGES[other.kind] == _STAGES[suffix.kind]:
        raise DataError(
            f"'{base_name}{suffix}' has both '{other}' and '{suffix}'; did you mean "
            f"{first}{other} or {first}{suffix}?"
        )
    if _STAGES[other.kind] > _STAGES[suffix.kind]:
        raise DataError(
            f"'{base_name}{suffix}' has its suffixes in another order than they apply; did you "
            f"mean {first}{suffix}{other}?"
        )


def _check_misspelt(name: str) -> None:
    """Raises a DataError where a suffix looks like one of ours behind a name that is registered."""
    base_name, colon, text = name.rpartition(":")
    kind = re.match("[a-z_]*", text)
    if not colon or kind is None or not kind[0] or _registered(base_name) is None:
        return
    if kind[0] in _STAGES:
        raise DataError(
            f"the suffix ':{text}' of '{name}' must be a kind, an amount and perhaps a seed, as in "
            f":{kind[0]}10 or :{kind[0]}10.s3"
        )
    # Names of the user's own may have a colon, too: only what is very like is taken for ours.
    rest = text[kind.end() :]
    if near := nearest(kind[0], _STAGES, append=rest, cutoff=0.75):
        raise DataError(f"'{base_name}' has no variant ':{text}'{near}")


def _registered(name: str) -> Provider | None:
    """Returns the mixture or else the task of this name, made where it can be."""
    for registry in (seqio.MixtureRegistry, seqio.TaskRegistry):
        if name in registry.names():
            return registry.get(name)
    return None


def _task(name: str) -> seqio.Task:
    """Returns the task of this name."""
    if name not in seqio.TaskRegistry.names():
        raise DataError(f"there is no task '{name}'{nearest(name, [*seqio.TaskRegistry.names()])}")
    return seqio.TaskRegistry.get(name)


def _all_names() -> list[str]:
    """Returns what is registered."""
    return [*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()]
