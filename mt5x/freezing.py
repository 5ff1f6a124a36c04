"""Parameters that training leaves as they are, chosen by patterns of their paths.

A step differentiates with respect to the others alone, so that what only a frozen parameter's
gradient would need is not computed, and the optimizer knows of the others alone. In T5X a
`MultiOptimizer` does this.
"""

from collections.abc import Sequence
from typing import Any

from flax.traverse_util import flatten_dict, unflatten_dict

from mt5x import path_patterns
from mt5x.errors import UserError

_SETTING = "FREEZE"


def split(tree: Any, patterns: Sequence[str]) -> tuple[Any, Any]:
    """Returns the trained and the frozen part of a tree like the parameters'.

    Args:
      tree: nested dictionaries with anything at the parameters' places: arrays, shapes, shardings.
      patterns: regular expressions; a parameter is frozen whose whole path one of them matches.

    Raises:
      UserError: a pattern matches nothing, or together they match everything.
    """
    if not patterns:
        return tree, {}
    flat = flatten_dict(tree, sep="/")
    path_patterns.refuse_idle(_SETTING, patterns, flat, "the model")
    chosen = {path for path in flat if path_patterns.matches(path, patterns)}
    if len(chosen) == len(flat):
        raise UserError(
            f"{_SETTING}: {', '.join(map(repr, patterns))} matches every parameter of the model, "
            f"so nothing is left to train; leave out what is to be trained, such as {max(flat)}"
        )
    trained = {path: leaf for path, leaf in flat.items() if path not in chosen}
    frozen = {path: leaf for path, leaf in flat.items() if path in chosen}
    return unflatten_dict(trained, sep="/"), unflatten_dict(frozen, sep="/")


def joined(trained: Any, frozen: Any) -> Any:
    """Returns the tree of which these are the two parts."""
    if not frozen:
        return trained
    return unflatten_dict(
        {**flatten_dict(trained, sep="/"), **flatten_dict(frozen, sep="/")}, sep="/"
    )
