"""T5X's configuration flags: `--gin_file`, `--gin_search_paths`, `--gin.NAME=value`.

`--gin.NAME=value` has a free-form name (a macro, a parameter, a scoped parameter), which argparse
cannot express. Like T5X we rewrite it to `--gin_bindings NAME=value` before the flags are read.
"""

import argparse
from collections.abc import Callable, Sequence

_PREFIX = "--gin."


def add_gin_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds T5X's configuration flags to a subcommand.

    The parsed arguments get `gin_file` (list of paths, in order), `gin_search_paths` (list of
    folders) and `gin_bindings` (list of 'NAME=value', in order; the value is untouched text).
    """
    group = parser.add_argument_group("configuration (the flags of T5X)")
    group.add_argument(
        "--gin_file",
        action="append",
        default=[],
        metavar="PATH",
        help="a gin file; may be repeated, later files override earlier ones",
    )
    group.add_argument(
        "--gin_search_paths",
        type=_folders,
        default=[],
        metavar="DIR[,DIR]",
        help="folders to look for gin files in, beside the current one and the installed ones",
    )
    group.add_argument(
        "--gin_bindings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one setting, such as TRAIN_STEPS=1000; overrides the files; also --gin.NAME=VALUE",
    )
    group.add_argument(
        "--tfds_data_dir",
        metavar="DIR",
        help="where the TFDS data sets are; by default TFDS_DATA_DIR, or runs/sample_world",
    )


def split_bindings(argv: Sequence[str], error: Callable[[str], None]) -> list[str]:
    """Rewrites every `--gin.NAME=value` of `argv` to `--gin_bindings=NAME=value`.

    Calls `error` with a message for a binding without a value.
    """
    rewritten = []
    for argument in argv:
        if argument.startswith(_PREFIX):
            name, equals, value = argument[len(_PREFIX) :].partition("=")
            if not name.strip() or not equals:
                error(f"{argument!r} has no value: write --gin.NAME=VALUE, without spaces around =")
            argument = f"--gin_bindings={name}={value}"
        rewritten.append(argument)
    return rewritten


def _folders(text: str) -> list[str]:
    return [folder for folder in text.split(",") if folder]
