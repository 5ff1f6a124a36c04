"""Gin configuration: from files and `--gin.NAME=value` flags to a checked, complete config.

The flags and macros are T5X's. What is added is that mistakes are found before any work begins and
are told in one sentence: a macro nobody reads, a hole nobody filled, a name that does not exist.
"""

import ast
import functools
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import gin

from mt5x.errors import UserError, nearest

# The folder that holds t5x_configs/: a checkout, or site-packages when installed from a wheel.
INSTALLATION_ROOT = Path(__file__).resolve().parent.parent

_MACRO = "gin.macro"

# Gin also tries a path as one inside a Python package, and fails on folders of gin files alone.
del gin.config._FILE_READERS[1:]


def load(
    gin_files: Sequence[str],
    bindings: Sequence[str] = (),
    search_paths: Sequence[str] = (),
    skip: Collection[str] = (),
) -> None:
    """Replaces the process's gin configuration by the given files and bindings.

    Args:
      gin_files: parsed in order; looked up in the working directory, `search_paths`, and the
        installed package.
      bindings: `NAME=value` or `scope/configurable.argument=value`, parsed last. A value that is
        not a gin literal is taken as a plain string, so no inner quotes are needed.
      search_paths: further folders for gin files and their includes.
      skip: configurables, as the files name them, whose bindings are passed over where the module
        that has them is not found.

    Raises:
      UserError: a file is missing or malformed, a name is unknown, or a required macro is unset.
    """
    with gin.unlock_config():
        gin.clear_config()
        # Gin keeps the search paths of earlier loads; this process may load many configs.
        del gin.config._LOCATION_PREFIXES[1:]
        for path in [*search_paths, str(INSTALLATION_ROOT)]:
            gin.add_config_file_search_path(path)
        for name in gin_files:
            _refuse_missing_file(name)
            _parse(functools.partial(gin.parse_config_file, name, skip_unknown=list(skip)), name)
        in_files = _bound_macros()
        for binding in bindings:
            text = _with_quoted_value(binding)
            _parse(functools.partial(gin.parse_config, text), f"--gin.{binding}")
    _refuse_unread_macros(in_files)
    _refuse_missing_macros()


def resolved() -> str:
    """Returns the loaded configuration as gin text, the record written beside a run."""
    return gin.config_str(max_line_length=100)


def call(configurable: Callable[..., Any], **arguments: Any) -> Any:
    """Calls `configurable` with its gin bindings; explicit `arguments` win.

    Raises:
      UserError: an argument without default is neither bound nor given.
    """
    try:
        return gin.get_configurable(configurable)(**arguments)
    except TypeError as error:
        # Only this function's own arguments: a TypeError from inside it is a defect of ours.
        if str(error).startswith(f"{configurable.__name__}() missing"):
            raise UserError(
                f"the gin files do not bind what is needed: {_first_line(error)}"
            ) from error
        raise


def arguments(configurable: Callable[..., Any] | str) -> dict[str, Any]:
    """Returns what `call` would pass to `configurable`, made but not called with.

    Args:
      configurable: the function, or its name in the loaded gin files.

    Raises:
      UserError: the loaded files do not name it.
    """
    try:
        found: dict[str, Any] = gin.get_bindings(configurable)
    except (ValueError, TypeError) as error:
        raise UserError(
            f"the gin files do not bind what is needed: {_first_line(error)}"
        ) from error
    return found


def macro(name: str, default: Any = None) -> Any:
    """Returns the value of a macro, or `default` where the config does not bind it.

    Where the value is another macro it is that one's.
    """
    try:
        value = gin.query_parameter(f"%{name}")
    except ValueError:
        return default
    is_reference = isinstance(value, gin.config.ConfigurableReference)
    if is_reference and value.configurable.wrapped is gin.config.macro:
        return macro(value.config_key[0], default)
    return value


