"""Fixtures for every room: several CPU devices, and the reference data where it exists."""

import atexit
import gc
import os
import shutil
import tempfile

# Before JAX or TensorFlow is imported: eight virtual devices, quiet logs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# What commands compile is kept for the other commands of these tests, and not for their user. The
# processes that xdist starts find the variable set.
if "MT5X_CACHE_DIR" not in os.environ:
    os.environ["MT5X_CACHE_DIR"] = tempfile.mkdtemp(prefix="mt5x_tests_")
    atexit.register(shutil.rmtree, os.environ["MT5X_CACHE_DIR"], ignore_errors=True)

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import jax
import pytest

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
# Compiling takes most of the time: it is done with little effort, and kept for the other files.
# (Commands that tests start compile as they do for their user.)
jax.config.update("jax_disable_most_optimizations", True)
jax.config.update("jax_compilation_cache_dir", f"{os.environ['MT5X_CACHE_DIR']}/tests")
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real samples and reference values beside the checkout; skips without it."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside the checkout: real samples and T5X goldens are not here")
    return SHARED


@pytest.fixture(scope="module", autouse=True)
def forgotten_programs() -> Iterator[None]:
    """Forgets what a file compiled: the programs of all of them take gigabytes."""
    yield
    jax.clear_caches()
    gc.collect()


class FailuresAtOnce:
    """Shows a failure when it happens: a run that is stopped has no summary."""

    def __init__(self, config: pytest.Config):
        self._config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
            terminal.write_line("")
            terminal.write_line(f"FAILED {report.nodeid} ({report.when}, {report.duration:.0f} s)")
            terminal.write_line(report.longreprtext[-3000:])


def pytest_configure(config: pytest.Config) -> None:
    # Where xdist splits the tests, what the workers report comes together in the process above.
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(FailuresAtOnce(config))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: begun last, one of them would keep a process alone at the end."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)
