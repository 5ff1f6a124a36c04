"""The version of the code that results depend on: a hash of what it says, not of how it is written.

Comments, docstrings and layout do not count, and neither does the code that only plans, launches,
words or draws. A change of anything else makes every stage a new one.
"""

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

_COUNTED = (
    "mt5x", "mt5x.studies.flips", "mt5x.studies.jobs", "tasks", "analysis.hidden_text",
    "analysis.lm_counts", "analysis.lm_job", "analysis.lm_statistics",
)  # fmt: skip
# What no number depends on; of `mt5x.studies` the two above aside.
_LEFT_OUT = (
    "mt5x.anomaly", "mt5x.benchmarks", "mt5x.compilation_cache", "mt5x.curve", "mt5x.device_kinds",
    "mt5x.errors", "mt5x.gradient_memory", "mt5x.hardware", "mt5x.launch", "mt5x.layer_memory",
    "mt5x.memory_plan", "mt5x.metrics_log", "mt5x.plan_page", "mt5x.progress", "mt5x.run_record",
    "mt5x.step_setting", "mt5x.studies", "mt5x.throughput",
    "tasks.errors", "tasks.importers", "tasks.inspection", "tasks.sample_world",
)  # fmt: skip


@functools.cache
def code_version() -> str:
    """Returns the hash, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, path in _modules():
        digest.update(name.encode())
        digest.update(meaning(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:16]


def meaning(source: str) -> str:
    """Returns what Python reads in a module, its docstrings left out."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[0] = ast.Pass()
    return ast.dump(tree)


def _is_docstring(statement: ast.AST) -> bool:
    # A bare text anywhere does nothing, so one that documents a name is as good as a comment.
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _modules() -> Iterator[tuple[str, Path]]:
    """Yields the counted modules and their files, by name."""
    for name in _COUNTED:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            continue
        origin = Path(found.origin)
        if found.submodule_search_locations is None:
            yield name, origin
            continue
        for path in sorted(origin.parent.rglob("*.py")):
            parts = path.relative_to(origin.parent).with_suffix("").parts
            module = ".".join((name, *(part for part in parts if part != "__init__")))
            if not any(module == one or module.startswith(f"{one}.") for one in _LEFT_OUT):
                yield module, path
