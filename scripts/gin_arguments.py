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


def add_process_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds T5X's flags for one run over several processes, under the names of T5X."""
    group = parser.add_argument_group("several hosts (the flags of T5X; a TPU pod needs none)")
    group.add_argument(
        "--multiprocess_gpu",
        action="store_true",
        help="one run over all processes that SLURM or Open MPI started",
    )
    group.add_argument(
        "--coordinator_address",
        metavar="HOST:PORT",
        help="where process 0 listens; with the next two, for hosts that no cluster manages",
    )
    group.add_argument("--process_count", type=int, metavar="N", help="processes in all")
    group.add_argument("--process_index", type=int, metavar="I", help="this one, from 0")
    group.add_argument(
        "--initialization_timeout",
        type=int,
        default=60,
        metavar="SECONDS",
        help="how long processes wait for one another at the start (60)",
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
