"""The house keeps its plan: arrows run one way, TensorFlow stays in its rooms, files stay short."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
ROOMS = ["mt5x", "tasks", "analysis", "scripts"]
SOURCES = [path for room in ROOMS for path in sorted((REPOSITORY / room).rglob("*.py"))]
GIN_FILES = sorted((REPOSITORY / "t5x_configs").rglob("*.gin"))
MAX_LINES = 450

# scripts -> analysis -> (mt5x, tasks); tasks and mt5x do not know each other.
FORBIDDEN = {
    "tasks": {"mt5x", "analysis", "scripts"},
    "mt5x": {"tasks", "analysis", "scripts"},
    "analysis": {"scripts"},
    "scripts": set(),
}

# The parts that train and decode run on machines and in processes that need no TensorFlow.
WITHOUT_TENSORFLOW = [
    "model", "losses", "optimizers", "steps", "decoding", "scoring", "train_state", "partitioning",
    "checkpoints", "errors", "prediction", "predictor", "vocabularies",
]  # fmt: skip
TENSORFLOW = {"tensorflow", "tensorflow_text", "tensorflow_datasets", "seqio"}

# An experiment file is read by upstream T5X too: it may import, and bind macros.
EXPERIMENT_LINE = re.compile(
    r"""from\ __gin__\ import\ dynamic_registration$
    | import\ tasks(\.\w+)*$
    | include\ 't5x_configs/experiments/[\w/]+\.gin'$
    | [A-Z][A-Z0-9_]*\ =(\s|$)""",
    re.VERBOSE,
)


def relative(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def imports(path: Path, *, module_level: bool = False) -> Iterator[tuple[int, str]]:
    """Yields (line, dotted name) of each import; `module_level` leaves out those in functions."""
    nodes: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif not (module_level and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            nodes.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_arrows_run_one_way(path):
    forbidden = FORBIDDEN[path.relative_to(REPOSITORY).parts[0]]
    wrong = [(line, name) for line, name in imports(path) if name.split(".")[0] in forbidden]
    assert not wrong, f"{relative(path)} imports against the arrows of DESIGN.md: {wrong}"


@pytest.mark.parametrize("room", WITHOUT_TENSORFLOW)
def test_rooms_that_train_and_decode_import_no_tensorflow(room):
    base = REPOSITORY / "mt5x" / room
    paths = sorted(base.rglob("*.py")) if base.is_dir() else [base.with_suffix(".py")]
    assert paths
    for path in paths:
        wrong = [(line, name) for line, name in imports(path) if name.split(".")[0] in TENSORFLOW]
        assert not wrong, f"{relative(path)} imports {wrong}"


def test_training_and_decoding_load_no_tensorflow_through_a_third_party():
    """What the source does not say: a library that imports TensorFlow for us."""
    modules = [f"mt5x.{room}" for room in WITHOUT_TENSORFLOW]
    program = f"import sys, {', '.join(modules)}; print(sorted({TENSORFLOW!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_subcommands_import_nothing_heavy_at_module_level():
    light = set(sys.stdlib_module_names) | {"scripts"}
    # `mt5x.errors` imports nothing but the standard library, and `mt5x` no more.
    plain = {
        "mt5x.__version__",
        *(f"mt5x.errors.{one}" for one in ("UserError", "nearest", "said")),
    }
    for path in sorted((REPOSITORY / "scripts").glob("*.py")):
        heavy = [
            (line, name)
            for line, name in imports(path, module_level=True)
            if name.split(".")[0] not in light and name not in plain
        ]
        assert not heavy, f"{relative(path)} imports {heavy} before run(): `mt5x --help` would wait"


@pytest.mark.parametrize(
    "path", [path for path in GIN_FILES if path.parent.name == "experiments"], ids=relative
)
def test_experiment_files_bind_macros_only(path):
    depth = 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        code = line.split("#")[0].rstrip()
        if code and depth == 0:
            assert EXPERIMENT_LINE.match(code), f"{relative(path)}, line {number}: {code}"
        depth += sum(code.count(opening) for opening in "([{")
        depth -= sum(code.count(closing) for closing in ")]}")


@pytest.mark.parametrize("path", GIN_FILES, ids=relative)
def test_gin_files_open_with_what_they_are_for(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# "), f"{relative(path)} does not open with a comment"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_files_are_short(path):
    length = len(path.read_text(encoding="utf-8").splitlines())
    assert length <= MAX_LINES, f"{relative(path)} has {length} lines: one idea a file"


def test_there_is_no_drawer_for_odds_and_ends():
    assert not [relative(path) for path in SOURCES if path.stem in ("utils", "helpers", "misc")]
