"""Parameters named by regular expressions of their whole paths, as settings name them."""

import re
from collections.abc import Collection, Sequence

from mt5x.errors import UserError, nearest


def checked(setting: str, patterns: Sequence[str]) -> tuple[str, ...]:
    """The patterns as a tuple.

    Args:
      setting: the macro or argument that they are from, for messages.
      patterns: regular expressions.

    Raises:
      UserError: they are one string, or one of them is no regular expression.
    """
    if isinstance(patterns, str):
        raise UserError(
            f"{setting} is a list of patterns, such as ['{patterns}'], and not one string"
        )
    for pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise UserError(f"{setting}: {pattern!r} is no regular expression: {error}") from error
    return tuple(patterns)


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Whether one of the patterns matches the whole path."""
    return any(re.fullmatch(pattern, path) for pattern in patterns)


def refuse_idle(setting: str, patterns: Sequence[str], paths: Collection[str], of: str) -> None:
    """Refuses a pattern that matches nothing: a typing error, which would pass unnoticed.

    Args:
      setting: the macro that they are from.
      patterns: regular expressions.
      paths: all parameters.
      of: what has these parameters, in words: 'the model'.

    Raises:
      UserError: one matches no path, or is no regular expression; paths like it are named.
    """
    for pattern in checked(setting, patterns):
        if not any(re.fullmatch(pattern, path) for path in paths):
            raise UserError(
                f"{setting}: {pattern!r} matches no whole parameter path of {of}, such as "
                f"{min(paths, default='none')}{nearest(pattern, [*_subtrees(paths), *paths])}"
            )


def _subtrees(paths: Collection[str]) -> list[str]:
    """A pattern for each part of the tree: 'decoder/layers_0/.*'."""
    found = set()
    for path in paths:
        parts = path.split("/")
        found |= {"/".join([*parts[:depth], ".*"]) for depth in range(1, len(parts))}
    return sorted(found)
