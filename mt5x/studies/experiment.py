"""The macros of an experiment file, read without loading it, which would replace what is loaded."""

import tokenize
from pathlib import Path
from typing import Any

from gin import config_parser

from mt5x import config
from mt5x.errors import UserError, nearest


def macros_of(file: str) -> dict[str, Any]:
    """Returns the macros that an experiment file binds, those of what it includes first.

    Args:
      file: such as 't5x_configs/experiments/xnli_zeroshot.gin'; looked up in the working directory
        and in the installed package.

    Raises:
      UserError: there is no such file, it is malformed, or it binds anything but macros to plain
        values.
    """
    found: dict[str, Any] = {}
    try:
        text = _path(file).read_text(encoding="utf-8")
        for statement in config_parser.ConfigParser(text, _PlainValues(file)):
            if isinstance(statement, config_parser.IncludeStatement):
                found |= macros_of(statement.filename)
            elif isinstance(statement, config_parser.BindingStatement):
                scope, selector, argument, *_ = statement
                if scope or argument:
                    where = f"{scope}/" if scope else ""
                    raise _not_plain(file, f"{where}{selector}{argument and f'.{argument}'}")
                found[statement.selector] = statement.value
    except (SyntaxError, tokenize.TokenError) as error:
        raise UserError(f"{file}: {error}") from error
    return found


class _PlainValues(config_parser.ParserDelegate):
    """Refuses what a value by itself does not say."""

    def __init__(self, file: str):
        self._file = file

    def configurable_reference(self, name: str, evaluate: bool) -> Any:
        raise _not_plain(self._file, f"@{name}")

    def macro(self, name: str) -> Any:
        raise _not_plain(self._file, f"%{name}")


def _not_plain(file: str, what: str) -> UserError:
    return UserError(f"{file} says {what}: an experiment binds macros to plain values alone")


def _path(file: str) -> Path:
    for folder in (Path(), config.INSTALLATION_ROOT):
        if (folder / file).is_file():
            return folder / file
    shipped = (config.INSTALLATION_ROOT / "t5x_configs" / "experiments").glob("*.gin")
    known = [str(path.relative_to(config.INSTALLATION_ROOT)) for path in shipped]
    raise UserError(f"there is no experiment file {file}{nearest(file, known)}")
