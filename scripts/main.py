"""`mt5x`: finds the subcommand, reads its arguments, and turns user errors into one sentence.

A subcommand is a module of this package with `SUMMARY` (one line), `EXAMPLES` (lines of shell),
`add_arguments(parser)` and `run(args)`, which returns an exit code or None. It imports what is
heavy (JAX, TensorFlow, pandas) inside `run`, so that `mt5x --help` answers at once.

Exit codes: 0 done, 2 something that the user can put right, 130 interrupted. Anything else keeps
its traceback: it is a defect of ours.
"""

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NoReturn

from mt5x import __version__
from mt5x.errors import UserError, nearest, said
from scripts.gin_arguments import split_bindings
from scripts.huge_pages import restart_with_huge_pages
from scripts.quiet_import import import_on_use, import_quietly

COMMANDS = {
    "train": "scripts.train",
    "evaluate": "scripts.evaluate",
    "predict": "scripts.predict",
    "plan": "scripts.plan",
    "sample-data": "scripts.sample_data",
    "import-data": "scripts.import_data",
    "tasks": "scripts.tasks",
    "study": "scripts.study",
    "launch": "scripts.launch",
    "report": "scripts.report",
    "lm-stats": "scripts.lm_stats",
    "convert": "scripts.convert",
    "checkpoint": "scripts.checkpoint",
    "benchmark": "scripts.benchmark",
}

FIRST_STEPS = """\
first steps:
  mt5x sample-data --out runs/sample_world   ten small languages, ready to train on
  mt5x COMMAND --help                        arguments and examples of one command
"""


class Parser(argparse.ArgumentParser):
    """An argument parser that fails in one sentence and offers the nearest name."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with exit code 2."""
        sys.exit(_complain(f"{message}; see `{self.prog} --help`"))

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Reads the arguments, `--gin.NAME=value` among them where gin is understood.

        Where a command has a default for `job`, what follows `--` is another command, unread.
        """
        if args is not None and "--gin_bindings" in self._option_string_actions:
            args = split_bindings(args, self.error)
        if args is not None and self.get_default("job") is not None and "--" in args:
            end = args.index("--")
            self.set_defaults(job=tuple(args[end + 1 :]))
            args = args[:end]
        return super().parse_known_args(args, namespace)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Reads the arguments; an unknown one is named, with the nearest known."""
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            offer = nearest(unknown[0].split("=")[0], self._option_string_actions, count=1)
            self.error(f"unknown argument {unknown[0]}{offer}")
        return parsed


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"mt5x {__version__}")
        return 0
    if argv is None:
        restart_with_huge_pages()
    try:
        code = _answer(arguments[0], arguments[1:])
    except Exception as error:
        processes = _processes()
        if processes is not None:
            processes.leave_with_traceback(error)
        raise
    if code and (processes := _processes()) is not None:
        processes.leave(code)
    if code and (ahead := sys.modules.get("mt5x.compiled_ahead")) and ahead.under_way():
        # What it was for failed.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _answer(name: str, arguments: list[str]) -> int:
    """Runs one subcommand and returns its exit code, that of a user error too."""
    try:
        return _run(name, arguments)
    except KeyboardInterrupt:
        print("mt5x: interrupted", file=sys.stderr)
        return 130
    except _user_errors() as error:
        processes = _processes()
        if processes is not None:
            processes.wait_if_peer_was_lost(error)
        return _complain(said(error))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        where = f" at {error.filename}" if error.filename else ""
        return _complain(f"the disk is full{where}; free some space and run the same command again")


def _run(name: str, arguments: list[str]) -> int:
    """Runs one subcommand and returns its exit code."""
    if name not in COMMANDS:
        offer = nearest(name, COMMANDS, count=1) or "; `mt5x --help` lists the commands"
        raise UserError(f"unknown command {name}{offer}")
    command = importlib.import_module(COMMANDS[name])
    args = _parser(name, command).parse_args(arguments)
    _quieten_libraries()
    from mt5x import compilation_cache, gpu_memory

    gpu_memory.take_share(os.environ)
    compilation_cache.switch_on()
    return command.run(args) or 0


def _quieten_libraries() -> None:
    """Keeps off the screen what TensorFlow and SeqIO say about themselves when all is well."""
    from absl import logging

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow imports Keras only to register optimizers, with scikit-learn and pyplot: a third
    # of the time that it takes.
    import_quietly("tensorflow", without=("keras.src.optimizers",))
    import_on_use("tensorflow_text.python.keras")
    logging.set_verbosity(logging.ERROR)


def _parser(name: str, command: ModuleType) -> Parser:
    """Returns the parser of one subcommand."""
    parser = Parser(
        prog=f"mt5x {name}",
        description=command.SUMMARY,
        epilog="examples:\n" + command.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    return parser


def _overview() -> str:
    """Returns the help of `mt5x` itself: one line per subcommand."""
    lines = ["usage: mt5x COMMAND [arguments]", "", "commands:"]
    for name, module in COMMANDS.items():
        lines.append(f"  {name:<12}  {importlib.import_module(module).SUMMARY}")
    return "\n".join([*lines, "", FIRST_STEPS.rstrip()])


def _processes() -> ModuleType | None:
    """What ends one of several processes; None where the command cannot be one of several."""
    return sys.modules.get("mt5x.distributed")


def _user_errors() -> tuple[type[Exception], ...]:
    """Returns the classes of user errors; `tasks` has its own, and is heavy, so is not imported."""
    tasks_errors = sys.modules.get("tasks.errors")
    return (UserError, tasks_errors.DataError) if tasks_errors else (UserError,)


def _complain(sentence: str) -> int:
    """Prints one sentence to standard error and returns the exit code of a user error."""
    print(f"mt5x: error: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