def bindings_of(text: str) -> dict[str, str]:
    """Reads resolved gin text back into {name: value text}, for comparing two runs."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if not line.strip() or line.startswith(("#", "import ", "from ", "include ")):
            continue
        start = re.match(r"([\w./]+)\s*=\s*(.*)", line)
        if start:
            name = start.group(1)
            found[name] = start.group(2).rstrip("\\").strip()
        elif name:
            found[name] = (found[name] + " " + line.strip().rstrip("\\")).strip()
    return found


def _with_quoted_value(binding: str) -> str:
    name, equals, value = binding.partition("=")
    if not equals:
        raise UserError(f"--gin.{binding} has no value; write --gin.{name}=VALUE")
    name, value = name.strip(), value.strip()
    # References and containers of them are gin's own; other literals are Python's.
    if not value.startswith(("@", "%", "[", "(", "{")):
        try:
            ast.literal_eval(value)
        except (SyntaxError, ValueError):
            # Bare words and paths, which T5X's users must put between two sorts of quotes.
            value = repr(value)
    return f"{name} = {value}"


def _parse(parse: Callable[[], Any], what: str) -> None:
    try:
        parse()
    except (ImportError, OSError, SyntaxError) as error:
        raise UserError(f"{what}: {_first_line(error)}") from error
    except (AttributeError, NameError, TypeError, ValueError) as error:
        raise UserError(_explain_unknown(what, error)) from error


def _explain_unknown(what: str, error: Exception) -> str:
    message = _first_line(error)
    unknown = re.search(
        r"No configurable matching (?:reference )?'?@?([\w./]+)'?|name '([\w.]+)'"
        r"|no attribute '(\w+)'|parameter named '(\w+)'",
        message,
    )
    if not unknown:
        return f"{what}: {message}"
    name = next(group for group in unknown.groups() if group)
    candidates = [*_registered_names(), *_bound_macros(), *_parameters(what)]
    return f"{what}: unknown gin name {name}{nearest(name, candidates)}"


def _refuse_unread_macros(in_files: set[str]) -> None:
    """A macro that nothing refers to is a typing error: gin itself would pass over it."""
    read = {reference.config_key[0] for reference in _macro_references()}
    for name in sorted(_bound_macros() - read):
        if name in in_files and name in _job_macros():
            continue
        raise UserError(
            f"unknown gin macro {name}: nothing in these gin files reads it{nearest(name, read)}"
        )


# Macros that T5X has and no file of ours binds.
_T5X_MACROS = frozenset("INFER_OUTPUT_DIR MIXTURE_OR_TASK_MODULE".split())


@functools.cache
def _job_macros() -> frozenset[str]:
    """The macros of all jobs. A file may bind them for whichever job reads it.

    The same experiment file serves training, which reads TRAIN_STEPS, and evaluation, which does
    not.
    """
    configs = INSTALLATION_ROOT / "t5x_configs"
    shipped = [file for room in ("models", "runs") for file in (configs / room).glob("*.gin")]
    bound = (re.findall(r"^([A-Z][A-Z0-9_]*) *=", file.read_text(), re.M) for file in shipped)
    return _T5X_MACROS.union(*bound)


def _refuse_missing_macros() -> None:
    missing = {ref.config_key[0] for ref in _macro_references()} - _bound_macros()
    missing |= {
        key[0]
        for key, bound in gin.config._CONFIG.items()
        if key[1] == _MACRO and repr(bound.get("value")) == "%gin.REQUIRED"
    }
    if missing:
        first, *rest = sorted(missing)
        also = f" (and {', '.join(rest)})" if rest else ""
        raise UserError(
            f"the gin macro {first}{also} is not set; set it in an experiment file "
            f"or with --gin.{first}=VALUE"
        )


def _macro_references() -> Iterable[Any]:
    for reference in gin.config.iterate_references(gin.config._CONFIG):
        if reference.configurable.wrapped is gin.config.macro and reference.config_key[0]:
            yield reference


def _bound_macros() -> set[str]:
    return {key[0] for key in gin.config._CONFIG if key[1] == _MACRO}


def _registered_names() -> list[str]:
    return [selector for selector, _ in gin.config._REGISTRY.items()]


def _parameters(binding: str) -> list[str]:
    """Returns the argument names of the configurable that a `--gin.` flag binds, if it exists."""
    selector = binding.partition("=")[0].removeprefix("--gin.").strip().rpartition(".")[0]
    try:
        matched = gin.config._REGISTRY.get_match(selector.rpartition("/")[2])
    except KeyError:
        return []
    return list(inspect.signature(matched.wrapped).parameters) if matched else []


def _refuse_missing_file(name: str) -> None:
    prefixes = [Path(prefix) for prefix in gin.config._LOCATION_PREFIXES]
    if not any((prefix / name).is_file() for prefix in prefixes):
        shipped = [
            str(file.relative_to(INSTALLATION_ROOT))
            for file in INSTALLATION_ROOT.glob("t5x_configs/*/*.gin")
        ]
        raise UserError(
            f"gin file {name} is not in {Path.cwd()}, the --gin_search_paths or "
            f"{INSTALLATION_ROOT}{nearest(name, shipped)}"
        )


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
