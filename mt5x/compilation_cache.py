"""JAX's persistent compilation cache, on by default: the same program is compiled once a machine.

JAX's own key covers the program, the compiler's version and options, and the device; what XLA
compiles for a CPU holds its instructions, so each sort of CPU has a folder of its own (with JAX
alone, a home directory on hosts of two sorts ends in SIGILL; jax-ml/jax issue 38445 has the
messages). Of several processes of one run the first one writes.
"""

import hashlib
import importlib.metadata
import os
import platform
import sys
import warnings
from pathlib import Path

from mt5x.cache_folder import cache_folder, keep_below

# What may stay of earlier programs: some hundreds of a large network.
_LIMIT_BYTES = 4 * 2**30
# JAX's name for each, as a variable of the environment.
_FOLDER = "JAX_COMPILATION_CACHE_DIR"
_SETTINGS = {
    # The tiny programs too: dozens of them, 10 to 100 ms each, come before a first step.
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
}


def switch_on() -> Path | None:
    """Has JAX, which must not be imported yet, keep compiled programs in the cache folder.

    Nothing is done where the environment holds JAX's own setting of the folder.

    Returns:
      The folder; None where nothing was done.
    """
    if "jax" in sys.modules or _FOLDER in os.environ:
        return None
    whole = cache_folder("compiled")
    if whole is None:
        return None
    folder = whole / _machine()
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    os.environ[_FOLDER] = str(folder)
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    keep_below(whole, _LIMIT_BYTES, "*-cache")
    # A program that cannot be read, or kept, is compiled: that is no news for anybody.
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")
    return folder


def _machine() -> str:
    """A name for the sort of CPU together with the compiler."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    telling = ("model name", "flags", "Features", "CPU part")
    cpu = sorted({line for line in lines if line.startswith(telling)})
    compiler = importlib.metadata.version("jaxlib")
    text = "\n".join([platform.machine(), platform.processor(), compiler, *cpu])
    return f"{platform.machine()}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
